/**
 * How far a goal is, and when it may end: from how long its tasks took in earlier runs, from what its plan says, and
 * from how many agents there are. A lower bound that is usually near: no goal ends before its longest path, nor before
 * its work is shared out among the agents. Pure.
 */
import { counted } from '../core/counted.js';
import { blockedBy, type GoalView, type TaskView } from '../core/goal.js';
import { topologicalOrder } from '../core/graph.js';
import type { PausedPlace } from '../core/hold.js';
import type { Limit } from '../core/limits.js';
import { isFinal } from '../core/task-state.js';
import { type Kind, kindOf, type Learned } from './durations.js';

/** A task that takes longer than expected is taken to need this part of it still. */
const LATE = 0.1;

export interface EstimateParts {
  /** How long such a task took. */
  readonly learned: (kind: Kind) => Learned | undefined;
  /** Agents by capability, where that is known. */
  readonly agents?: ReadonlyMap<string, number> | undefined;
  /** Projects and capabilities that are paused. */
  readonly pauses: readonly PausedPlace[];
  /** What is set for capabilities and projects. */
  readonly limits: readonly Limit[];
  /** False where no supervisor runs, so that nothing is handed on. */
  readonly supervised: boolean;
  /** Epoch milliseconds. */
  readonly now: number;
}

export interface Estimate {
  /** Whole percent of the work, by expected durations; 100 only where all is done. */
  readonly percent: number;
  /** Milliseconds to the end; null where nothing tells, or nothing can go on. */
  readonly remaining: number | null;
  /** Epoch milliseconds. */
  readonly endsAt: number | null;
  /** What it is computed from. */
  readonly basis: EstimateBasis;
}

export interface EstimateBasis {
  /** Tasks whose durations were learned from earlier runs of themselves, and most runs of one. */
  readonly learned: number;
  readonly runs: number;
  /** Tasks that are taken to need as long as others of their capability did. */
  readonly similar: number;
  /** Tasks whose durations the plan gives. */
  readonly given: number;
  /** Tasks of which nothing is known: they are taken for average ones. */
  readonly unknown: number;
  /** Tasks at work side by side, by capability. */
  readonly slots: Readonly<Record<string, number>>;
  /** For people: `from up to 9 earlier runs of each task`, `no history`; or why no end can be told. */
  readonly text: string;
}

type Source = 'learned' | 'similar' | 'given' | 'unknown';

export function estimate(
  goal: GoalView,
  { learned, agents, pauses, limits, supervised, now }: EstimateParts,
): Estimate {
  const known = new Map<string, { took: number; source: Source; runs: number }>();
  for (const [id, { spec }] of goal.tasks) {
    const past = learned(kindOf(goal, spec));
    if (past?.isOfTask || (past && (spec.expected === undefined || spec.learned))) {
      const source = past.isOfTask ? 'learned' : 'similar';
      known.set(id, { took: past.took, source, runs: past.isOfTask ? past.runs : 0 });
    } else if (spec.expected !== undefined) {
      known.set(id, {
        took: spec.expected,
        source: spec.learned ? 'similar' : 'given',
        runs: 0,
      });
    }
  }
  const total = [...known.values()].reduce((sum, { took }) => sum + took, 0);
  // Where nothing is known every task weighs the same.
  const average = known.size === 0 ? 1 : total / known.size;
  const tookOf = (id: string): number => known.get(id)?.took ?? average;
  const blocked = blockedBy(goal);
  const rest = [...goal.tasks.values()].filter(
    (task) => !isFinal(task.state) && !task.released && !blocked.has(task.spec.id),
  );
  const limit = limitsOn(goal.project, limits);
  const slots = slotsOf(goal, rest, agents, limit);
  const obstacle = obstacleOf(goal, rest, slots, { pauses, supervised });
  const basis = basisOf(rest, known, slots, obstacle);
  const isTold = rest.length === 0 || rest.some(({ spec }) => known.has(spec.id));
  const canEnd = goal.state === 'OPEN' && isTold && obstacle === undefined;
  const remaining = canEnd ? Math.round(remainingOf(rest, tookOf, slots, limit, now)) : null;
  return {
    percent: percentOf(goal, tookOf, now),
    remaining,
    endsAt: remaining === null ? null : now + remaining,
    basis,
  };
}

