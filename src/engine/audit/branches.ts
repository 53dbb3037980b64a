/**
 * Compares the goals' branches with the log: what the log says is merged is there, once, and nothing else is.
 *
 * It asks for invariants 4 (a task's merge happens once), 5 (a claim that is over holds nothing) and 7 (the commit
 * that was proven is the one on the branch). What is merged and not told yet is no contradiction while somebody is
 * to tell it: the event may be in the stream, or the next claim finds the merge by its trailers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../core/errors.js';
import type { LoggedEvent } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import type { Json } from '../../core/plan.js';
import { goalIds, snapshot } from '../../log/integrity.js';
import type { Log } from '../../log/log.js';
import { loadGoal } from '../../projections/board.js';
import { parseState, STATE_FILE } from '../../projections/state-file.js';
import {
  branchRef,
  claimRef,
  type GoalBranch,
  goalBranch,
  readGoalBranch,
} from '../../workspace/branches.js';
import { isWithin } from '../../workspace/commits.js';
import { isMovedByPeople } from '../../workspace/goal-moves.js';
import { type Merge, mergesOf } from '../../workspace/merges.js';
import { requireNoOtherOwner } from '../../workspace/owner.js';
import { readRef, refsBelow } from '../../workspace/refs.js';
import type { Repository } from '../../workspace/repository.js';
import { fileIn } from '../../workspace/trees.js';
import type { OpenProject, Projects } from '../workspaces/projects.js';
import type { Disagreement } from './disagreement.js';

export interface BranchParts {
  readonly log: Log;
  readonly projects: Projects;
  readonly running: boolean;
  /** Milliseconds. */
  readonly patience: number;
}

export interface BranchAudit {
  readonly found: readonly Disagreement[];
  readonly notes: readonly string[];
}

/** A goal as the log has it, and its merges that were told and not undone. */
export interface ToldGoal {
  readonly goal: GoalView;
  /** The task of each commit. */
  readonly told: ReadonlyMap<string, string>;
}

/** A merge that was told, of a task that was rolled back since. */
interface PerhapsUndone {
  readonly task: string;
  /** The commits that the branch went back to. */
  readonly targets: readonly string[];
}

/** What a repository says about one goal. */
export interface GoalEvidence {
  readonly branch: GoalBranch | undefined;
  /** Newest first. */
  readonly merges: readonly Merge[];
  /** Whether something moved the branch that is neither Drover nor a person in a checkout of it. */
  readonly isMovedByOthers: boolean;
  /** The tasks that a claim holds. */
  readonly held: ReadonlySet<string>;
  /** Whether the base branch has the commit that landed; undefined where none did. */
  readonly hasLanded: boolean | undefined;
  /** STATE.yaml at the branch's tip; null where the project does not want one there. */
  readonly state: string | undefined | null;
}

const PAUSE = 100;
const OVER = new Set(['DONE', 'FAILED', 'CANCELLED']);

export async function auditBranches(parts: BranchParts): Promise<BranchAudit> {
  const { log, projects, running, patience } = parts;
  const found: Disagreement[] = [];
  const notes: string[] = [];
  const unreachable = new Map<string, string>();
  for (const id of goalIds(log.db)) {
    const project = loadGoal(log.db, id)?.project;
    if (project === undefined || unreachable.has(project)) continue;
    const until = Date.now() + (running ? patience : 0);
    try {
      for (;;) {
        const audited = await auditOne(log, projects, id, project);
        if (audited.found.length > 0 && Date.now() < until) {
          await delay(PAUSE);
          continue;
        }
        found.push(...audited.found);
        notes.push(...audited.notes);
        break;
      }
    } catch (error) {
      unreachable.set(project, messageOf(error).trim().split('\n')[0]!);
    }
  }
  for (const [project, why] of unreachable)
    notes.push(`Git was not heard about the project ${project}: ${why}`);
  return { found, notes };
}

