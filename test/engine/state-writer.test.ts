import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Event } from '../../src/core/events.js';
import { loadGoal } from '../../src/projections/board.js';
import { parseState } from '../../src/projections/state-file.js';
import { describeGoal } from '../../src/projections/state-schema.js';
import { Ledger } from '../../src/engine/recording/ledger.js';
import { StateWriter } from '../../src/engine/state/state-writer.js';
import { Log } from '../../src/log/log.js';
import { START, taskSpec } from '../projections/goals.js';
import { userGit } from '../workspace/repository.js';

/** Milliseconds in which what comes by itself has come, on a machine that others keep busy. */
const LIMIT = 30_000;

class World {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'drover-state-')));
  readonly projects = join(this.root, 'projects');
  readonly dir = join(this.projects, 'demo');
  readonly log = Log.open(join(this.root, 'data'));
  readonly ledger = new Ledger(this.log);
  readonly troubles: (string | null)[] = [];
  private time = START;

  constructor() {
    onTestFinished(() => {
      this.log.close();
      rmSync(this.root, { recursive: true, force: true });
    });
  }

  writer(projectsDir: string | null = this.projects): StateWriter {
    const { ledger, troubles } = this;
    return new StateWriter({
      ledger,
      projectsDir,
      asideDir: `${projectsDir}-aside`,
      onTrouble: (reason) => troubles.push(reason),
    });
  }

  commit(goal: string, ...entries: (Event | readonly [task: string, Event])[]): void {
    this.ledger.commit(
      entries.map((entry) => {
        this.time += 1_000;
        const base = { time: this.time, project: 'demo', goal };
        return 'type' in entry
          ? { ...base, event: entry }
          : { ...base, task: entry[0], event: entry[1] };
      }),
    );
  }

  /** A goal of two tasks, the second of which needs the first. */
  plan(goal: string, first: number, title = 'Build authentication system'): void {
    const tasks = [
      taskSpec(`task-${first}`),
      taskSpec(`task-${first + 1}`, { needs: [`task-${first}`] }),
    ];
    this.commit(
      goal,
      { type: 'goal.created', title, priority: 'normal' },
      { type: 'goal.planned', tasks },
    );
  }

  complete(goal: string, task: number): void {
    const id = `task-${task}`;
    this.commit(
      goal,
      [id, { type: 'task.assigned' }],
      [id, { type: 'task.active', agent: 'worker-1', attempt: 1 }],
      [id, { type: 'task.completed', result: { wrote: id } }],
    );
  }

  fail(goal: string, task: number): void {
    const id = `task-${task}`;
    this.commit(
      goal,
      [id, { type: 'task.assigned' }],
      [id, { type: 'task.failed', reason: 'no luck' }],
    );
  }

  text(): string {
    return readFileSync(join(this.dir, 'STATE.yaml'), 'utf8');
  }

  subjects(): string[] {
    return userGit(this.dir, 'log', '--reverse', '--format=%s').split('\n').slice(1);
  }

  /** The file says what the log says. */
  agrees(): void {
    const { goals, seq } = parseState(this.text());
    for (const [id, entry] of Object.entries(goals)) {
      const goal = describeGoal(loadGoal(this.log.db, id)!);
      expect(entry).toEqual(entry.tasks ? goal : { ...goal, tasks: undefined });
    }
    expect(seq).toBeLessThanOrEqual(this.log.lastSeq());
  }
}

