/**
 * Auto-Claude's `implementation_plan.json`: phases that wait for phases, with subtasks. Within a phase subtasks
 * go one after the other, unless the phase says that they are safe side by side. Several generations of the format
 * are about: `chunks` for subtasks, `title` for `feature`, phases named by number, id or name.
 */
import { z } from 'zod';
import { idSchema, inputOf, listOf, oneLine, readState, textSchema } from './fields.js';
import type { Draft, Finding, Item, ItemNeed, ReadOptions, State } from './item.js';
import { readAs } from './read-as.js';

const verificationSchema = z.looseObject({
  type: textSchema,
  command: textSchema,
  run: textSchema,
  expected: z.unknown().optional(),
});

const subtaskSchema = z.looseObject({
  id: idSchema.nullish(),
  subtask_id: idSchema.nullish(),
  chunk_id: idSchema.nullish(),
  title: textSchema,
  name: textSchema,
  description: textSchema,
  status: textSchema,
  service: textSchema,
  depends_on: listOf(idSchema),
  dependencies: listOf(idSchema),
  files_to_modify: listOf(z.string()),
  files_to_create: listOf(z.string()),
  patterns_from: listOf(z.string()),
  expected_output: textSchema,
  verification: z
    .preprocess(
      (value) => (typeof value === 'string' ? { command: value } : value),
      verificationSchema,
    )
    .nullish(),
});
type Subtask = z.output<typeof subtaskSchema>;

const phaseSchema = z.looseObject({
  id: idSchema.nullish(),
  phase: idSchema.nullish(),
  name: textSchema,
  title: textSchema,
  description: textSchema,
  depends_on: listOf(idSchema),
  dependencies: listOf(idSchema),
  parallel_safe: z.boolean().nullish(),
  subtasks: z.array(subtaskSchema).nullish(),
  chunks: z.array(subtaskSchema).nullish(),
});
type Phase = z.output<typeof phaseSchema>;

const planSchema = z.looseObject({
  feature: textSchema,
  title: textSchema,
  phases: z.array(phaseSchema),
});

const STATES = {
  pending: 'open',
  blocked: 'open',
  completed: 'done',
  done: 'done',
  skipped: 'dropped',
  cancelled: 'dropped',
  'in-progress': 'restart',
  failed: 'restart',
} as const;

interface Step {
  readonly name: string;
  readonly where: string;
  readonly subtask: Subtask;
  readonly state: State;
}

export function readAutoClaude(value: unknown, { file, fallbackTitle }: ReadOptions): Draft {
  const findings: Finding[] = [];
  const plan = readAs(planSchema, value, '', { file, findings });
  const steps = new Map(
    plan.phases.map((phase, index) => [phase, stepsOf(phase, index, findings)]),
  );
  const resolve = phaseNames(plan.phases);
  const items = plan.phases.flatMap((phase, index) => {
    const before = phaseNeeds(phase, index, resolve, steps, findings);
    return phaseItems(phase, steps.get(phase)!, before);
  });
  return { title: plan.feature ?? plan.title ?? fallbackTitle, items, findings };
}

function stepsOf(phase: Phase, index: number, findings: Finding[]): Step[] {
  if (phase.subtasks && phase.chunks) {
    const message = `phase ‘${titleOf(phase, index)}’ has subtasks and chunks`;
    const where = `phases[${index}].chunks`;
    findings.push({ kind: 'value', where, message, done: 'The chunks are left out.' });
  }
  const [key, subtasks] = phase.subtasks
    ? (['subtasks', phase.subtasks] as const)
    : (['chunks', phase.chunks ?? []] as const);
  return subtasks.map((subtask, position) => {
    const id = subtask.id ?? subtask.subtask_id ?? subtask.chunk_id;
    const place = `phases[${index}].${key}[${position}]`;
    const name = id ?? `phase-${phase.id ?? phase.phase ?? index + 1}-${position + 1}`;
    if (id == null) {
      const message = `a subtask of phase ‘${titleOf(phase, index)}’ has no id`;
      findings.push({ kind: 'value', where: place, message, done: `It is called ‘${name}’.` });
    }
    const where = `${place} (${name})`;
    const state = readState(subtask.status, STATES, where, name, findings);
    return { name, where, subtask, state };
  });
}