/** What keeps the rest of a goal from going on until somebody does something about it. */
function obstacleOf(
  goal: GoalView,
  rest: readonly TaskView[],
  slots: ReadonlyMap<string, number>,
  { pauses, supervised }: Pick<EstimateParts, 'pauses' | 'supervised'>,
): string | undefined {
  // What runs already is not held up.
  const ahead = rest.filter(({ state }) => state === 'BACKLOG' || state === 'PENDING');
  if (!supervised && ahead.length > 0) return 'no supervisor runs';
  if (goal.paused && ahead.length > 0) return `${goal.id} is paused`;
  const needs = (capability: string): boolean =>
    ahead.some(({ spec }) => spec.capability === capability);
  const pause = pauses.find(({ kind, name }) =>
    kind === 'project' ? name === goal.project && ahead.length > 0 : needs(name),
  );
  if (pause) return `${pause.kind} ${pause.name} is paused`;
  const [lacking] = [...slots].find(([, count]) => count === 0) ?? [];
  return lacking === undefined ? undefined : `nobody offers ${lacking}`;
}

/** Limits that bound a goal of a project. */
interface Limits {
  /** What runs of the project at once at most. */
  readonly project: number;
  readonly capability: (name: string) => Extract<Limit, { scope: 'capability' }> | undefined;
}

function limitsOn(project: string, limits: readonly Limit[]): Limits {
  const own = limits.find(({ scope, name }) => scope === 'project' && name === project);
  return {
    project: own?.concurrency ?? Number.POSITIVE_INFINITY,
    capability: (wanted) =>
      limits.filter((one) => one.scope === 'capability').find(({ name }) => name === wanted),
  };
}

/**
 * No less than the longest path, than the work of a capability shared among its agents, than its rate lets begin, and
 * than the limits of keys and of the project allow.
 */
function remainingOf(
  rest: readonly TaskView[],
  tookOf: (id: string) => number,
  slots: ReadonlyMap<string, number>,
  limits: Limits,
  now: number,
): number {
  const tasks = new Map(rest.map((task) => [task.spec.id, task]));
  const ends = new Map<string, number>();
  const work = new Map<string, number>();
  const keys = new Map<string, { sum: number; limit: number }>();
  let longest = 0;
  for (const id of topologicalOrder(rest.map(({ spec }) => spec))) {
    const task = tasks.get(id)!;
    const left = leftOf(task, tookOf(id), now);
    const start = Math.max(
      delayOf(task, now),
      ...task.spec.needs.map((need) => ends.get(need) ?? 0),
    );
    ends.set(id, start + left);
    longest = Math.max(longest, start + left);
    const { capability, concurrency } = task.spec;
    work.set(capability, (work.get(capability) ?? 0) + left);
    if (concurrency) {
      const { sum, limit } = keys.get(concurrency.key) ?? { sum: 0, limit: concurrency.limit };
      keys.set(concurrency.key, { sum: sum + left, limit: Math.min(limit, concurrency.limit) });
    }
  }
  for (const { sum, limit } of keys.values()) longest = Math.max(longest, sum / limit);
  for (const [capability, sum] of work) {
    const rate = limits.capability(capability)?.rate;
    const ahead = rest.filter(
      ({ spec, state }) =>
        spec.capability === capability && (state === 'BACKLOG' || state === 'PENDING'),
    ).length;
    const begun = rate ? Math.floor(Math.max(0, ahead - 1) / rate.max) * rate.per : 0;
    longest = Math.max(longest, sum / slots.get(capability)!, begun);
  }
  const all = [...work.values()].reduce((sum, one) => sum + one, 0);
  return Math.max(longest, all / limits.project);
}

function leftOf({ state, activeAt, assignedAt }: TaskView, took: number, now: number): number {
  if (state === 'REVIEW') return 0;
  const began = state === 'ACTIVE' || state === 'ASSIGNED' ? (activeAt ?? assignedAt) : null;
  return began === null ? took : Math.max(took - (now - began), took * LATE);
}