describe('StateWriter', () => {
  test('follows a goal to its end, and commits at what matters', async () => {
    const world = new World();
    const writer = world.writer();
    world.plan('goal-1', 1);
    await writer.flush();
    world.complete('goal-1', 1);
    await writer.flush();
    expect(parseState(world.text()).goals['goal-1']).toMatchObject({
      state: 'OPEN',
      progress: '1/2 done',
    });
    expect(userGit(world.dir, 'status', '--porcelain')).toBe('M STATE.yaml\n?? tasks/');
    world.fail('goal-1', 2);
    await writer.flush();
    world.commit('goal-1', ['task-2', { type: 'task.retried' }]);
    await writer.flush();
    world.complete('goal-1', 2);
    await writer.close();

    const title = '(Build authentication system)';
    expect(world.subjects()).toEqual([
      `goal-1: planned, 2 tasks ${title}`,
      `goal-1: settled, 1/2 tasks, 1 failed ${title}`,
      `goal-1: reopened, 1/2 tasks ${title}`,
      `goal-1: done, 2/2 tasks ${title}`,
    ]);
    expect(userGit(world.dir, 'log', '-1', '--format=%(trailers:key=Drover-Goal,valueonly)')).toBe(
      'goal-1',
    );
    expect(userGit(world.dir, 'status', '--porcelain')).toBe('');
    expect(userGit(world.dir, 'ls-files')).toBe('STATE.yaml\ntasks/task-1.md\ntasks/task-2.md');
    expect(readFileSync(join(world.dir, 'tasks/task-2.md'), 'utf8')).toContain('- **State**: DONE');
    world.agrees();
    expect(world.troubles).toEqual([]);
  });

  test('writes by itself, soon after a change', async () => {
    const world = new World();
    const writer = world.writer();
    world.plan('goal-1', 1);
    await vi.waitFor(() => expect(world.subjects()).toHaveLength(1), LIMIT);
    world.complete('goal-1', 1);
    world.complete('goal-1', 2);
    await vi.waitFor(() => expect(world.subjects()).toHaveLength(2), LIMIT);
    await writer.close();
    world.agrees();
  });

  test('leaves what a user has staged and changed', async () => {
    const world = new World();
    const writer = world.writer();
    world.plan('goal-1', 1);
    await writer.flush();
    writeFileSync(join(world.dir, 'staged.txt'), 'one\n');
    userGit(world.dir, 'add', 'staged.txt');
    writeFileSync(join(world.dir, 'staged.txt'), 'two\n');
    world.complete('goal-1', 1);
    world.complete('goal-1', 2);
    await writer.close();
    expect(userGit(world.dir, 'status', '--porcelain')).toBe('AM staged.txt');
    expect(userGit(world.dir, 'show', '--name-only', '--format=', 'HEAD')).not.toContain(
      'staged.txt',
    );
  });

  test('keeps comments, and makes one commit of several goals', async () => {
    const world = new World();
    const writer = world.writer();
    world.plan('goal-1', 1);
    await writer.flush();
    const commented = world
      .text()
      .replace('      task-2:', '      # handle with care\n      task-2: # yes');
    writeFileSync(join(world.dir, 'STATE.yaml'), commented);
    world.complete('goal-1', 1);
    world.complete('goal-1', 2);
    world.plan('goal-2', 3, 'Another\n# goal: yes');
    await writer.close();
    expect(world.text()).toContain('      # handle with care\n      task-2: # yes\n');
    world.agrees();
    expect(userGit(world.dir, 'log', '-1', '--format=%B')).toBe(`\
2 goals: goal-1 done, goal-2 planned

- goal-1: done, 2/2 tasks (Build authentication system)
- goal-2: planned, 2 tasks (Another # goal: yes)

Drover-Goal: goal-1
Drover-Goal: goal-2`);
  });

  test('keeps a damaged file and writes it anew', async () => {
    const world = new World();
    const writer = world.writer();
    world.plan('goal-1', 1);
    await writer.flush();
    for (const damaged of ['<<<<<<< HEAD\n', '\u0000\n']) {
      writeFileSync(join(world.dir, 'STATE.yaml'), damaged);
      world.commit('goal-1', ['task-1', { type: 'task.assigned' }]);
      await writer.flush();
      world.agrees();
    }
    expect(readFileSync(join(world.dir, 'STATE.yaml.damaged-1'), 'utf8')).toBe('<<<<<<< HEAD\n');
    expect(readFileSync(join(world.dir, 'STATE.yaml.damaged-2'), 'utf8')).toBe('\u0000\n');
    expect(world.troubles[0]).toContain('The damaged text is in STATE.yaml.damaged-1.');
    await writer.close();
    expect(world.troubles.at(-1)).toBeNull();
  });

  test('does what the project says about pages, commits and their author', async () => {
    const world = new World();
    const writer = world.writer();
    mkdirSync(world.dir, { recursive: true });
    userGit(world.dir, 'init', '-b', 'main');
    userGit(world.dir, 'commit', '--allow-empty', '-m', 'Begin');
    const settings = join(world.dir, 'drover.yaml');
    writeFileSync(settings, 'taskPages: false\nauthor: {name: Bot, email: bot@example.com}\n');
    world.plan('goal-1', 1);
    world.complete('goal-1', 1);
    await writer.flush();
    expect(existsSync(join(world.dir, 'tasks'))).toBe(false);
    expect(userGit(world.dir, 'log', '-1', '--format=%an')).toBe('Bot');
    writeFileSync(settings, 'commitState: false\n');
    world.complete('goal-1', 2);
    await writer.flush();
    expect(existsSync(join(world.dir, 'tasks/task-2.md'))).toBe(true);
    expect(world.subjects()).toHaveLength(1);
    writeFileSync(settings, 'commitstate: true\n');
    world.plan('goal-2', 3);
    await writer.flush();
    expect(world.troubles.at(-1)).toMatch(
      /^STATE.yaml of demo: drover.yaml:1:14: Unrecognized key/,
    );
    rmSync(settings);
    await writer.close();
    expect(world.troubles.at(-1)).toBeNull();
    world.agrees();
  });

  test('waits while HEAD is detached, and commits by itself afterwards', async () => {
    const world = new World();
    const writer = world.writer();
    world.plan('goal-1', 1);
    await writer.flush();
    userGit(world.dir, 'checkout', '--detach');
    world.complete('goal-1', 1);
    world.complete('goal-1', 2);
    await writer.flush();
    expect(world.troubles.at(-1)).toContain('has no branch checked out');
    world.agrees();
    userGit(world.dir, 'checkout', 'main');
    await vi.waitFor(() => expect(world.troubles.at(-1)).toBeNull(), LIMIT);
    expect(world.subjects().at(-1)).toContain('goal-1: done');
    await writer.close();
  });

  test('reports what it cannot write and goes on when it can', async () => {
    const world = new World();
    const writer = world.writer();
    mkdirSync(world.dir, { recursive: true });
    writeFileSync(join(world.dir, 'file'), 'no repository');
    world.plan('goal-1', 1);
    await writer.flush();
    expect(world.troubles.at(-1)).toContain('is no git repository');
    rmSync(join(world.dir, 'file'));
    await writer.flush();
    expect(world.troubles.at(-1)).toBeNull();
    // A link instead of the folder of pages must not lead a write out of the project.
    const outside = join(world.root, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, join(world.dir, 'tasks'));
    world.complete('goal-1', 1);
    await writer.flush();
    expect(world.troubles.at(-1)).toContain('is no plain folder');
    expect(readdirSync(outside)).toEqual([]);
    rmSync(join(world.dir, 'tasks'));
    await writer.close();
    expect(world.troubles.at(-1)).toBeNull();
    expect(existsSync(join(world.dir, 'tasks/task-1.md'))).toBe(true);
  });

  test.runIf(process.getuid?.() !== 0)('survives a folder that it may not write in', async () => {
    const world = new World();
    const writer = world.writer();
    world.plan('goal-1', 1);
    await writer.flush();
    chmodSync(world.dir, 0o555);
    world.complete('goal-1', 1);
    await writer.flush();
    expect(world.troubles.at(-1)).toContain('EACCES');
    chmodSync(world.dir, 0o755);
    await writer.close();
    world.agrees();
  });

  test('writes nothing without a folder of projects', async () => {
    const world = new World();
    const writer = world.writer(null);
    world.plan('goal-1', 1);
    await writer.rebuild();
    await writer.close();
    expect(existsSync(world.projects)).toBe(false);
  });

  test('keeps the file short when many goals are finished, and the same after a start', async () => {
    const world = new World();
    const writer = world.writer();
    for (let number = 1; number <= 115; number += 1) {
      world.plan(`goal-${number}`, 2 * number - 1, `Title ${number}`);
      if (number === 3) continue;
      world.complete(`goal-${number}`, 2 * number - 1);
      world.complete(`goal-${number}`, 2 * number);
    }
    await writer.close();
    const { goals } = parseState(world.text());
    const ids = Object.keys(goals);
    expect(ids).toHaveLength(111);
    expect(ids.slice(0, 3)).toEqual(['goal-3', 'goal-6', 'goal-7']);
    const full = Object.entries(goals).filter(([, goal]) => goal.tasks);
    expect(full.map(([id]) => id)).toEqual([
      'goal-3',
      ...Array.from({ length: 10 }, (_, index) => `goal-${106 + index}`),
    ]);
    const before = world.text();
    const head = userGit(world.dir, 'rev-parse', 'HEAD');
    const again = world.writer();
    await again.rebuild();
    await again.close();
    expect(world.text()).toBe(before);
    expect(userGit(world.dir, 'rev-parse', 'HEAD')).toBe(head);
  });
});

