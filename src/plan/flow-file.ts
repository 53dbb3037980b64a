/**
 * Flow files: plans written by hand, in YAML. Reading one names everything that is wrong with it, each with
 * its place and a remedy; only mistakes in the YAML itself hide what stands behind them. Sizes, nesting and
 * aliases are bounded, so a file from anywhere may be read.
 */
import { Buffer } from 'node:buffer';
import { type Approval, type PlannedTask, plannedTaskSchema, type Priority } from '../core/plan.js';
import { addIssues, complaint, subject } from './issues.js';
import { resolveParameters } from './parameters.js';
import { FlowProblems, type Problem, ProblemList, quote } from './problems.js';
import { flowSchema } from './schema.js';
import { referencesIn, substitute, substituteJson, substituteTexts } from './substitute.js';
import { nearest } from './suggest.js';
import { isRecord, mistakeIn, readTasks, type References } from './task-source.js';
import { readTextFile, tooLarge } from './text-file.js';
import { expandTasks, type Variant } from './variants.js';
import { parseSyntax } from './yaml-syntax.js';
import { buildValue, type LocatedValue } from './yaml-value.js';

/** Bytes of a flow file. */
const MAX_SIZE = 4 * 1024 * 1024;

/** A plan, and what its goal is called. */
export interface Flow {
  readonly title: string;
  /** The caller decides where the file names none. */
  readonly project?: string;
  readonly priority: Priority;
  /** A person has to agree before the plan starts. */
  readonly approve?: Approval;
  readonly tasks: PlannedTask[];
}

export interface FlowOptions {
  /** The file's name in problems. */
  readonly file: string;
  /** Values of the flow's parameters. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Capabilities that agents have; any other one is worth a warning. */
  readonly knownCapabilities?: readonly string[];
  /** True for tasks that are added to a goal: their needs may name its tasks, which the file does not know. */
  readonly isAddition?: boolean;
}

/** A flow, and what its author should know although it can run. */
export interface ParsedFlow {
  readonly flow: Flow;
  readonly warnings: Problem[];
}

/**
 * Reads a flow from its text.
 * @throws FlowProblems with everything that is wrong; DroverError `too-large` beyond 4 MiB
 */
export function parseFlow(text: string, options: FlowOptions): ParsedFlow {
  if (Buffer.byteLength(text) > MAX_SIZE) throw tooLarge(options.file, MAX_SIZE);
  const problems = new ProblemList();
  const warnings = new ProblemList();
  const syntax = parseSyntax(text.replace(/^\uFEFF/, ''), problems);
  for (const { offset, message } of syntax.warnings) {
    warnings.add(offset, message, 'The tag has no meaning here; remove it.');
  }
  const value = syntax.document && buildValue(syntax.document, syntax.lines, problems);
  const flow = value && readValue(value, options, problems, warnings);
  const place = (offset: number) => syntax.lines.linePos(offset);
  const warned = warnings.toProblems(options.file, place);
  if (flow && problems.size === 0) return { flow, warnings: warned };
  throw new FlowProblems(problems.toProblems(options.file, place), warned);
}

/**
 * Reads a flow file.
 * @throws FlowProblems as `parseFlow` does; DroverError where the file is missing, unreadable, too large or no text
 */
export async function readFlow(
  path: string,
  options: Partial<FlowOptions> = {},
): Promise<ParsedFlow> {
  return parseFlow(await readTextFile(path, MAX_SIZE), { file: path, ...options });
}

function readValue(
  file: LocatedValue,
  { parameters = {}, knownCapabilities, isAddition = false }: FlowOptions,
  problems: ProblemList,
  warnings: ProblemList,
): Flow | undefined {
  if (!isRecord(file.value)) {
    const what =
      file.value === null ? 'the file is empty' : 'a flow file is a map, and this is not';
    problems.add(file.offsetOf([]), what, 'Begin with `name:` and `tasks:`.');
    return undefined;
  }
  const written = flowSchema.safeParse(file.value, { reportInput: true });
  addIssues(written.error?.issues ?? [], [], file, problems);
  if (isAddition) refuseOfGoal(file.value, file, problems);
  const references = readParameters(file, parameters, problems);
  const title = readTitle(file, references, problems);
  const sources = readTasks(references, file, problems);
  const variants = sources && expandTasks(sources, references.values, file, problems, isAddition);
  const limits = new Map<string, PlannedTask>();
  const tasks = (variants ?? []).flatMap((variant) => {
    const task = planTask(variant, file, problems);
    if (task) checkKeyLimit(task, variant, limits, file, problems);
    if (task && knownCapabilities) {
      warnOfCapability(task, variant, knownCapabilities, file, warnings);
    }
    return task ? [task] : [];
  });
  if (!written.success) return undefined;
  const { project, priority, approve } = written.data;
  return {
    title,
    ...(project !== undefined && { project }),
    priority,
    ...(approve !== undefined && { approve }),
    tasks,
  };
}

