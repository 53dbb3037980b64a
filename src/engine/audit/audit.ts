/**
 * The audit: five witnesses of the same events are heard and every contradiction is told. They are the fold of
 * the log, the stored projections, BullMQ's own job states, STATE.yaml, and the goals' branches. It changes nothing.
 *
 * It checks invariants 1 (`fold(log)` equals the stored projections), 3 (each entry once, cursors), 4, 5 and 7
 * (see audit-history.ts).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { counted } from '../../core/counted.js';
import { messageOf } from '../../core/errors.js';
import type { GoalView } from '../../core/goal.js';
import {
  goalIds,
  lastEntries,
  misnamedTasks,
  repeatedOrigins,
  sequenceGaps,
  snapshot,
  taskHomes,
  totals,
} from '../../log/integrity.js';
import type { Log } from '../../log/log.js';
import { loadGoal } from '../../projections/board.js';
import type { RedisClient } from '../../queues/connection.js';
import { streamEnds, takeInventory } from '../../queues/inventory.js';
import { ownerKey } from '../../queues/keys.js';
import { compareEntries } from '../../queues/streams.js';
import { GoalFold } from '../history/goal-fold.js';
import { auditHistory } from './history.js';
import type { Projects } from '../workspaces/projects.js';
import { auditBranches } from './branches.js';
import { auditJobs } from './jobs.js';
import { compareRows } from './rows.js';
import { auditState, type StateAudit, type StateParts } from './state.js';
import type { Disagreement, Witness } from './disagreement.js';
import { auditPauses } from './pauses.js';
import { auditPrograms } from './programs.js';
import { auditSchedules } from './schedules.js';

export interface AuditParts {
  readonly log: Log;
  /** Left out, BullMQ is not heard. */
  readonly redis?: { readonly client: RedisClient; readonly prefix: string } | undefined;
  /** The text of a project's STATE.yaml, undefined where it has none. Left out, no file is heard. */
  readonly readState?: ((project: string) => string | undefined) | undefined;
  /** Where the projects' repositories are. Left out, git is not heard. */
  readonly projects?: Projects | undefined;
  /** Whether a supervisor runs on this log at the moment. */
  readonly running: boolean;
  /** Milliseconds that Redis, STATE.yaml and git get to agree while things run; default 2,000. */
  readonly patience?: number | undefined;
}

export interface AuditReport {
  /** True where nobody contradicts anybody. */
  readonly agrees: boolean;
  readonly disagreements: readonly Disagreement[];
  /** What is worth knowing and contradicts nothing. */
  readonly notes: readonly string[];
  /** Who was heard. */
  readonly heard: readonly Witness[];
  /** What was looked at. */
  readonly checked: {
    readonly events: number;
    readonly goals: number;
    /** Goals that are neither done nor cancelled: whatever is still to happen to them, BullMQ holds. */
    readonly open: number;
    readonly tasks: number;
    readonly jobs: number;
    readonly projects: number;
  };
}

const PATIENCE = 2_000;
/** Milliseconds between two looks at a STATE.yaml that is behind. */
const PAUSE = 100;
/** Names listed in one note. */
const LISTED = 5;

export async function audit(parts: AuditParts): Promise<AuditReport> {
  const { log, redis, readState, projects: repositories, running, patience = PATIENCE } = parts;
  const disagreements: Disagreement[] = auditTables(log);
  const notes: string[] = [];
  const inRedis: string[] = [];
  let open = 0;
  const projects = new Map<string, Map<string, { isOver: boolean }>>();
  for (const id of goalIds(log.db)) {
    const { view, found, remarks } = auditGoal(log, id);
    disagreements.push(...found);
    notes.push(...remarks);
    if (!view) continue;
    if (!view.evicted) inRedis.push(id);
    const isOver = view.state === 'DONE' || view.state === 'CANCELLED';
    if (!isOver) open += 1;
    projects.set(view.project, (projects.get(view.project) ?? new Map()).set(id, { isOver }));
  }
  disagreements.push(...auditSchedules(log), ...auditPauses(log));
  let jobs = 0;
  const heard: Witness[] = ['log', 'projection'];
  const owner = redis && (await redis.client.get(ownerKey(redis.prefix)));
  if (redis && owner && owner !== log.knownId()) {
    notes.push(
      `The keys ‘${redis.prefix}:*’ of this Redis belong to another log; BullMQ was not heard.`,
    );
  } else if (redis) {
    heard.push('redis');
    const told = await auditJobs({ log, ...redis, running, patience }, inRedis);
    disagreements.push(...told.found, ...(await auditCursors(log, redis)));
    notes.push(...told.notes, ...(await strays(log, redis)));
    jobs = told.jobs;
  }
  if (readState) {
    heard.push('state');
    for (const [project, goals] of projects) {
      const { found, remarks } = await hearState(parts, readState, project, goals);
      disagreements.push(...found);
      notes.push(...remarks);
    }
  }
  if (repositories) {
    heard.push('git');
    const told = await auditBranches({ log, projects: repositories, running, patience });
    disagreements.push(...told.found, ...(await auditPrograms(log, repositories)));
    notes.push(...told.notes);
  }
  return {
    agrees: disagreements.length === 0,
    disagreements,
    notes,
    heard,
    checked: { ...totals(log.db), open, jobs, projects: readState ? projects.size : 0 },
  };
}