describe('rebuild', () => {
  test('writes and commits what happened while nobody wrote', async () => {
    const world = new World();
    const first = world.writer();
    world.plan('goal-1', 1);
    await first.close();
    world.complete('goal-1', 1);
    world.complete('goal-1', 2);
    const second = world.writer();
    await second.rebuild();
    expect(world.subjects().at(-1)).toBe('goal-1: done, 2/2 tasks (Build authentication system)');
    expect(userGit(world.dir, 'ls-files')).toBe('STATE.yaml\ntasks/task-1.md\ntasks/task-2.md');
    world.agrees();
    await second.close();
  });

  test('commits what was written before a crash and not committed', async () => {
    const world = new World();
    const writer = world.writer();
    world.plan('goal-1', 1);
    world.complete('goal-1', 1);
    world.complete('goal-1', 2);
    await writer.close();
    userGit(world.dir, 'reset', '--soft', 'HEAD~1');
    userGit(world.dir, 'reset');
    const again = world.writer();
    await again.rebuild();
    await again.close();
    expect(world.subjects()).toEqual(['goal-1: done, 2/2 tasks (Build authentication system)']);
  });

  test.each([
    ['missing', undefined],
    ['damaged', 'version: 1\n'],
    ['edited', (text: string) => text.replace('state: DONE', 'state: FAILED # why?')],
  ])('mends a file that is %s', async (_, damage) => {
    const world = new World();
    const writer = world.writer();
    world.plan('goal-1', 1);
    world.complete('goal-1', 1);
    await writer.close();
    const before = world.text();
    const file = join(world.dir, 'STATE.yaml');
    if (damage === undefined) rmSync(file);
    else writeFileSync(file, typeof damage === 'string' ? damage : damage(before));
    const again = world.writer();
    await again.rebuild();
    await again.close();
    expect(world.text().replace(' # why?', '')).toBe(before);
    expect(world.text().includes('# why?')).toBe(typeof damage === 'function');
  });
});