/** Finds a phase by whichever of its names is used. */
function phaseNames(phases: readonly Phase[]): (name: string) => Phase | undefined {
  const ids = new Map<string, Phase>();
  // Later entries are weaker: an id counts more than a place in the list.
  const add = (name: string | null | undefined, phase: Phase): void => {
    if (name != null && !ids.has(name)) ids.set(name, phase);
  };
  for (const phase of phases) add(phase.id, phase);
  for (const phase of phases) add(phase.phase, phase);
  for (const phase of phases) add(phase.name ?? phase.title, phase);
  for (const [index, phase] of phases.entries()) add(String(index + 1), phase);
  return (name) => ids.get(name) ?? ids.get(`phase-${name}`);
}

/** What every subtask of a phase waits for. A phase that has nothing to do passes on what it waits for itself. */
function phaseNeeds(
  phase: Phase,
  index: number,
  resolve: (name: string) => Phase | undefined,
  steps: ReadonlyMap<Phase, readonly Step[]>,
  findings: Finding[],
): ItemNeed[] {
  const needs: ItemNeed[] = [];
  const where = `phases[${index}].depends_on`;
  for (const name of dependenciesOf(phase)) {
    const needed = resolve(name);
    if (!needed || needed === phase) {
      const what = needed ? 'itself' : `‘${name}’, which is not in the file`;
      const message = `phase ‘${titleOf(phase, index)}’ waits for ${what}`;
      const kind = needed ? 'circular' : 'dangling';
      findings.push({ kind, where, message, done: 'The dependency is left out.' });
    }
  }
  const seen = new Set([phase]);
  const queue = [phase];
  for (let at = 0; at < queue.length; at += 1) {
    for (const name of dependenciesOf(queue[at]!)) {
      const needed = resolve(name);
      if (!needed || seen.has(needed)) continue;
      seen.add(needed);
      const own = steps.get(needed)!;
      if (own.length === 0) queue.push(needed);
      for (const step of endsOf(needed, own))
        needs.push({ name: step.name, where, of: titleOf(phase, index) });
    }
  }
  return needs;
}

const dependenciesOf = ({ depends_on: first, dependencies }: Phase): string[] => [
  ...first,
  ...dependencies,
];

/** The subtasks after which a phase is over: where they form a row, the last one that is not done. */
function endsOf({ parallel_safe: parallel }: Phase, steps: readonly Step[]): readonly Step[] {
  const left = steps.filter(({ state }) => state !== 'done');
  return parallel === true ? left : left.slice(-1);
}

function phaseItems(phase: Phase, steps: readonly Step[], before: readonly ItemNeed[]): Item[] {
  let previous: Step | undefined;
  return steps.map((step): Item => {
    const { name, where, subtask, state } = step;
    const inRow = phase.parallel_safe !== true && previous !== undefined;
    const row = inRow ? [{ name: previous!.name, where }] : before;
    const own = [...subtask.depends_on, ...subtask.dependencies].map((need) => ({
      name: need,
      where: `${where}.depends_on`,
    }));
    if (state !== 'done') previous = step;
    return {
      name,
      where,
      title: subtask.title ?? subtask.name ?? firstLine(subtask.description) ?? name,
      needs: [...row, ...own],
      state,
      work: workOf(subtask, phase),
    };
  });
}

function workOf(subtask: Subtask, phase: Phase): Item['work'] {
  const verification = subtask.verification ?? undefined;
  const command = verification?.command ?? verification?.run;
  const isCommand = verification && (verification.type ?? 'command') === 'command';
  // With an expected text the exit status proves nothing: the agent reads both instead.
  const isProof = isCommand && command !== undefined && verification.expected == null;
  return {
    with: inputOf({
      description: subtask.description ?? subtask.title ?? subtask.name,
      phase: phase.name ?? phase.title,
      service: subtask.service,
      filesToModify: subtask.files_to_modify,
      filesToCreate: subtask.files_to_create,
      patternsFrom: subtask.patterns_from,
      expectedOutput: subtask.expected_output,
      verification: isProof ? undefined : verification,
    }),
    ...(isProof && { check: { run: command } }),
  };
}

const titleOf = ({ id, phase, name, title }: Phase, index: number): string =>
  name ?? title ?? id ?? phase ?? String(index + 1);

const firstLine = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : oneLine(text.split('\n', 1)[0]!).slice(0, 200);
