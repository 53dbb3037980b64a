/** What a long and large history costs: the same steps in a repository with one, and in one that just began. */
import { execFileSync, spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { addProject } from '../dist/engine/workspaces/registering.js';
import { openGoalBranch, readGoalBranch } from '../dist/workspace/branches.js';
import { checkpoint } from '../dist/workspace/checkpoint.js';
import { beginClaim } from '../dist/workspace/claims.js';
import { commitMerge, landMerges } from '../dist/workspace/integrate.js';
import { landGoal, prepareLanding } from '../dist/workspace/land.js';
import { lineOf } from '../dist/workspace/line.js';
import { mergeWork } from '../dist/workspace/merge.js';
import { removeWorktree } from '../dist/workspace/prune.js';
import { rollBack } from '../dist/workspace/rollback.js';
import { createWorktree } from '../dist/workspace/worktree.js';
import { median, range, round } from './harness.mjs';

export const about =
  'milliseconds of a task in a repository with 1 GB of history, and in a new one';
export const defaults = { megabytes: 1_024, commits: 50_000, rounds: 7 };

const MEGABYTE = 1024 * 1024;
/** Files of the last commit: the same in both. */
const FILES = 200;

/** @param {typeof defaults} options @returns {Promise<import('./harness.mjs').Result>} */
export async function run({ megabytes, commits, rounds }) {
  const dir = mkdtempSync(join(tmpdir(), 'drover-bench-'));
  try {
    const began = performance.now();
    const large = await makeRepository(join(dir, 'large'), megabytes, commits);
    const made = (performance.now() - began) / 1_000;
    const small = await makeRepository(join(dir, 'small'), 1, 1);
    /** @type {Record<'large' | 'small', Record<string, number[]>>} */
    const times = { large: {}, small: {} };
    for (const turn of range(rounds)) {
      await timed(large, dir, turn, times.large);
      await timed(small, dir, turn, times.small);
    }
    const rows = Object.keys(times.large).map((step) => {
      const [one, other] = [median(times.large[step] ?? []), median(times.small[step] ?? [])];
      return { step, large: round(one), small: round(other), ratio: round(one / other) };
    });
    const sum = (/** @type {'large' | 'small'} */ which) =>
      rows.reduce((total, row) => total + (row.step === BY_URL ? 0 : row[which]), 0);
    return {
      figures: Object.fromEntries(rows.map(({ step, large: ms }) => [step, ms])),
      tables: [
        { title: `milliseconds, medians of ${rounds} rounds; made in ${round(made)} s`, rows },
      ],
      ratio: round(sum('large') / sum('small')),
      ratioOf: `to a repository that just began, all but ‘${BY_URL}’`,
      notes: [
        `Both have ${FILES} files in their last commit. The large one has ${megabytes} files of 1 MB that cannot be compressed and were removed again, and ${commits} commits.`,
        `‘${BY_URL}’ makes a clone without files, which has the commits and folders of the whole history: that grows with their number.`,
        'Not measured: checks, several processes at once, a network.',
      ],
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const BY_URL = 'add by URL';

/** @param {string} location @param {string} dir @param {number} turn @param {Record<string, number[]>} times */
async function timed(location, dir, turn, times) {
  const place = mkdtempSync(join(dir, 'data-'));
  await oneRound(location, place, turn, async (step, work) => {
    const began = performance.now();
    const result = await work();
    (times[step] ??= []).push(performance.now() - began);
    return result;
  });
  rmSync(place, { recursive: true, force: true });
}

/**
 * @param {string} location @param {string} dataDir @param {number} turn
 * @param {<T>(step: string, work: () => Promise<T>) => Promise<T>} time
 */
async function oneRound(location, dataDir, turn, time) {
  const place = { projectsDir: join(dataDir, 'projects'), dataDir, environment: process.env };
  const add = (/** @type {string} */ name, /** @type {string} */ repository) =>
    addProject(place, { name, repository, settings: {} });
  const { repository } = await time('add', () => add('here', location));
  await time(BY_URL, () => add('there', `file://${location}`));
  const goal = `goal-${turn + 1}`;
  const begin = async (/** @type {number} */ number) => {
    await openGoalBranch(repository, goal);
    const task = `task-${turn * 2 + number}`;
    const claim = await beginClaim(repository, { goal, task, claim: 1, owner: 'bench' });
    return { claim, worktree: await createWorktree(repository, claim) };
  };
  const first = await begin(1);
  const second = await time('begin a task', () => begin(2));
  writeFileSync(join(first.worktree.dir, 'file-1'), `${turn}\n`);
  writeFileSync(join(second.worktree.dir, 'file-2'), `${turn}\n`);
  const commit = (/** @type {typeof first} */ { claim, worktree }) =>
    checkpoint(repository, worktree, claim);
  const merge = async (/** @type {typeof first} */ { claim }, /** @type {string} */ head) => {
    const from = (await readGoalBranch(repository, goal))?.tip ?? '';
    const result = await mergeWork(repository, from, { start: claim.start, head });
    if (result.kind !== 'merged') throw new Error(JSON.stringify(result));
    const content = { onto: from, head, tree: result.tree, claim, subject: `Merge ${claim.task}` };
    const to = await commitMerge(repository, content);
    await landMerges(repository, { goal, from, to, claims: [{ ...claim, head }] });
    return to;
  };
  const one = await merge(first, (await commit(first)).head);
  const { head } = await time('commit its work', () => commit(second));
  await time('merge beside another', () => merge(second, head));
  for (const { worktree } of [first, second]) await removeWorktree(worktree);
  await time('land', async () => {
    const how = { goal, merge: /** @type {const} */ ('merge-commit'), subject: 'Land' };
    const prepared = await prepareLanding(repository, how);
    if (prepared.kind !== 'ready') throw new Error(prepared.kind);
    const landed = await landGoal(repository, prepared.landing);
    if (landed.kind !== 'landed') throw new Error(landed.kind);
  });
  await time('graph', () => lineOf(repository, goal, []));
  await time('roll back', () => rollBack(repository, goal, one));
}

/** @param {string} dir @param {number} megabytes @param {number} commits */
async function makeRepository(dir, megabytes, commits) {
  mkdirSync(dir);
  const git = (/** @type {string[]} */ ...args) => execFileSync('git', args, { cwd: dir });
  git('init', '-q', '-b', 'main');
  git('config', 'core.compression', '0');
  git('config', 'uploadpack.allowFilter', 'true');
  const importing = spawn('git', ['fast-import', '--quiet'], {
    cwd: dir,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  const ended = once(importing, 'close');
  const write = async (/** @type {string | Buffer} */ chunk) => {
    if (!importing.stdin.write(chunk)) await once(importing.stdin, 'drain');
  };
  const commit = (/** @type {number} */ at) =>
    `commit refs/heads/main\ncommitter Bench <bench@localhost> ${1_700_000_000 + at} +0000\ndata 0\n`;
  const bytes = Buffer.alloc(MEGABYTE);
  for (const at of range(megabytes)) {
    randomFillSync(bytes);
    await write(`${commit(at)}M 100644 inline large\ndata ${MEGABYTE}\n`);
    await write(Buffer.concat([bytes, Buffer.from('\n')]));
  }
  for (const at of range(Math.max(0, commits - megabytes))) await write(commit(megabytes + at));
  const files = range(FILES).map((at) => `M 100644 inline file-${at}\ndata 2\n${at % 10}\n\n`);
  await write(`${commit(megabytes + commits)}D large\n${files.join('')}`);
  importing.stdin.end('done\n');
  const [status] = await ended;
  if (status !== 0) throw new Error(`git fast-import ended with status ${status}`);
  git('reset', '-q', '--hard');
  return dir;
}
