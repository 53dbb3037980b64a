/**
 * WfCommons' WfFormat 1.5: traces of scientific workflows. A trace's programs are not at hand here, so its tasks
 * become work for the capability `workflow`, with the program, its arguments and how long it ran.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { idSchema, inputOf, isMap, listOf, ownIdSchema, quoted, textSchema } from './fields.js';
import type { Draft, Finding, Item, ReadOptions } from './item.js';
import { firstById, readAs, withId } from './read-as.js';

const runSchema = z.looseObject({
  id: ownIdSchema,
  runtimeInSeconds: z.unknown().optional(),
  command: z.looseObject({ program: textSchema, arguments: listOf(z.string()) }).nullish(),
});

type Run = z.output<typeof runSchema>;

const traceSchema = z.looseObject({
  name: textSchema,
  workflow: z.looseObject({
    specification: z.looseObject({
      tasks: z.array(
        z.looseObject({
          id: ownIdSchema,
          name: textSchema,
          parents: listOf(idSchema),
          children: listOf(idSchema),
          inputFiles: listOf(z.string()),
          outputFiles: listOf(z.string()),
        }),
      ),
    }),
    execution: z.looseObject({ tasks: listOf(runSchema) }).nullish(),
  }),
});

export function readWfFormat(value: unknown, { file, fallbackTitle }: ReadOptions): Draft {
  refuseOlder(value, file);
  const findings: Finding[] = [];
  const reading = { file, findings };
  const { name, workflow } = readAs(traceSchema, value, '', reading);
  const tasks = workflow.specification.tasks.map(({ name: title, ...task }, index) =>
    withId({ ...task, title }, `tasks[${index}]`, at(index), reading),
  );
  const byId = firstById(tasks);
  const runs = runsOf(workflow.execution?.tasks ?? [], byId, findings);
  tellOfRuntimes(tasks, runs, findings);
  const parents = new Map([...byId].map(([id, task]) => [id, new Set(task.parents)]));
  for (const [index, { id, children, parents: own }] of tasks.entries()) {
    for (const child of children) {
      const needs = parents.get(child);
      if (needs?.has(id)) continue;
      const message = `‘${id}’ names the child ‘${child}’, which ${needs ? 'does not name it as a parent' : 'is not in the file'}`;
      const kind = needs ? 'one-sided' : 'dangling';
      const done = needs ? 'The need is imported.' : 'The edge is left out.';
      findings.push({ kind, where: `${at(index)}.children`, message, done });
      needs?.add(id);
    }
    for (const parent of own) {
      const task = byId.get(parent);
      if (!task || task.children.includes(id)) continue;
      const message = `‘${id}’ names the parent ‘${parent}’, which does not name it as a child`;
      const done = 'The need is imported.';
      findings.push({ kind: 'one-sided', where: `${at(index)}.parents`, message, done });
    }
  }
  const items = tasks.map((task, index): Item => {
    const run = runs.get(task.id);
    const seconds = secondsOf(run);
    // A second task of the id has the needs that it names itself.
    const isSame = isDeepStrictEqual(task.parents, byId.get(task.id)!.parents);
    const needs = isSame ? parents.get(task.id)! : new Set(task.parents);
    return {
      name: task.id,
      where: at(index),
      title: task.title ?? task.id,
      needs: [...needs].map((need) => ({
        name: need,
        where: `${at(index)}.parents`,
      })),
      state: 'open',
      work: {
        with: inputOf({
          program: run?.command?.program,
          arguments: run?.command?.arguments,
          runtimeInSeconds: seconds,
          inputFiles: task.inputFiles,
          outputFiles: task.outputFiles,
        }),
      },
      expected: seconds === undefined ? undefined : Math.round(seconds * 1_000),
    };
  });
  return { title: name ?? fallbackTitle, items, findings };
}

const at = (index: number): string => `workflow.specification.tasks[${index}]`;

/** What is known of each task's run. */
function runsOf(
  written: readonly Run[],
  tasks: ReadonlyMap<string, unknown>,
  findings: Finding[],
): Map<string, Run> {
  const runs = new Map<string, Run>();
  for (const [index, run] of written.entries()) {
    const where = `workflow.execution.tasks[${index}]`;
    const add = (kind: Finding['kind'], message: string): void => {
      findings.push({ kind, where, message, done: 'The run is left out.' });
    };
    if (run.id === undefined) add('value', 'it has no id');
    else if (!tasks.has(run.id)) {
      add('dangling', `${quoted(run.id)} ran, but is not in the specification`);
    } else if (runs.has(run.id)) add('duplicate', `${quoted(run.id)} ran before`);
    else runs.set(run.id, run);
  }
  return runs;
}

const secondsOf = (run: Run | undefined): number | undefined =>
  z.number().min(0).safeParse(run?.runtimeInSeconds).data;

/** A trace that was never run has no runtimes at all, which is one thing to tell. */
function tellOfRuntimes(
  tasks: readonly { readonly id: string }[],
  runs: ReadonlyMap<string, Run>,
  findings: Finding[],
): void {
  const done = 'How long it takes is learned from its runs.';
  if ([...runs.values()].every((run) => run.runtimeInSeconds == null)) {
    const message = 'no task has a runtime';
    findings.push({ kind: 'value', where: 'workflow.execution', message, done });
    return;
  }
  for (const [index, { id }] of tasks.entries()) {
    const run = runs.get(id);
    if (secondsOf(run) !== undefined) continue;
    const written = run?.runtimeInSeconds ?? undefined;
    const what =
      written === undefined
        ? 'has no runtime'
        : `ran for ${quoted(JSON.stringify(written))}, which is no number of seconds`;
    findings.push({ kind: 'value', where: at(index), message: `${quoted(id)} ${what}`, done });
  }
}

/** Until 1.4 tasks stood elsewhere and had other fields. */
function refuseOlder(value: unknown, file: string): void {
  if (!isMap(value) || !isMap(value['workflow'])) return;
  if (isMap(value['workflow']['specification'])) return;
  throw new DroverError(
    'bad-input',
    `${file} has WfFormat ${JSON.stringify(value['schemaVersion'] ?? 'of an unknown version')}; 1.5 is read, which has ‘workflow.specification’.`,
    'Convert it with WfCommons, or take the trace from a newer WfInstances.',
  );
}