async function auditOne(
  log: Log,
  projects: Projects,
  id: string,
  project: string,
): Promise<BranchAudit> {
  if (!(await projects.exists(project))) {
    const known = snapshot(log.db, () => loadGoal(log.db, id))!;
    // Goals without files have no repository, and need none.
    if (!known.merged) return { found: [], notes: [] };
    throw new Error('its repository is not there.');
  }
  const opened = await projects.open(project);
  // Its goals of the same numbers say nothing about this log's.
  await requireNoOtherOwner(opened.repository, log.knownId());
  // Git first: whatever is told of it is there by then, and what is not told yet has a claim to tell it.
  const before = snapshot(log.db, () => loadGoal(log.db, id))!;
  const evidence = await readEvidence(opened, before);
  const { goal, told, perhapsUndone } = snapshot(log.db, () =>
    toldOf(loadGoal(log.db, id)!, log.events({ goal: id })),
  );
  const stayed = await stayedOf(opened.repository, perhapsUndone);
  return compareBranch({ goal, told: new Map([...told, ...stayed]) }, evidence);
}

/** A task that was run again has several merges, and a rollback to between them undoes the later ones alone. */
async function stayedOf(
  repository: Repository,
  perhapsUndone: ReadonlyMap<string, PerhapsUndone>,
): Promise<Map<string, string>> {
  const stayed = new Map<string, string>();
  for (const [commit, { task, targets }] of perhapsUndone) {
    const isIn = await Promise.all(
      // What nothing names any more may be gone altogether.
      targets.map((target) => isWithin(repository, commit, target).catch(() => false)),
    );
    if (isIn.every(Boolean)) stayed.set(commit, task);
  }
  return stayed;
}

/** @param events all of the goal's */
export function toldOf(
  goal: GoalView,
  events: Iterable<LoggedEvent>,
): ToldGoal & { readonly perhapsUndone: ReadonlyMap<string, PerhapsUndone> } {
  const told = new Map<string, string>();
  const perhapsUndone = new Map<string, PerhapsUndone>();
  for (const { event, task } of events) {
    if (event.type === 'task.merged' && task !== undefined) {
      told.set(event.commit, task);
      perhapsUndone.delete(event.commit);
    }
    if (event.type !== 'goal.rolled-back') continue;
    for (const [commit, { task: of, targets }] of perhapsUndone)
      perhapsUndone.set(commit, { task: of, targets: [...targets, event.commit] });
    for (const [commit, of] of told) {
      if (!event.tasks.includes(of)) continue;
      told.delete(commit);
      perhapsUndone.set(commit, { task: of, targets: [event.commit] });
    }
  }
  return { goal, told, perhapsUndone };
}

async function readEvidence(
  { repository, settings }: OpenProject,
  goal: GoalView,
): Promise<GoalEvidence> {
  const branch = await readGoalBranch(repository, goal.id);
  const merges = branch ? await mergesOf(repository, branch) : [];
  const claims = await refsBelow(repository, 'refs/drover/claims/');
  const held = new Set([...goal.tasks.keys()].filter((task) => claims.has(claimRef(task))));
  const wantsState = settings.commitState && merges.length > 0;
  const isElsewhere = branch?.noted !== undefined && branch.noted !== branch.tip;
  return {
    branch,
    merges,
    isMovedByOthers: isElsewhere && !(await isMovedByPeople(repository, branch)),
    held,
    hasLanded: goal.landed === null ? undefined : await isInBase(repository, goal.landed),
    state: wantsState ? await fileIn(repository, branch!.tip, STATE_FILE) : null,
  };
}

async function isInBase(repository: Repository, commit: string): Promise<boolean> {
  const base = await readRef(repository, branchRef(repository.base));
  if (base === undefined) return false;
  const asked = await repository.objects
    .ask(['merge-base', '--is-ancestor', commit, base])
    // A commit that nothing names any more may be gone altogether.
    .catch(() => ({ status: 1 }));
  return asked.status === 0;
}

