/** The same changes with few and many agents: what is independent comes out the same, and no line gets lost. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testBed } from '../support/redis.js';

const bed = testBed();

/** Changes that touch files of their own, and changes that all touch the end of one file. */
const INDEPENDENT = Array.from({ length: 12 }, (_, index) => `own-${index}`);
const CONFLICTING = Array.from({ length: 8 }, (_, index) => `line-${index}`);

const shell = (name: string, run: string, needs: string[]) => ({
  name,
  capability: 'shell',
  run,
  needs,
  // A conflict is solved by doing it again on the present tip; each time at least one of them gets in.
  retry: {
    attempts: CONFLICTING.length + 1,
    backoff: { type: 'fixed', delay: 10, jitter: 0 } as const,
  },
});

const TASKS = [
  shell(
    'start',
    'for i in 0 1 2 3 4 5 6 7 8 9 10 11; do seq 50 > file-$i; done; echo first > shared',
    [],
  ),
  ...INDEPENDENT.map((name, index) =>
    shell(name, `sed -i 's/^25$/${name}/' file-${index} && echo ${name} > ${name}`, ['start']),
  ),
  ...CONFLICTING.map((name) => shell(name, `echo ${name} >> shared`, ['start'])),
];

function git(dir: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: dir, encoding: 'utf8' }).trim();
}

async function outcome(agents: number): Promise<{ independent: string; shared: string[] }> {
  const data = bed.folder();
  const drover = await bed.start({ dataDir: data, projectsDir: join(data, 'projects') });
  for (let agent = 0; agent < agents; agent += 1) {
    await drover.agent('shell', 'shell', { concurrency: 1 });
  }
  const goal = await drover.enqueue({ title: 'Change it', project: 'shop', tasks: TASKS });
  const report = await goal.done();
  expect(report.text).toBe('Done! 21/21 tasks complete');
  const repository = join(data, 'projects', 'shop');
  const files = git(repository, 'ls-tree', 'autonomous/goal-1').split('\n');
  const shared = git(repository, 'show', 'autonomous/goal-1:shared').split('\n');
  await drover.close();
  return { independent: files.filter((line) => /\t(?:file|own)-/.test(line)).join('\n'), shared };
}

test('twenty changes come out the same with 1, 4 and 8 agents', { timeout: 300_000 }, async () => {
  const one = await outcome(1);
  expect(one.independent.split('\n')).toHaveLength(24);
  expect(one.shared.toSorted()).toEqual(['first', ...CONFLICTING]);
  for (const agents of [4, 8]) {
    const many = await outcome(agents);
    expect(many.independent).toBe(one.independent);
    expect(many.shared.toSorted()).toEqual(one.shared.toSorted());
  }
});
