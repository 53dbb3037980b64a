/** Integrations per second: a task's work merged into a goal's branch, against `git merge` in a worktree. */
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
import { openRepository } from '../dist/workspace/repository.js';
import { putFiles } from '../dist/workspace/trees.js';
import { median, range, round } from './harness.mjs';

export const about = 'integrations per second on a repository of 10,000 files';
export const defaults = { files: 10_000, tasks: 40, rounds: 3 };

/** @param {typeof defaults} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ files, tasks, rounds }) {
  /** @type {{ drover: number[], git: number[] }} */
  const rates = { drover: [], git: [] };
  for (let turn = 0; turn < rounds; turn += 1) {
    const dir = mkdtempSync(join(tmpdir(), 'drover-bench-'));
    try {
      const place = await prepare(dir, files, tasks);
      rates.git.push(byGit(place));
      rates.drover.push(await byDrover(place));
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }
  const [drover, plain] = [median(rates.drover), median(rates.git)];
  return {
    figures: { drover, git: plain },
    tables: [
      {
        title: `integrations per second, medians of ${rounds} rounds of ${tasks}`,
        rows: [
          { by: 'drover', rate: round(drover) },
          { by: 'git merge', rate: round(plain) },
        ],
      },
    ],
    ratio: round(drover / plain),
    ratioOf: 'to `git merge` in a worktree',
    notes: [
      `A repository of ${files} files in folders of 100; each task changes three files that no other changes, and all start from the same commit.`,
      'Drover: merge, the proofs (paths, links, lost lines), a STATE.yaml put into the tree, the commit, and the references moved together with the end of the claim. git: `git merge --no-ff` of the same commits one after the other, in one worktree that is there already.',
      'Not measured: worktrees, checkpoints, checks, conflicts, remotes, several processes at once.',
    ],
  };
}

/** @param {string} dir @param {number} files @param {number} tasks */
async function prepare(dir, files, tasks) {
  const location = join(dir, 'repository');
  mkdirSync(location);
  git(location, 'init', '-q', '-b', 'main');
  for (const index of range(files)) {
    const folder = join(location, `folder-${Math.floor(index / 100)}`);
    if (index % 100 === 0) mkdirSync(folder);
    writeFileSync(join(folder, `file-${index}`), `${range(20).join('\n')}\n${index}\n`);
  }
  git(location, 'add', '-A');
  git(location, 'commit', '-q', '-m', 'First');
  const environment = process.env;
  const data = join(dir, 'data');
  const repository = await openRepository({ name: 'bench', location, dataDir: data, environment });
  const { start } = await openGoalBranch(repository, 'goal-1');
  const work = [];
  for (const task of range(1, tasks + 1)) {
    const changed = range(3)
      .map((each) => (task * 3 + each) * 7)
      .map((index) => index % files);
    const content = `task ${task}\n`;
    const put = changed.map((index) => ({
      path: `folder-${Math.floor(index / 100)}/file-${index}`,
      content,
    }));
    const tree = await putFiles(repository, start, put);
    const head = await commitTree(repository, { tree, parents: [start], message: content });
    const request = { goal: 'goal-1', task: `task-${task}`, claim: 1, owner: 'bench' };
    work.push({ head, claim: await beginClaim(repository, request) });
  }
  return { dir, location, repository, work };
}

/** @param {Awaited<ReturnType<typeof prepare>>} place */
function byGit({ dir, location, work }) {
  const worktree = join(dir, 'worktree');
  git(location, 'worktree', 'add', '-q', '--detach', worktree, 'main');
  const began = performance.now();
  for (const { head } of work) git(worktree, 'merge', '-q', '--no-ff', '-m', 'Merge', head);
  return (work.length * 1_000) / (performance.now() - began);
}

/** @param {Awaited<ReturnType<typeof prepare>>} place */
async function byDrover({ repository, work }) {
  const began = performance.now();
  for (const { head, claim } of work) {
    const onto = (await readGoalBranch(repository, 'goal-1'))?.tip ?? '';
    const result = await mergeWork(repository, onto, { start: claim.start, head });
    if (result.kind !== 'merged') throw new Error(JSON.stringify(result));
    const files = [{ path: 'STATE.yaml', content: `done: ${claim.task}\n` }];
    const subject = `Merge ${claim.task}`;
    const content = { onto, head, tree: result.tree, claim, subject, files };
    const to = await commitMerge(repository, content);
    const landing = { goal: 'goal-1', from: onto, to, claims: [{ ...claim, head }] };
    const { kind } = await landMerges(repository, landing);
    if (kind !== 'moved') throw new Error(kind);
  }
  return (work.length * 1_000) / (performance.now() - began);
}

/** @param {string} cwd @param {string[]} args */
function git(cwd, ...args) {
  const identity = ['-c', 'user.name=Bench', '-c', 'user.email=bench@localhost'];
  execFileSync('git', [...identity, ...args], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}