/** Pure. */
export function compareBranch({ goal, told }: ToldGoal, evidence: GoalEvidence): BranchAudit {
  const { branch, merges, isMovedByOthers, held, hasLanded, state } = evidence;
  const found: Disagreement[] = [];
  const notes: string[] = [];
  const { id } = goal;
  const name = goalBranch(id);
  const differ = (
    task: string | null,
    field: string,
    [log, git]: readonly [Json, Json],
    explanation: string,
  ): void => {
    const values = { log, git };
    found.push({ witnesses: ['log', 'git'], goal: id, task, field, values, explanation });
  };

  if (hasLanded === false)
    differ(null, 'landed', [goal.landed, null], `The base branch lacks what ${id} landed.`);
  if (!branch) {
    // Whoever tidies up removes branches that are merged.
    if (goal.merged && hasLanded) notes.push(`The branch ${name} is gone; ${id} has landed.`);
    else if (goal.merged) differ(null, 'branch', [name, null], `The branch ${name} is gone.`);
    return { found, notes };
  }
  if (goal.rollback !== null)
    notes.push(`${name} is to go back to ${goal.rollback.slice(0, 12)}; that is not done yet.`);

  if (isMovedByOthers) {
    const { noted, tip } = branch;
    const back = `git update-ref ${branchRef(name)} ${noted} ${tip}`;
    const text = `Something other than Drover moved ${name}. It is put back before anything is merged or landed; \`${back}\` does so now.`;
    differ(null, 'branch', [noted!, tip], text);
  }
  for (const { commit, spec } of goal.tasks.values()) {
    if (commit === null) continue;
    const there = merges.filter((merge) => merge.commit === commit);
    if (there.length === 1 && there[0]!.task === spec.id) continue;
    const git = there[0]?.task ?? null;
    differ(spec.id, 'commit', [commit, git], `${name} lacks its merge ${commit.slice(0, 12)}.`);
  }
  for (const { commit, task: of, claim } of merges) {
    if (told.get(commit) === of) continue;
    const task = goal.tasks.get(of);
    const what = `${name} has a merge of its claim ${claim}, ${commit.slice(0, 12)}, that the log lacks.`;
    if (goal.rollback !== null) continue;
    if (!task) differ(of, 'commit', [null, commit], what);
    else if (task.state === 'DONE') differ(of, 'commit', [task.commit, commit], what);
    // Whoever merged it died, and nobody is to tell it any more.
    else if (OVER.has(task.state)) notes.push(`${of} is ${task.state}. ${what}`);
  }
  for (const task of held) {
    const { state: is } = goal.tasks.get(task)!;
    if (is === 'DONE') differ(task, 'claim', [is, 'held'], 'It is DONE, and a claim holds it.');
    else if (OVER.has(is)) notes.push(`${task} is ${is}; a claim that died holds it in git.`);
  }
  if (state !== null) compareState(goal, state, differ, merges);
  return { found, notes };
}

/** A commit's code and state agree: what is merged is DONE in the tip's STATE.yaml. */
function compareState(
  goal: GoalView,
  text: string | undefined,
  differ: (
    task: string | null,
    field: string,
    values: readonly [Json, Json],
    explanation: string,
  ) => void,
  merges: readonly Merge[],
): void {
  let shown: Readonly<Record<string, { readonly state: string }>> = {};
  try {
    shown = (text && parseState(text).goals[goal.id]?.tasks) || {};
  } catch (error) {
    differ(null, STATE_FILE, [goal.id, null], `At the tip: ${messageOf(error)}`);
    return;
  }
  const there = new Set(merges.map(({ commit }) => commit));
  for (const { spec, commit, state } of goal.tasks.values()) {
    if (state !== 'DONE' || commit === null || !there.has(commit)) continue;
    const says = shown[spec.id]?.state;
    if (says === 'DONE') continue;
    const tip = `the ${STATE_FILE} of ${goalBranch(goal.id)}`;
    differ(spec.id, STATE_FILE, [state, says ?? null], `It is merged, and ${tip} says otherwise.`);
  }
}