/** Milliseconds until it may start at the earliest, by its own timers. */
function delayOf({ gates, retryAt }: TaskView, now: number): number {
  const timers = gates.flatMap(({ kind, open, due }) =>
    kind === 'timer' && !open && due !== null ? [due] : [],
  );
  return Math.max(0, ...[...timers, retryAt ?? 0].map((at) => at - now));
}

/** As many as there are agents, or as were seen at work side by side: an agent may do several tasks at once. */
function slotsOf(
  { tasks }: GoalView,
  rest: readonly TaskView[],
  agents: ReadonlyMap<string, number> | undefined,
  limits: Limits,
): Map<string, number> {
  const wanted = new Set(rest.map(({ spec }) => spec.capability));
  return new Map(
    [...wanted].map((capability) => {
      const own = [...tasks.values()].filter(({ spec }) => spec.capability === capability);
      const seen = mostAtOnce(own);
      const there = Math.max(seen, agents ? (agents.get(capability) ?? 0) : 1);
      return [capability, Math.min(there, limits.capability(capability)?.concurrency ?? there)];
    }),
  );
}

function mostAtOnce(tasks: readonly TaskView[]): number {
  const changes = tasks.flatMap(({ activeAt, finishedAt, state }) => {
    if (activeAt === null || (finishedAt === null && state !== 'ACTIVE')) return [];
    return [
      { at: activeAt, by: 1 },
      { at: finishedAt ?? Number.POSITIVE_INFINITY, by: -1 },
    ];
  });
  let running = 0;
  let most = 0;
  // What ends at a moment makes room for what begins then.
  for (const { by } of changes.toSorted((a, b) => a.at - b.at || a.by - b.by)) {
    running += by;
    most = Math.max(most, running);
  }
  return most;
}

function percentOf(
  { tasks, state }: GoalView,
  tookOf: (id: string) => number,
  now: number,
): number {
  if (state === 'DONE') return 100;
  let done = 0;
  let all = 0;
  for (const [id, task] of tasks) {
    // Work that takes no time is work as well.
    const took = Math.max(1, tookOf(id));
    all += took;
    if (task.state === 'DONE' || task.released) done += took;
    else if (task.state === 'ACTIVE') done += Math.max(0, took - leftOf(task, took, now));
  }
  return all === 0 ? 0 : Math.min(99, Math.floor((100 * done) / all));
}

function basisOf(
  rest: readonly TaskView[],
  known: ReadonlyMap<string, { source: Source; runs: number }>,
  slots: ReadonlyMap<string, number>,
  obstacle: string | undefined,
): EstimateBasis {
  const sources = rest.map(
    ({ spec }) => known.get(spec.id) ?? { source: 'unknown' as const, runs: 0 },
  );
  const count = (wanted: Source): number =>
    sources.filter(({ source }) => source === wanted).length;
  const [learned, similar] = [count('learned'), count('similar')];
  const [given, unknown] = [count('given'), count('unknown')];
  const runs = Math.max(0, ...sources.map((source) => source.runs));
  const parts: string[] = [];
  if (learned > 0)
    parts.push(
      runs === 1 ? 'from one earlier run' : `from up to ${runs} earlier runs of each task`,
    );
  if (similar > 0) parts.push(`${counted(similar, 'task')} as others of their capability`);
  if (given > 0) parts.push(`${counted(given, 'task')} as planned`);
  if (unknown > 0 && parts.length > 0) parts.push(`${counted(unknown, 'task')} unknown`);
  const isHeld = rest.some(({ gates }) =>
    gates.some(({ kind, open }) => kind !== 'timer' && !open),
  );
  if (isHeld && parts.length > 0) parts.push('not counting people and signals');
  const nothing = rest.length === 0 ? 'nothing is left that can run' : 'no history';
  const text = obstacle ?? (parts.length === 0 ? nothing : parts.join(', '));
  return { learned, runs, similar, given, unknown, slots: Object.fromEntries(slots), text };
}
