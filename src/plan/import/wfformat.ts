/**
 * WfCommons' WfFormat 1.5: traces of scientific workflows. A trace's programs are not at hand here, so its tasks
 * become work for the capability `workflow`, with the program, its arguments and how long it ran.
 */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { idSchema, inputOf, isMap, listOf, readAs, textSchema } from './fields.js';
import type { Draft, Finding, Item, ReadOptions } from './item.js';

const executionSchema = z.looseObject({
  id: idSchema,
  runtimeInSeconds: z.number().min(0).nullish(),
  command: z.looseObject({ program: textSchema, arguments: listOf(z.string()) }).nullish(),
});

const traceSchema = z.looseObject({
  name: textSchema,
  workflow: z.looseObject({
    specification: z.looseObject({
      tasks: z.array(
        z.looseObject({
          id: idSchema,
          name: textSchema,
          parents: listOf(idSchema),
          children: listOf(idSchema),
          inputFiles: listOf(z.string()),
          outputFiles: listOf(z.string()),
        }),
      ),
    }),
    execution: z.looseObject({ tasks: listOf(executionSchema) }).nullish(),
  }),
});

export function readWfFormat(value: unknown, { fallbackTitle }: ReadOptions): Draft {
  refuseOlder(value);
  const { name, workflow } = readAs(traceSchema, value, '');
  const { tasks } = workflow.specification;
  const runs = new Map((workflow.execution?.tasks ?? []).map((run) => [run.id, run]));
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const findings: Finding[] = [];
  const parents = new Map(tasks.map((task) => [task.id, new Set(task.parents)]));
  const at = (index: number): string => `workflow.specification.tasks[${index}]`;
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
    const seconds = run?.runtimeInSeconds ?? undefined;
    return {
      name: task.id,
      where: at(index),
      title: task.name ?? task.id,
      needs: [...parents.get(task.id)!].map((need) => ({
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

/** Until 1.4 tasks stood elsewhere and had other fields. */
function refuseOlder(value: unknown): void {
  if (!isMap(value) || !isMap(value['workflow'])) return;
  if (isMap(value['workflow']['specification'])) return;
  throw new DroverError(
    'bad-input',
    `The trace has WfFormat ${JSON.stringify(value['schemaVersion'] ?? 'of an unknown version')}; 1.5 is read, which has ‘workflow.specification’.`,
    'Convert it with WfCommons, or take the trace from a newer WfInstances.',
  );
}
