/**
 * What waits for a person, in one list (invariant 8). Each kind of waiting is a function that finds it in a goal; one
 * that needs more than the log is joined where it is known. Pure.
 */
import { counted } from '../core/counted.js';
import { blockedBy, type GoalView, HINDERED } from '../core/goal.js';
import type { UnlandedGoal } from './goal-queries.js';
import { oneLine } from './one-line.js';

export interface InboxItem {
  readonly kind: 'approval' | 'landing' | 'failed' | 'hindered' | 'no-agent' | 'supervisor';
  /** What a person answers about: a task, a goal, or what stands still: `log`, `files` or `redis`. */
  readonly id: string;
  readonly goal: string;
  readonly project: string;
  /** What it is, for people. */
  readonly title: string;
  readonly reason: string;
  /** Since when it waits, epoch milliseconds; null where its needs are not done yet, or that is not known. */
  readonly since: number | null;
  /** When it is answered by its default, epoch milliseconds. */
  readonly deadline: number | null;
}

/** Characters of a reason: what helps stands at its end, and is not to be cut off. */
const WHOLE = 2_000;

type Find = (goal: GoalView) => InboxItem[];

/** The oldest first; what cannot start yet comes last. */
export function inboxOf(goals: readonly GoalView[]): InboxItem[] {
  return byAge(goals.flatMap((goal) => KINDS.flatMap((find) => find(goal))));
}

/**
 * Finished goals that a person has to land, or to help land.
 * @param landsAlone whether the goals of a project land without being asked about
 */
export function landingsOf(
  goals: readonly UnlandedGoal[],
  landsAlone: (project: string) => boolean,
): InboxItem[] {
  return goals
    .filter(
      ({ project, approved, trouble }) => trouble !== null || !(approved || landsAlone(project)),
    )
    .map(({ id, project, title, finishedAt, approved, trouble }) => ({
      kind: 'landing',
      id,
      goal: id,
      project,
      title: oneLine(title),
      reason:
        trouble === null
          ? 'is done and waits to land'
          : `${approved ? 'cannot land yet' : 'did not land'}: ${oneLine(trouble, WHOLE)}`,
      since: finishedAt,
      deadline: null,
    }));
}

/** Something stands still: recording, the projects' files, or all that needs Redis. */
export interface Standstill {
  readonly about: 'log' | 'files' | 'redis';
  readonly reason: string;
  /** Epoch milliseconds; null where that is not known. */
  readonly since: number | null;
}

/** What stands still, and what does not. */
const STANDING: Readonly<Record<Standstill['about'], string>> = {
  log: 'Nothing is recorded; agents go on with what they have',
  files: 'Files of a project are not all written or committed; goals go on',
  redis: 'Nothing begins and nothing is recorded before Redis answers',
};

/** What stands still at the supervisor, for reasons that only a person can end. */
export const standstills = (troubles: readonly Standstill[]): InboxItem[] =>
  troubles.map(({ about, reason, since }) => ({
    kind: 'supervisor',
    id: about,
    goal: '',
    project: '',
    title: STANDING[about],
    reason: oneLine(reason, WHOLE),
    since,
    deadline: null,
  }));

export const byAge = (items: readonly InboxItem[]): InboxItem[] =>
  items.toSorted((a, b) => (a.since ?? Infinity) - (b.since ?? Infinity) || 0);

const plans: Find = (goal) => {
  const gates = [...goal.tasks.values()].flatMap((task) => task.gates);
  const gate = gates.find(({ kind, open }) => kind === 'plan' && !open);
  if (!gate) return [];
  const { since, due } = gate;
  const title = oneLine(goal.title);
  const reason = `its plan of ${counted(goal.tasks.size, 'task')} waits for approval`;
  return [{ ...itemOf(goal), kind: 'approval', id: goal.id, title, reason, since, deadline: due }];
};

const approvals: Find = (goal) =>
  [...goal.tasks.values()].flatMap(({ spec, state, gates }) => {
    const gate = gates.find(({ kind, open }) => kind === 'approval' && !open);
    if (!gate || state !== 'BACKLOG') return [];
    return [
      {
        ...itemOf(goal),
        kind: 'approval' as const,
        id: spec.id,
        title: oneLine(spec.title ?? spec.name),
        reason:
          gate.since === null
            ? 'waits for approval once its needs are done'
            : 'waits for approval to start',
        since: gate.since,
        deadline: gate.due,
      },
    ];
  });

const failures: Find = (goal) => {
  // What it blocks waits for it, whatever else still runs.
  if (goal.state !== 'OPEN' && goal.state !== 'SETTLED') return [];
  const blocked = [...blockedBy(goal).values()];
  return [...goal.tasks.values()].flatMap(({ spec, state, error, finishedAt, released }) => {
    if ((state !== 'FAILED' && state !== 'CANCELLED') || released || spec.optional) return [];
    const behind = blocked.filter((ids) => ids.includes(spec.id)).length;
    // A task that was cancelled is no question, unless others wait for it.
    if (state === 'CANCELLED' && behind === 0) return [];
    const what =
      state === 'FAILED'
        ? `failed: ${oneLine(error ?? 'no reason was given', WHOLE)}`
        : 'is cancelled';
    return [
      {
        ...itemOf(goal),
        kind: 'failed' as const,
        id: spec.id,
        title: oneLine(spec.title ?? spec.name),
        reason: behind === 0 ? what : `${what} (blocks ${behind})`,
        since: finishedAt,
        deadline: null,
      },
    ];
  });
};

/** It goes on by itself once a person has put away what is in the way. */
const hindered: Find = (goal) =>
  [...goal.tasks.values()].flatMap(({ spec, held, error, activeAt }) =>
    held === HINDERED
      ? [
          {
            ...itemOf(goal),
            kind: 'hindered' as const,
            id: spec.id,
            title: oneLine(spec.title ?? spec.name),
            reason: `waits until this is gone: ${oneLine(error ?? '', WHOLE)}`,
            since: activeAt,
            deadline: null,
          },
        ]
      : [],
  );

const KINDS: readonly Find[] = [plans, approvals, failures, hindered];

const itemOf = ({ id, project }: GoalView): Pick<InboxItem, 'goal' | 'project'> => ({
  goal: id,
  project,
});
