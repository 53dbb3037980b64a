/** Setup, tasks and checks of a project run in its sandbox; skipped where bubblewrap does not work. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fenceFor, findSandbox } from '../../src/agents/sandbox.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const PATH = process.env['PATH'] ?? '';
const git = (dir: string, ...args: string[]): string =>
  execFileSync('git', args, { cwd: dir, encoding: 'utf8' }).trim();

it('refuses or goes without one where bubblewrap is missing', () => {
  const settings = { network: false, hide: [], write: [] };
  const env = { PATH: bed.folder() };
  expect(() => fenceFor({ ...settings, mode: 'require' }, '/', env)).toThrow(/requires a sandbox/);
  expect(fenceFor({ ...settings, mode: 'auto' }, '/', env)).toEqual({
    reason: 'bubblewrap (bwrap) is not on the PATH',
  });
  expect(fenceFor({ ...settings, mode: 'off' }, '/', env)).toEqual({});
});

it('takes paths below the home folder', (context) => {
  const found = findSandbox(PATH);
  if (found.program === undefined) {
    context.skip(`no sandbox here: ${found.reason}`);
    return;
  }
  const home = bed.folder();
  mkdirSync(join(home, 'secrets'));
  const paths = { hide: ['~/secrets'], write: ['~/cache'] };
  const { wrap } = fenceFor({ mode: 'require', network: false, ...paths }, '/', {
    PATH,
    HOME: home,
  });
  const argv = wrap!(['true']).join(' ');
  expect(argv).toContain(`--tmpfs ${home}/secrets `);
  expect(argv).toContain(`--bind-try ${home}/cache ${home}/cache `);
});

it('fences set-up, task and check in', async (context) => {
  const found = findSandbox(PATH);
  if (found.program === undefined) {
    context.skip(`no sandbox here: ${found.reason}`);
    return;
  }
  const outside = mkdtempSync('/var/tmp/drover-outside-');
  onTestFinished(() => rmSync(outside, { recursive: true, force: true }));
  const [hidden, cache] = [join(outside, 'hidden'), join(outside, 'cache')];
  for (const dir of [hidden, cache]) mkdirSync(dir);
  writeFileSync(join(hidden, 'secret'), 'secret');
  // Not in the folder for temporary files, which is another one inside.
  const data = join(outside, 'data');
  mkdirSync(data);
  const socket = join(data, 'redis.sock');
  const server = createServer((connection) => connection.end());
  onTestFinished(() => void server.close());
  await once(server.listen(socket), 'listening');
  const repository = join(data, 'theirs');
  mkdirSync(join(data, 'projects'));
  git(data, 'init', '-q', '-b', 'main', repository);
  const settings = {
    setup: [`echo setup >> ${cache}/seen && ! echo setup > ${outside}/setup`],
    check: [`echo check >> ${cache}/seen && ! echo check > ${outside}/check`],
    sandbox: { mode: 'require', hide: [hidden, join(outside, 'not-there')], write: [cache] },
  };
  writeFileSync(join(repository, 'drover.yaml'), JSON.stringify(settings));
  git(repository, 'add', '.');
  git(repository, '-c', 'user.name=A', '-c', 'user.email=a@b.c', 'commit', '-qm', 'Begin');
  writeFileSync(join(data, 'projects', 'shop.yaml'), `repository: ${repository}\n`);
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  await drover.agent('shell', 'shell');
  const run = [
    `! cat ${hidden}/secret`,
    `! echo task > ${outside}/task`,
    // The socket of Drover's own Redis.
    `! node -e 'require("net").connect("${socket}").on("connect", () => process.exit())'`,
    `echo task >> ${cache}/seen`,
    'mktemp > /dev/null',
    'echo work > work',
  ].join(' && ');
  const goal = await drover.enqueue({
    title: 'Fenced',
    project: 'shop',
    tasks: [{ name: 'one', capability: 'shell', run, retry: { attempts: 1 } }],
  });
  const report = await goal.done();
  expect(report.tasks[0]!.error).toBeNull();
  expect(git(repository, 'show', 'autonomous/goal-1:work')).toBe('work');
  expect(execFileSync('sort', ['-u', join(cache, 'seen')], { encoding: 'utf8' })).toBe(
    'check\nsetup\ntask\n',
  );
  for (const name of ['setup', 'task', 'check'])
    expect(existsSync(join(outside, name))).toBe(false);
});