/** What a goal under way has already, and would silently keep. */
function refuseOfGoal(
  value: Readonly<Record<string, unknown>>,
  file: LocatedValue,
  problems: ProblemList,
): void {
  for (const key of ['approve', 'priority', 'project']) {
    if (value[key] === undefined) continue;
    const remedy =
      key === 'project'
        ? 'Remove it: the tasks join the project of their goal.'
        : `Write ${quote(key)} at each task that is to have it.`;
    problems.add(
      file.offsetOf([key], true),
      `${quote(key)} is said of a goal that is under way`,
      remedy,
    );
  }
}

function readParameters(
  file: LocatedValue,
  given: Readonly<Record<string, string>>,
  problems: ProblemList,
): References {
  const raw = isRecord(file.value) ? file.value['parameters'] : undefined;
  const declared = isRecord(raw) ? raw : {};
  const values = resolveParameters(declared, given, file, problems);
  return { declared: Object.keys(declared), values };
}

function readTitle(file: LocatedValue, references: References, problems: ProblemList): string {
  const name = isRecord(file.value) ? file.value['name'] : undefined;
  if (typeof name !== 'string') return '';
  for (const reference of referencesIn(name)) {
    const wrong = mistakeIn(reference, references.declared, []);
    if (wrong) problems.add(file.offsetOf(['name']), wrong.message, wrong.remedy);
  }
  const title = substitute(name, { parameters: references.values, matrix: new Map() });
  const checked = flowSchema.shape.name.safeParse(title, { reportInput: true });
  addIssues(checked.error?.issues ?? [], ['name'], file, problems);
  return title;
}

function planTask(
  { name, source, scope, needs }: Variant,
  file: LocatedValue,
  problems: ProblemList,
): PlannedTask | undefined {
  if (!source.written) return undefined;
  const { matrix: _, with: input, check, capability, ...rest } = source.written;
  // A task without either was reported when it was read.
  const skill = capability ?? (rest.run === undefined ? undefined : 'shell');
  if (skill === undefined) return undefined;
  const planned = plannedTaskSchema.safeParse(
    {
      ...substituteTexts(
        { ...rest, capability: skill, check: typeof check === 'string' ? { run: check } : check },
        scope,
      ),
      ...(input && { with: substituteJson(input, scope) }),
      name,
      needs,
    },
    { reportInput: true },
  );
  for (const issue of planned.error?.issues ?? []) {
    if (issue.path[0] === 'name') {
      // The name is the task's key in the file.
      const what = complaint(issue);
      const message = `${subject(source.path)} ${what}`;
      const remedy = 'Give the task an id of 1 to 200 letters that can be printed.';
      problems.add(file.offsetOf(source.path, true), message, remedy, what);
    } else {
      addIssues([issue], source.path, file, problems);
    }
  }
  return planned.data;
}

/** A key has one limit in a plan; the variants of a matrix are complained about once. */
function checkKeyLimit(
  task: PlannedTask,
  { source }: Variant,
  limits: Map<string, PlannedTask>,
  file: LocatedValue,
  problems: ProblemList,
): void {
  const { concurrency } = task;
  if (!concurrency) return;
  const { key, limit } = concurrency;
  const first = limits.get(key);
  limits.set(key, first ?? task);
  if (!first || first.concurrency!.limit === limit) return;
  problems.add(
    file.offsetOf([...source.path, 'concurrency'], true),
    `task ${quote(task.name)} allows ${limit} of ${quote(key)} at once, and ${quote(first.name)} allows ${first.concurrency!.limit}`,
    'Give every task with this key the same limit.',
  );
}

function warnOfCapability(
  { capability }: PlannedTask,
  { source }: Variant,
  known: readonly string[],
  file: LocatedValue,
  warnings: ProblemList,
): void {
  if (known.includes(capability)) return;
  const likely = nearest(capability, known);
  warnings.add(
    file.offsetOf([...source.path, 'capability']),
    `no known agent has the capability ${quote(capability)}`,
    `${likely ? `Did you mean ${quote(likely)}? ` : ''}The goal waits until such an agent is started.`,
  );
}