/** The tables as a whole: nothing missing, nothing twice, no cursor behind what is recorded, each row under its name. */
function auditTables(log: Log): Disagreement[] {
  const found: Disagreement[] = [];
  const add = (field: string, value: string | number, explanation: string): void => {
    found.push({
      witnesses: ['log'],
      goal: null,
      task: null,
      field,
      values: { log: value },
      explanation,
    });
  };
  snapshot(log.db, () => {
    for (const { after, before } of sequenceGaps(log.db)) {
      add('seq', before, `Events are missing between ${after} and ${before}.`);
    }
    for (const { queue, entry, times } of repeatedOrigins(log.db)) {
      add('origin', entry, `The entry ${entry} of ‘${queue}’ was recorded ${times} times.`);
    }
    const cursors = log.cursors();
    for (const [queue, entry] of lastEntries(log.db)) {
      const cursor = cursors.get(queue) ?? '0-0';
      if (compareEntries(cursor, entry) >= 0) continue;
      add(
        'cursor',
        cursor,
        `The cursor of ‘${queue}’ stands before ${entry}, which is recorded already.`,
      );
    }
    for (const { row, task, goal } of misnamedTasks(log.db)) {
      found.push({
        witnesses: ['projection'],
        goal,
        task,
        field: 'row',
        values: { projection: row },
        explanation: `A row of ${task} is stored as ${row}.`,
      });
    }
  });
  return found;
}

function auditGoal(
  log: Log,
  id: string,
): { view: GoalView | undefined; found: Disagreement[]; remarks: string[] } {
  try {
    return snapshot(log.db, () => {
      const { view, found, notes } = auditHistory(id, log.events({ goal: id }));
      return {
        view,
        found: [...found, ...compareRows(id, view, loadGoal(log.db, id))],
        remarks: notes,
      };
    });
  } catch (error) {
    const unreadable: Disagreement = {
      witnesses: ['log'],
      goal: id,
      task: null,
      field: 'events',
      values: {},
      explanation: `Its events cannot be folded: ${messageOf(error)}`,
    };
    return { view: undefined, found: [unreadable], remarks: [] };
  }
}

/** A cursor behind the end of its stream would hide entries that are yet to come. */
async function auditCursors(
  log: Log,
  { client, prefix }: NonNullable<AuditParts['redis']>,
): Promise<Disagreement[]> {
  // Streams only grow, so what is read of them later cannot be behind by itself.
  const cursors = log.cursors();
  const ends = await streamEnds(client, prefix, cursors.keys());
  const found: Disagreement[] = [];
  for (const [queue, end] of ends) {
    const cursor = cursors.get(queue)!;
    if (compareEntries(cursor, end) <= 0) continue;
    found.push({
      witnesses: ['log', 'redis'],
      goal: null,
      task: null,
      field: 'cursor',
      values: { log: cursor, redis: end },
      explanation: `The cursor of ‘${queue}’ is ahead of the stream's last entry.`,
    });
  }
  return found;
}

/** Jobs and journals of which the log knows nothing, or nothing any more. */
async function strays(
  log: Log,
  { client, prefix }: NonNullable<AuditParts['redis']>,
): Promise<string[]> {
  const { jobs, journals } = await takeInventory(client, prefix);
  // Read afterwards: a task is recorded before its job is submitted.
  const homes = taskHomes(log.db);
  const goals = new Map([...homes.values()].map(({ goal, evicted }) => [goal, evicted]));
  const evictedOf = (id: string): boolean | undefined => homes.get(id)?.evicted ?? goals.get(id);
  // Relays, gates and later generations are named after their task.
  const ownJobs = jobs.filter(({ queue }) => queue !== 'commands' && queue !== 'schedules');
  const taskOf = (id: string): string => id.split('.')[0]!;
  const list = (ids: readonly string[]): string =>
    ids.slice(0, LISTED).join(', ') + (ids.length > LISTED ? ', …' : '');
  const notes: string[] = [];
  const note = (ids: readonly string[], one: string, which: string): void => {
    if (ids.length > 0) notes.push(`${counted(ids.length, one)} ${which}: ${list(ids)}`);
  };
  note(
    ownJobs
      .filter(({ id }) => evictedOf(taskOf(id)) === undefined)
      .map(({ queue, id }) => `${queue}/${id}`),
    'job',
    'that no goal knows',
  );
  note(
    ownJobs
      .filter(({ id }) => evictedOf(taskOf(id)) === true)
      .map(({ queue, id }) => `${queue}/${id}`),
    'job',
    'of goals that have left Redis',
  );
  note(
    journals.filter((id) => evictedOf(taskOf(id)) !== false),
    'journal',
    'of tasks that have left Redis',
  );
  return notes;
}

async function hearState(
  { log, running, patience = PATIENCE }: AuditParts,
  readState: NonNullable<AuditParts['readState']>,
  project: string,
  goals: StateParts['goals'],
): Promise<{ found: readonly Disagreement[]; remarks: string[] }> {
  const until = Date.now() + (running ? patience : 0);
  for (;;) {
    const text = readState(project);
    let heard: StateAudit = { found: [], behind: [...goals.keys()] };
    if (text !== undefined) {
      const lastSeq = log.lastSeq();
      const goalAt = (goal: string, seq: number): GoalView | undefined => foldUntil(log, goal, seq);
      heard = auditState({ project, text, goals, goalAt, lastSeq });
    }
    const settled = heard.found.length === 0 && heard.behind.length === 0;
    if (settled || Date.now() >= until) {
      const behind = heard.behind.slice(0, LISTED).join(', ');
      const remark =
        text === undefined
          ? `${project} has no STATE.yaml.`
          : `The STATE.yaml of ${project} does not show the latest of ${behind} yet.`;
      return { found: heard.found, remarks: heard.behind.length === 0 ? [] : [remark] };
    }
    await delay(PAUSE);
  }
}

function foldUntil(log: Log, id: string, seq: number): GoalView | undefined {
  const fold = new GoalFold();
  let goal: GoalView | undefined;
  for (const entry of log.events({ goal: id, until: seq })) goal = fold.fold(entry)?.goal;
  return goal;
}
