/**
 * Plans of other systems as plans of Drover's: reads the file, finds out its format, and reports whatever does not
 * add up in it. Pure but for reading the file; `docs/imports.md` says what becomes what.
 */
import { basename } from 'node:path';
import { DroverError } from '../../core/errors.js';
import { MAX_GOAL_TITLE } from '../../core/plan.js';
import { type Flow, parseFlow } from '../flow-file.js';
import { readTextFile } from '../text-file.js';
import { assemble, type LeftOut } from './assemble.js';
import { readAutoClaude } from './auto-claude.js';
import { type JsonLine, readBeads } from './beads.js';
import { readBlackbox5 } from './blackbox5.js';
import { detectFormat, type Format, FORMATS, type Source } from './detect.js';
import { readGitHubActions } from './github-actions.js';
import type { Draft, Dropped, Finding, ReadOptions } from './item.js';
import { readSource } from './source.js';
import { readTaskmaster } from './taskmaster.js';
import { readWfFormat } from './wfformat.js';

/** Bytes of a file; traces and issue lists are larger than plans written by hand. */
const MAX_SIZE = 64 * 1024 * 1024;

export interface ImportOptions {
  /** Guessed from the file's shape unless given. */
  readonly format?: Format | undefined;
  /**
   * Capability of the tasks; unless given `workflow` for traces, `shell` for workflows of GitHub, else `developer`. A
   * flow file says itself what its tasks need.
   */
  readonly capability?: string | undefined;
  /** Of a Taskmaster file, the list to read; all unless given. */
  readonly tag?: string | undefined;
}

export interface ImportedPlan {
  readonly format: Format;
  readonly flow: Flow;
  /** Work that was done before: it is not in the plan, and what needs it need not wait. */
  readonly satisfied: readonly LeftOut[];
  /** Work that nobody wants any more or that cannot be done here, and why. */
  readonly dropped: readonly (LeftOut & Dropped)[];
  /** Everything that does not add up, in the order of the file. */
  readonly findings: readonly Finding[];
}

/**
 * Reads a plan of another system, or a flow file.
 * @throws DroverError `bad-input` where it cannot be read or nothing in it is open, `bad-plan` where its needs go
 *   round in a circle, `not-found`, `too-large`; FlowProblems for a flow file
 */
export async function importPlan(path: string, options: ImportOptions = {}): Promise<ImportedPlan> {
  return parsePlan(await readTextFile(path, MAX_SIZE), path, options);
}

/** @param file the file's name, for messages and titles */
export function parsePlan(text: string, file: string, options: ImportOptions = {}): ImportedPlan {
  const source = readSource(text, file, options.format === 'beads');
  const found = detectFormat(source);
  const format = options.format ?? found;
  if (format === undefined) {
    throw new DroverError(
      'bad-input',
      `${file} looks like none of the formats that can be imported.`,
      `They are ${FORMATS.join(', ')}; name one with --format to hear what is wrong.`,
    );
  }
  if (options.tag !== undefined && format !== 'taskmaster') {
    throw new DroverError(
      'bad-input',
      `--tag names a list of a Taskmaster file, and ${file} is read as ${format}.`,
      'Leave --tag out.',
    );
  }
  if (format === 'flow') {
    if (options.capability !== undefined) {
      throw new DroverError(
        'bad-input',
        `--capability is for plans of other systems, and the flow file ${file} names those of its tasks itself.`,
        'Leave --capability out, or change `capability` in the file.',
      );
    }
    const { flow, warnings } = parseFlow(text, { file });
    const findings = warnings.map(({ line, message, remedy }): Finding => ({
      kind: 'value',
      where: `line ${line}`,
      message,
      done: remedy,
    }));
    return { format, flow, satisfied: [], dropped: [], findings };
  }
  const draft = readDraft(source, format, found, {
    file,
    fallbackTitle: titleFrom(file),
    tag: options.tag,
  });
  const capability = options.capability ?? CAPABILITIES[format] ?? 'developer';
  const { tasks, satisfied, dropped, findings } = assemble(draft.items, capability, file);
  if (tasks.length === 0) {
    const count = draft.items.length;
    throw new DroverError(
      'bad-input',
      count === 0
        ? `${file} has no tasks.`
        : `Nothing in ${file} is open: ${satisfied.length} of its ${count} tasks are done, the others are left out.`,
      'There is nothing to import.',
    );
  }
  const title = draft.title.slice(0, MAX_GOAL_TITLE);
  return {
    format,
    flow: { title, priority: 'normal', tasks: [...tasks] },
    satisfied,
    dropped,
    findings: [...draft.findings, ...findings],
  };
}

/** Capabilities of tasks that are no work for a developer. */
const CAPABILITIES: Partial<Record<Format, string>> = {
  wfcommons: 'workflow',
  'github-actions': 'shell',
};

const READERS: Record<
  Exclude<Format, 'flow' | 'beads'>,
  (value: unknown, options: ReadOptions) => Draft
> = {
  taskmaster: readTaskmaster,
  'auto-claude': readAutoClaude,
  blackbox5: readBlackbox5,
  wfcommons: readWfFormat,
  'github-actions': readGitHubActions,
};

function readDraft(
  source: Source,
  format: Exclude<Format, 'flow'>,
  found: Format | undefined,
  options: ReadOptions,
): Draft {
  try {
    if (format === 'beads') return readBeads(linesOf(source), options);
    return READERS[format](source.kind === 'value' ? source.value : source.lines, options);
  } catch (error) {
    if (found === undefined || found === format || !(error instanceof DroverError)) throw error;
    throw new DroverError(
      error.code,
      `This is no file of ${format}: ${error.message}`,
      `It looks like ${found}: use --format ${found}, or leave --format out.`,
      { cause: error },
    );
  }
}

const linesOf = (source: Source): readonly JsonLine[] =>
  source.kind === 'lines' ? source.lines : [{ number: 1, value: source.value }];

function titleFrom(file: string): string {
  const name = basename(file).replace(/\.(json|jsonl|ya?ml)$/i, '');
  return name === '' ? 'Imported plan' : name;
}
