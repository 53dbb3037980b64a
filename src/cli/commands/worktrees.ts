/** `drover worktrees`, `drover prune`: the folders that tasks work in. */
import { counted } from '../../core/counted.js';
import type { WorktreeReport } from '../../workspace/inspect.js';
import { mergedKeptIn, pruneIn, worktreesIn } from '../../engine/workspaces/looking.js';
import { projectNames } from '../../engine/workspaces/registering.js';
import { defineDroverCommand } from '../command.js';
import { EXIT, type ExitCode } from '../exit.js';
import type { Globals } from '../globals.js';
import { print, printJson, remark } from '../output.js';
import { projectsOf } from '../projects.js';
import { formatDuration } from '../render/duration.js';
import { formatSize } from '../render/size.js';
import { cell, renderTable } from '../render/table.js';
import { oneLine } from '../render/text.js';

const project = {
  type: 'string',
  valueHint: 'NAME',
  description: 'Only of this project',
} as const;

export const worktreesCommand = defineDroverCommand({
  name: 'worktrees',
  description: 'List the worktrees of tasks: whose they are, how large, and why each is kept',
  args: { project },
  examples: [
    { run: 'drover worktrees', what: 'Shows those of all projects.' },
    { run: 'drover worktrees --project shop --json', what: 'Those of one, for programs.' },
  ],
  async run({ args, globals }) {
    const { reports, problems } = await lookAt(globals, args.project);
    if (globals.json) printJson({ worktrees: reports.map(plain), problems });
    else {
      show(reports);
      if (reports.length === 0) print('There are no worktrees.');
      if (reports.some(({ isSafe }) => isSafe)) print('`drover prune` removes what is safe to.');
    }
    return ended(problems, globals);
  },
});

export const pruneCommand = defineDroverCommand({
  name: 'prune',
  description:
    'Remove worktrees, and references to unmerged work, whose work is proven to be elsewhere; all others are kept',
  args: {
    project,
    'dry-run': { type: 'boolean', description: 'Only say what would be removed' },
  },
  examples: [
    { run: 'drover prune --dry-run', what: 'Shows what would be removed.' },
    { run: 'drover prune', what: 'Removes it: merged, kept by a reference, or without a change.' },
  ],
  async run({ args, globals }) {
    if (args['dry-run']) {
      const { reports, problems } = await lookAt(globals, args.project);
      const safe = reports.filter(({ isSafe }) => isSafe);
      const names = await namesFor(globals, args.project);
      const merged = await mergedKeptIn(projectsOf(globals), names);
      const references = merged.flatMap(({ found }) => found?.map(({ ref }) => ref) ?? []);
      if (globals.json) printJson({ wouldRemove: safe.map(plain), references, problems });
      else {
        show(safe);
        print(`${safe.length} of ${counted(reports.length, 'worktree')} can be removed.`);
        showReferences(references, 'can be removed');
      }
      return ended(problems, globals);
    }
    const answers = await pruneIn(projectsOf(globals), await namesFor(globals, args.project));
    const problems = problemsOf(answers);
    const pruned = answers.flatMap(({ found }) => found ?? []);
    const removed = pruned.flatMap((one) => one.removed);
    const kept = pruned.flatMap((one) => one.kept);
    const leftovers = pruned.flatMap((one) => one.zombies);
    const references = pruned.flatMap((one) => one.references);
    if (globals.json) {
      const worktrees = { removed: removed.map(plain), kept: kept.map(plain) };
      printJson({ ...worktrees, leftovers, references, problems });
    } else {
      show(removed);
      const size = formatSize(removed.reduce((sum, one) => sum + one.size, 0));
      print(`${counted(removed.length, 'worktree')} removed (${size}), ${kept.length} kept.`);
      if (leftovers.length > 0) print(`${counted(leftovers.length, 'leftover')} in .git removed.`);
      showReferences(references, 'removed');
    }
    return ended(problems, globals);
  },
});

function showReferences(references: readonly string[], what: string): void {
  if (references.length === 0) return;
  print(`${counted(references.length, 'reference')} to work that is merged by now ${what}:`);
  for (const ref of references) print(`  ${ref}`);
}

interface Problem {
  readonly project: string;
  readonly problem: string;
}

async function lookAt(
  globals: Globals,
  only: string | undefined,
): Promise<{ reports: WorktreeReport[]; problems: Problem[] }> {
  const answers = await worktreesIn(projectsOf(globals), await namesFor(globals, only));
  return { reports: answers.flatMap(({ found }) => found ?? []), problems: problemsOf(answers) };
}

const namesFor = async ({ projectsDir }: Globals, only: string | undefined): Promise<string[]> =>
  only === undefined ? await projectNames(projectsDir) : [only];

const problemsOf = (
  answers: readonly { readonly project: string; readonly problem?: string }[],
): Problem[] =>
  answers.flatMap(({ project: name, problem }) =>
    problem === undefined ? [] : [{ project: name, problem }],
  );

function ended(problems: readonly Problem[], { json }: Globals): ExitCode {
  if (!json) {
    for (const { project: name, problem } of problems) {
      remark(`Project ${name} cannot be looked at: ${oneLine(problem)}`);
    }
  }
  return problems.length > 0 ? EXIT.badInput : EXIT.done;
}

const plain = ({ adminDir: _adminDir, record, ...report }: WorktreeReport): object => ({
  ...report,
  task: record?.task ?? null,
  goal: record?.goal ?? null,
  claim: record?.claim ?? null,
  owner: record?.owner ?? null,
});

function show(reports: readonly WorktreeReport[]): void {
  if (reports.length === 0) return;
  const rows = reports.map(({ name, project: of, record, age, size, state, isSafe, reason }) => [
    cell(name, 'bold'),
    cell(of),
    cell(record?.goal ?? '?', 'gray'),
    cell(record?.owner ?? '?', 'gray'),
    cell(age === undefined ? '?' : formatDuration(age), 'gray'),
    cell(formatSize(size)),
    cell(state, isSafe ? 'green' : state === 'in-use' ? 'cyan' : 'yellow'),
    cell(oneLine(reason)),
  ]);
  const heading = ['worktree', 'project', 'goal', 'owner', 'age', 'size', 'state', 'why'];
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  for (const line of renderTable(rows, { width, heading })) print(line);
}
