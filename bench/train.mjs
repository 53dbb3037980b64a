/** Check runs that a merge train saves: ready tasks tested together, against each one on its own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { openGoalBranch, readGoalBranch } from '../dist/workspace/branches.js';
import { beginClaim } from '../dist/workspace/claims.js';
import { commitTree } from '../dist/workspace/commits.js';
import { commitMerge, landMerges } from '../dist/workspace/integrate.js';
import { mergeWork } from '../dist/workspace/merge.js';
import { mergesOf } from '../dist/workspace/merges.js';
import { removeWorktree } from '../dist/workspace/prune.js';
import { openRepository } from '../dist/workspace/repository.js';
import { runTrain } from '../dist/workspace/train.js';
import { putFiles } from '../dist/workspace/trees.js';
import { createCheckWorktree } from '../dist/workspace/worktree.js';
import { range, round } from './harness.mjs';

export const about = 'check runs that a merge train saves, and the seconds';
export const defaults = { tasks: 16, check: 500, files: 200 };

/** How many of the tasks break the check. */
const CULPRITS = [0, 1, 3];

/** A check that takes its time, and fails where a task has left something bad. */
const checkOf = (/** @type {number} */ milliseconds) =>
  `sleep ${milliseconds / 1_000}; ! ls | grep -q '^bad-'`;

/** @param {typeof defaults} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ tasks, check, files }) {
  const rows = [];
  for (const culprits of CULPRITS.filter((count) => count <= tasks)) {
    const together = await ride({ tasks, check, files, culprits, length: tasks });
    const alone = await ride({ tasks, check, files, culprits, length: 1 });
    rows.push({
      culprits,
      'runs together': together.runs,
      'runs one by one': alone.runs,
      's together': round(together.seconds),
      's one by one': round(alone.seconds),
      ratio: round(alone.seconds / together.seconds),
    });
  }
  const figures = Object.fromEntries(
    rows.map(({ culprits, ...figure }) => [`culprits ${culprits}`, figure]),
  );
  return {
    figures,
    tables: [{ title: `${tasks} ready tasks, a check of ${check} ms`, rows }],
    ratio: rows[0].ratio,
    ratioOf: 'of the seconds one by one to those in a train, where no task breaks the check',
    notes: [
      `A repository of ${files} files; each of ${tasks} tasks adds one file, and all start from the same commit. The check sleeps for ${check} ms and fails where a culprit's file is there. Culprits stand evenly spread among the others.`,
      'Both ways run the same train over the same branch: merges, proofs, a worktree of exactly the commit for each run of the check, and the move of the references. One by one means trains of one task. That every good task and no culprit has landed is checked after each.',
      'Not measured: Redis between the tasks, set-up commands, checks that fail faster than they pass, tasks that become ready while a train runs.',
    ],
  };
}

/** @param {typeof defaults & { culprits: number, length: number }} options */
async function ride({ tasks, check, files, culprits, length }) {
  const dir = mkdtempSync(join(tmpdir(), 'drover-bench-'));
  try {
    const bad = new Set(range(culprits).map((at) => Math.floor(((at + 0.5) * tasks) / culprits)));
    const { repository, wagons } = await prepare(dir, { tasks, files, bad });
    let runs = 0;
    const inspect = async (/** @type {string} */ commit) => {
      runs += 1;
      const worktree = await createCheckWorktree(repository, commit, wagons[0].claimed);
      try {
        execFileSync('sh', ['-c', checkOf(check)], { cwd: worktree.dir, stdio: 'ignore' });
        return { passed: true, evidence: commit };
      } catch {
        return { passed: false, evidence: commit };
      } finally {
        await removeWorktree(worktree);
      }
    };
    const track = trackOf(repository, inspect);
    /** @type {Set<string>} */
    const failed = new Set();
    const began = performance.now();
    for (let at = 0; at < wagons.length; at += length) {
      await runTrain(track, wagons.slice(at, at + length), async ({ task }, { kind }) => {
        if (kind === 'failed') failed.add(task);
        else if (kind !== 'merged') throw new Error(`${task} was ${kind}`);
      });
    }
    const seconds = (performance.now() - began) / 1_000;
    const landed = await mergesOf(repository, await branchOf(repository));
    if (landed.length !== tasks - culprits || failed.size !== culprits)
      throw new Error(`${landed.length} tasks landed, ${failed.size} failed`);
    return { runs, seconds };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @param {string} dir @param {{ tasks: number, files: number, bad: Set<number> }} options */
async function prepare(dir, { tasks, files, bad }) {
  const location = join(dir, 'repository');
  mkdirSync(location);
  git(location, 'init', '-q', '-b', 'main');
  for (const index of range(files)) writeFileSync(join(location, `file-${index}`), `${index}\n`);
  git(location, 'add', '-A');
  git(location, 'commit', '-q', '-m', 'First');
  const environment = process.env;
  const dataDir = join(dir, 'data');
  const repository = await openRepository({ name: 'bench', location, dataDir, environment });
  const { start } = await openGoalBranch(repository, 'goal-1');
  const wagons = [];
  for (const index of range(tasks)) {
    const task = `task-${index + 1}`;
    const path = `${bad.has(index) ? 'bad' : 'good'}-${index}`;
    const tree = await putFiles(repository, start, [{ path, content: `${task}\n` }]);
    const head = await commitTree(repository, { tree, parents: [start], message: task });
    const request = { goal: 'goal-1', task, claim: 1, owner: 'bench' };
    wagons.push({ task, claim: 1, head, claimed: await beginClaim(repository, request) });
  }
  return { repository, wagons };
}

/** @typedef {Awaited<ReturnType<typeof prepare>>['repository']} Repository */
/** @typedef {Awaited<ReturnType<typeof prepare>>['wagons'][number]} Wagon */

/**
 * @param {Repository} repository
 * @param {(commit: string) => Promise<{ passed: boolean, evidence: string }>} inspect
 * @returns {import('../dist/workspace/train.js').Track<Wagon, string, string>}
 */
function trackOf(repository, inspect) {
  return {
    tip: async () => (await branchOf(repository)).tip,
    merged: async ({ task }) =>
      (await mergesOf(repository, await branchOf(repository))).find((each) => each.task === task)
        ?.commit,
    couple: async (onto, { task, head, claimed }) => {
      const result = await mergeWork(repository, onto, { start: claimed.start, head });
      if (result.kind !== 'merged') return { refusal: result.kind };
      const files = [{ path: 'STATE.yaml', content: `done: ${task}\n` }];
      const { tree } = result;
      const content = { onto, head, tree, claim: claimed, subject: task, files };
      return { commit: await commitMerge(repository, content) };
    },
    inspect,
    advance: async (from, to, cars) => {
      const claims = cars.map(({ head, claimed }) => ({ ...claimed, head }));
      const { kind } = await landMerges(repository, { goal: 'goal-1', from, to, claims });
      return kind === 'lost-race' ? 'lost-race' : 'moved';
    },
  };
}

/** @param {Repository} repository */
async function branchOf(repository) {
  const branch = await readGoalBranch(repository, 'goal-1');
  if (!branch) throw new Error('the goal has no branch');
  return branch;
}

/** @param {string} cwd @param {string[]} args */
function git(cwd, ...args) {
  const identity = ['-c', 'user.name=Bench', '-c', 'user.email=bench@localhost'];
  execFileSync('git', [...identity, ...args], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}
