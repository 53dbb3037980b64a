/** What people ask about goals' branches and worktrees. Reads the repositories themselves; nothing in them moves. */
import { DroverError, messageOf } from '../../core/errors.js';
import type { GoalView } from '../../core/goal.js';
import { noGoalBranch } from '../../workspace/branches.js';
import { type Diff, diffBetween, diffOf, type TaskDiff } from '../../workspace/diff.js';
import { inspectWorktrees, type WorktreeReport } from '../../workspace/inspect.js';
import { prepareLanding } from '../../workspace/land.js';
import { type GoalLine, lineOf } from '../../workspace/line.js';
import { requireNoOtherOwner } from '../../workspace/owner.js';
import { type Pruned, pruneWorktrees } from '../../workspace/prune.js';
import { type MergedKept, mergedKept } from '../../workspace/prune-kept.js';
import { emptyTree } from '../../workspace/trees.js';
import { landingFiles } from './landing-files.js';
import type { OpenProject } from './projects.js';
import { openExisting, type ProjectsFolder } from './registering.js';
import { landingRefusal } from './refusal-text.js';

/** What is known of one project; another one may not be reachable. */
export type Of<T> =
  | { readonly project: string; readonly found: T; readonly problem?: never }
  | { readonly project: string; readonly found?: never; readonly problem: string };

export const worktreesIn = (
  place: ProjectsFolder,
  projects: readonly string[],
): Promise<Of<readonly WorktreeReport[]>[]> =>
  inEach(projects, async (name) => inspectWorktrees((await openExisting(place, name)).repository));

export const pruneIn = (
  place: ProjectsFolder,
  projects: readonly string[],
): Promise<Of<Pruned>[]> =>
  inEach(projects, async (name) => pruneWorktrees((await openExisting(place, name)).repository));

export const mergedKeptIn = (
  place: ProjectsFolder,
  projects: readonly string[],
): Promise<Of<readonly MergedKept[]>[]> =>
  inEach(projects, async (name) => mergedKept((await openExisting(place, name)).repository));

async function inEach<T>(
  projects: readonly string[],
  look: (name: string) => Promise<T>,
): Promise<Of<T>[]> {
  const answers: Of<T>[] = [];
  for (const project of projects) {
    try {
      answers.push({ project, found: await look(project) });
    } catch (error) {
      answers.push({ project, problem: messageOf(error) });
    }
  }
  return answers;
}

/** Those of these projects whose goals land without being asked about. One that cannot be read is not among them. */
export async function landingAlone(
  place: ProjectsFolder,
  projects: readonly string[],
): Promise<ReadonlySet<string>> {
  const answers = await inEach([...new Set(projects)], async (name) => openExisting(place, name));
  return new Set(
    answers.flatMap(({ project, found }) => (found?.settings.land === 'auto' ? [project] : [])),
  );
}

/** The projects as one log sees them; undefined where it has no id yet. */
export type LogPlace = ProjectsFolder & { readonly log: string | undefined };

/** @throws DroverError `hindered` where another log works there by now, whose goals have the same numbers */
async function openOwn(place: LogPlace, { project }: GoalView): Promise<OpenProject> {
  const opened = await openExisting(place, project);
  await requireNoOtherOwner(opened.repository, place.log);
  return opened;
}

/** @throws DroverError `not-found` where the goal has no branch, as `openOwn` */
export async function goalLine(place: LogPlace, goal: GoalView): Promise<GoalLine> {
  const { repository } = await openOwn(place, goal);
  const line = await lineOf(repository, goal.id, [...goal.tasks.keys()]);
  if (line) return line;
  throw noGoalBranch(goal.project, goal.id);
}

/** What a goal changed since its start. @throws DroverError `not-found`, as `openOwn` */
export async function goalDiff(place: LogPlace, goal: GoalView): Promise<Diff> {
  const { repository } = await openOwn(place, goal);
  const line = await lineOf(repository, goal.id, []);
  if (!line) throw noGoalBranch(goal.project, goal.id);
  return diffBetween(repository, line.start, line.tip);
}

/** What a task changed: merged, under way or left behind. @throws DroverError `not-found`, as `openOwn` */
export async function taskDiff(place: LogPlace, goal: GoalView, task: string): Promise<TaskDiff> {
  const { repository } = await openOwn(place, goal);
  const diff = await diffOf(repository, goal.id, task);
  if (diff) return diff;
  throw new DroverError(
    'not-found',
    `${task} has changed no files.`,
    `Its state is ${goal.tasks.get(task)!.state}; \`drover graph ${goal.id}\` shows what is there.`,
  );
}

export interface LandingPreview {
  /** The branch that the goal lands in. */
  readonly base: string;
  /** What changes there; undefined where it cannot land as things are. */
  readonly diff?: Diff;
  /** Why it cannot. */
  readonly obstacle?: string;
}

/** What would land now. Adds objects to the repository, and nothing that names them. */
export async function previewLanding(place: LogPlace, goal: GoalView): Promise<LandingPreview> {
  const project = await openOwn(place, goal);
  const { repository, settings } = project;
  const { base } = repository;
  const prepared = await prepareLanding(repository, {
    goal: goal.id,
    // Where only a fast-forward is wanted, the goal is brought up to date first: the same files in the end.
    merge: 'merge-commit',
    subject: `Land ${goal.id}`,
    files: await landingFiles(goal.id, project),
    author: settings.author,
  });
  switch (prepared.kind) {
    case 'ready': {
      const { from, to } = prepared.landing;
      const before = from ?? (await emptyTree(repository));
      return { base, diff: await diffBetween(repository, before, to) };
    }
    case 'landed':
      return {
        base,
        diff: { from: prepared.commit, to: prepared.commit, files: [], text: '', isCut: false },
      };
    case 'not-fast-forward':
      throw new Error('no fast-forward was asked for');
    default:
      return { base, obstacle: landingRefusal(prepared, goal.id, base) };
  }
}
