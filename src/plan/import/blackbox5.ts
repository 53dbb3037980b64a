/**
 * The task queue of blackbox5: a YAML list in which each task names what blocks it, what it blocks, and a wave.
 * The two ends of an edge often disagree. `blockedBy` counts; an edge that only `blocks` names is taken over
 * unless it closes a circle. Waves are barriers, which Drover has no need of: they are compared and left out.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import {
  idSchema,
  inputOf,
  isMap,
  listOf,
  ownIdSchema,
  readPriority,
  readState,
  textSchema,
} from './fields.js';
import type { Draft, Finding, Item, ReadOptions } from './item.js';
import { firstById, readAs, withId } from './read-as.js';

const taskSchema = z.looseObject({
  id: ownIdSchema,
  type: textSchema,
  status: textSchema,
  priority: textSchema,
  priority_score: z.number().nullish(),
  title: textSchema,
  description: textSchema,
  estimated_minutes: z.number().min(0).nullish(),
  blockedBy: listOf(idSchema),
  blocks: listOf(idSchema),
  resource_type: textSchema,
  parallel_group: textSchema,
  goal: textSchema,
});
type Task = z.output<typeof taskSchema> & { readonly id: string };

const queueSchema = z.looseObject({ tasks: z.array(taskSchema) });

const STATES = {
  pending: 'open',
  blocked: 'open',
  completed: 'done',
  done: 'done',
  cancelled: 'dropped',
  archived: 'dropped',
  'in-progress': 'restart',
  claimed: 'restart',
} as const;

const MINUTE = 60_000;

export function readBlackbox5(value: unknown, { file, fallbackTitle }: ReadOptions): Draft {
  const findings: Finding[] = [];
  const reading = { file, findings };
  const tasks = readAs(queueSchema, value, '', reading).tasks.map((task, index) => {
    const place = `tasks[${index}]`;
    return withId(task, place, place, reading);
  });
  compareCounts(value, tasks, findings);
  const where = new Map(tasks.map(({ id }, index) => [id, `tasks[${index}] (${id})`]));
  const byId = firstById(tasks);
  const edges = edgesOf(tasks, byId, where, findings);
  compareWaves(tasks, edges, where, findings);
  const items = tasks.map((task, index): Item => {
    const place = `tasks[${index}] (${task.id})`;
    // A second task of the id has the needs that it names itself.
    const isSame = isDeepStrictEqual(task.blockedBy, byId.get(task.id)!.blockedBy);
    const needs = [...(isSame ? edges.get(task.id)! : new Set(task.blockedBy))];
    return {
      name: task.id,
      where: place,
      title: task.title ?? task.id,
      needs: needs.map((name) => ({ name, where: `${place}.blockedBy` })),
      state: readState(task.status, STATES, place, task.id, findings),
      work: {
        with: inputOf({
          title: task.title,
          description: task.description,
          type: task.type,
          goal: task.goal,
          resourceType: task.resource_type,
        }),
      },
      priority: readPriority(task.priority, place, findings),
      expected: task.estimated_minutes ? Math.round(task.estimated_minutes * MINUTE) : undefined,
    };
  });
  return { title: fallbackTitle, items, findings };
}

/** For each task, the ids that it waits for. */
function edgesOf(
  tasks: readonly Task[],
  byId: ReadonlyMap<string, Task>,
  where: ReadonlyMap<string, string>,
  findings: Finding[],
): Map<string, Set<string>> {
  const edges = new Map([...byId].map(([id, { blockedBy }]) => [id, new Set(blockedBy)]));
  for (const { id, blockedBy } of tasks) {
    for (const need of blockedBy) {
      const needed = byId.get(need);
      if (!needed || needed.blocks.includes(id)) continue;
      const message = `‘${id}’ is blocked by ‘${need}’, which does not list it under ‘blocks’`;
      oneSided(`${where.get(id)}.blockedBy`, message, 'The need is imported.', findings);
    }
  }
  for (const { id, blocks } of tasks) {
    for (const blocked of blocks) {
      const place = `${where.get(id)}.blocks`;
      const needs = edges.get(blocked);
      if (!needs) {
        const message = `‘${id}’ blocks ‘${blocked}’, which is not in the file`;
        findings.push({ kind: 'dangling', where: place, message, done: 'The edge is left out.' });
      } else if (!needs.has(id)) {
        const message = `‘${id}’ blocks ‘${blocked}’, which does not list it under ‘blockedBy’`;
        if (leadsTo(id, blocked, edges)) {
          const done = 'It would close a circle and is left out.';
          findings.push({ kind: 'circular', where: place, message, done });
        } else {
          needs.add(id);
          oneSided(place, message, 'The need is imported.', findings);
        }
      }
    }
  }
  return edges;
}

function oneSided(where: string, message: string, done: string, findings: Finding[]): void {
  findings.push({ kind: 'one-sided', where, message, done });
}

/** Whether `from` waits for `to`, however indirectly. */
function leadsTo(
  from: string,
  to: string,
  edges: ReadonlyMap<string, ReadonlySet<string>>,
): boolean {
  const seen = new Set([from]);
  for (const id of seen) {
    if (id === to) return true;
    for (const need of edges.get(id) ?? []) seen.add(need);
  }
  return false;
}

function compareWaves(
  tasks: readonly Task[],
  edges: ReadonlyMap<string, ReadonlySet<string>>,
  where: ReadonlyMap<string, string>,
  findings: Finding[],
): void {
  const wave = new Map(tasks.map((task) => [task.id, waveOf(task)]));
  for (const { id, parallel_group: group } of tasks) {
    const place = `${where.get(id)}.parallel_group`;
    if (group !== undefined && wave.get(id) === undefined) {
      const alone = group.toLowerCase() === 'sequential';
      const message = alone
        ? `‘${id}’ is to run alone`
        : `‘${id}’ is in the unknown group ‘${group}’`;
      const done = 'The group is left out: the task runs when its needs are done.';
      findings.push({ kind: alone ? 'unsupported' : 'wave', where: place, message, done });
    }
    for (const need of edges.get(id) ?? []) {
      const [own, other] = [wave.get(id), wave.get(need)];
      if (own === undefined || other === undefined || other < own) continue;
      const message = `‘${id}’ is in wave ${own} and waits for ‘${need}’ in wave ${other}`;
      const done = 'The dependency counts; waves are left out.';
      findings.push({ kind: 'wave', where: place, message, done });
    }
  }
}

function waveOf({ parallel_group: group }: Task): number | undefined {
  const [, number] = /^wave_(\d{1,6})$/i.exec(group ?? '') ?? [];
  return number === undefined ? undefined : Number(number);
}

/** What the head of the file says about the tasks in it. */
function compareCounts(value: unknown, tasks: readonly Task[], findings: Finding[]): void {
  const head = isMap(value) && isMap(value['schema']) ? value['schema'] : {};
  const actual: Record<string, number> = { total_tasks: tasks.length };
  for (const state of ['completed', 'in_progress', 'pending']) {
    actual[state] = tasks.filter(({ status }) => status === state).length;
  }
  for (const [key, number] of Object.entries(actual)) {
    const said = head[key];
    if (typeof said !== 'number' || said === number) continue;
    const message = `the file says ${said} and has ${number}`;
    findings.push({ kind: 'value', where: `schema.${key}`, message, done: 'The tasks count.' });
  }
}
