/** Pictures of goals fit the terminal, whatever their tasks are called and however many there are. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { formatDuration } from '../../src/cli/render/duration.js';
import { logLine, wordsOf } from '../../src/cli/render/event-line.js';
import { renderGraph } from '../../src/cli/render/graph.js';
import { columnsOf, oneLine, revealed, truncate, wrapped } from '../../src/cli/render/text.js';
import { cell, renderTable } from '../../src/cli/render/table.js';
import { TASK_STATES, type TaskState } from '../../src/core/task-state.js';
import type { GoalReport, TaskReport } from '../../src/projections/report.js';

// Whatever the terminal that the tests run in, what is looked at here is the text.
vi.stubEnv('FORCE_COLOR', '0');

const NOW = 1_000_000;

function task(number: number, state: TaskState, more: Partial<TaskReport> = {}): TaskReport {
  return {
    id: `task-${number}`,
    name: `name-${number}`,
    title: `name-${number}`,
    capability: 'shell',
    state,
    needs: [],
    waitsFor: [],
    gates: [],
    heldBy: null,
    hindered: null,
    blockedBy: [],
    agent: null,
    claims: 0,
    attempts: 0,
    declines: 0,
    queuedAt: null,
    assignedAt: null,
    activeAt: null,
    finishedAt: null,
    retryAt: null,
    progress: null,
    result: null,
    error: null,
    ...more,
  };
}

function goal(tasks: readonly TaskReport[]): GoalReport {
  const counts = Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<
    TaskState,
    number
  >;
  return {
    goal: 'goal-1',
    title: 'A goal',
    project: 'default',
    state: 'OPEN',
    paused: false,
    createdAt: NOW - 5_000,
    finishedAt: null,
    counts,
    total: tasks.length,
    blocked: 0,
    branch: null,
    text: `Working: 0/${tasks.length} tasks complete`,
    tasks,
  };
}

describe('a graph', () => {
  it('tells which gate a task waits at, and what holds one up', () => {
    const gate = { kind: 'approval', name: null, since: null, due: null } as const;
    const lines = renderGraph(
      goal([
        task(1, 'PENDING', { heldBy: { kind: 'pause', of: 'project shop' }, queuedAt: NOW }),
        task(2, 'PENDING', { heldBy: { kind: 'limit', of: 'key db' } }),
        task(3, 'BACKLOG', { needs: ['task-1'], waitsFor: ['task-1'], gates: [gate] }),
        task(4, 'BACKLOG', { gates: [{ ...gate, kind: 'signal', name: 'deployed' }] }),
        task(5, 'BACKLOG', { gates: [{ ...gate, kind: 'timer', due: NOW }] }),
        task(6, 'ACTIVE', { activeAt: NOW, hindered: 'The disk is full.' }),
      ]),
      NOW,
    ).join('\n');
    expect(lines).toMatch(/task-1 .*held: project shop is paused/);
    expect(lines).toMatch(/task-2 .*held: the limit of key db is used up/);
    expect(lines).toMatch(/task-3 .*waits for name-1, approval/);
    expect(lines).toMatch(/task-4 .*waits for signal deployed/);
    expect(lines).toMatch(/task-5 .*waits until 1970-/);
    expect(lines).toMatch(/task-6 .*waits until this is gone: The disk is full\./);
  });

  it('indents tasks below what they need, and tells what each waits for', () => {
    const lines = renderGraph(
      goal([
        task(1, 'DONE', {
          assignedAt: NOW - 3_000,
          activeAt: NOW - 2_500,
          finishedAt: NOW - 1_000,
          attempts: 2,
        }),
        task(2, 'ACTIVE', {
          needs: ['task-1'],
          activeAt: NOW - 700,
          attempts: 1,
          progress: 'half',
        }),
        task(3, 'PENDING', {
          needs: ['task-1'],
          retryAt: NOW + 4_000,
          attempts: 1,
          error: 'no\nluck',
        }),
        task(4, 'FAILED', { needs: ['task-1'], attempts: 3, error: '\u001B[2Jgone' }),
        task(5, 'BACKLOG', {
          needs: ['task-1', 'task-2', 'task-3'],
          waitsFor: ['task-2', 'task-3'],
        }),
        task(6, 'BACKLOG', { needs: ['task-4'], blockedBy: ['task-4'] }),
      ]),
      NOW,
    );
    expect(lines.map((line) => line.replace(/ {2,}/g, (gap) => `${gap.length} `))).toEqual([
      'goal-12 A goal',
      expect.stringMatching(/^✓2 task-12 name-1.*DONE.*1\.5 s, attempt 2$/),
      expect.stringMatching(/^●2 task-24 name-2.*ACTIVE.*700 ms, half$/),
      expect.stringMatching(
        /^↻2 task-34 name-3.*PENDING.*retry in 4\.0 s after 1 attempt: no luck$/,
      ),
      expect.stringMatching(/^✗2 task-44 name-4.*FAILED.*3 attempts: gone$/),
      expect.stringMatching(/^·2 task-56 name-5.*BACKLOG.*waits for name-2, name-3$/),
      expect.stringMatching(/^⊘2 task-66 name-6.*BACKLOG.*blocked by name-4$/),
      'Working: 0/6 tasks complete (5.0 s)',
    ]);
  });

  it('folds what is finished first, and never what runs or failed', () => {
    const tasks = Array.from({ length: 100 }, (_, index) => task(index + 1, 'DONE'));
    tasks[40] = task(41, 'ACTIVE');
    tasks[99] = task(100, 'FAILED', { error: 'x' });
    const lines = renderGraph(goal(tasks), NOW, { height: 10, width: 80 });
    expect(lines).toHaveLength(10);
    expect(lines.join('\n')).toMatch(/task-41 [^]*task-100[^]*… and 93 done/);
  });

  it('fits every terminal', () => {
    const anyTask = fc.record({
      state: fc.constantFrom(...TASK_STATES),
      name: fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }),
      error: fc.option(fc.string({ unit: 'binary' })),
    });
    fc.assert(
      fc.property(
        fc.array(anyTask, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 10, max: 200 }),
        fc.integer({ min: 5, max: 50 }),
        (parts, width, height) => {
          const tasks = parts.map(({ state, name, error }, index) =>
            task(index + 1, state, { name, error, needs: index > 0 ? [`task-${index}`] : [] }),
          );
          const lines = renderGraph(goal(tasks), NOW, { width, height });
          expect(lines.length).toBeLessThanOrEqual(height);
          for (const line of lines) {
            expect(columnsOf(line)).toBeLessThanOrEqual(width);
            for (const control of ['\n', '\r', '\u001B']) expect(line).not.toContain(control);
          }
        },
      ),
    );
  });
});

describe('text', () => {
  it.each([
    ['plain', 5],
    ['日本', 4],
    ['e\u0301', 1],
    ['🐕', 2],
    ['\u200B', 0],
  ])('%s takes %i columns', (text, columns) => expect(columnsOf(text)).toBe(columns));

  it('is cut at a column, not through a character', () => {
    expect(truncate('日本語', 4)).toBe('日…');
    expect(truncate('abc', 3)).toBe('abc');
    expect(truncate('abcd', 3)).toBe('ab…');
    expect(truncate('abc', 0)).toBe('');
  });

  it('stands in columns', () => {
    const rows = [
      [cell('a'), cell('日本'), cell('x')],
      [cell('bbb'), cell('c'), cell('y')],
    ];
    expect(renderTable(rows, { heading: ['A', 'B', 'C'] })).toEqual([
      'A    B     C',
      'a    日本  x',
      'bbb  c     y',
    ]);
  });
});

describe('text of anybody’s', () => {
  const turned = 'pay \u202e001$\u202c\u2066 now\u200f';

  it('neither turns a line around nor writes to the terminal, in whichever listing', () => {
    expect(oneLine(`${turned}\u001b[2J\u0007`)).toBe('pay 001$ now');
    expect(renderTable([[cell(`${turned}\u001b[31m\u009b`), cell('x')]])).toEqual([
      'pay 001$ now  x',
    ]);
  });

  it('keeps what letters of other scripts are made of', () => {
    expect(oneLine('שלום\u200d नमस्ते')).toBe('שלום\u200d नमस्ते');
  });

  it('is shown where it is reviewed', () => {
    expect(revealed('+\tif (admin\u202e) {\u0007')).toBe('+\tif (admin<U+202E>) {');
  });
});

describe('a table that wraps', () => {
  const row = (reason: string) => [cell('failed', 'red'), cell('task-1'), cell(reason)];
  const reason = 'deploy: failed: the server said 503, start it with `systemctl start shop`';

  it('goes on below its last column', () => {
    expect(renderTable([row(reason), row('short')], { width: 50, wrap: true })).toEqual([
      'failed  task-1  deploy: failed: the server said',
      '                503, start it with `systemctl',
      '                start shop`',
      'failed  task-1  short',
    ]);
  });

  it('gives it lines of its own where there is no room beside the others', () => {
    expect(renderTable([row(reason)], { width: 30, wrap: true })).toEqual([
      'failed  task-1',
      '    deploy: failed: the server',
      '    said 503, start it with',
      '    `systemctl start shop`',
    ]);
  });

  it('says all of it within the terminal, however narrow', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.integer({ min: 8, max: 120 }),
        (text, width) => {
          const told = oneLine(text);
          const lines = renderTable([[cell('a'), cell(told)]], { width, wrap: true });
          expect(Math.max(...lines.map(columnsOf))).toBeLessThanOrEqual(width);
          expect(lines.join('').replaceAll(' ', '')).toBe(`a${told}`.replaceAll(' ', ''));
        },
      ),
    );
  });

  it('breaks words only where they are longer than a line', () => {
    expect(wrapped('aa bbbbbbb cc', 4)).toEqual(['aa', 'bbbb', 'bbb', 'cc']);
    expect(wrapped('日本語', 4)).toEqual(['日本', '語']);
  });
});

describe('a gate that nobody opened by a request', () => {
  it.each([
    ['timer', 'time', 'its time has come'],
    ['timer', 'board', 'goes on without its timer, by hand in Bull Board'],
    ['signal', 'board', 'goes on without its signal, by hand in Bull Board'],
  ] as const)('of kind %s, by %s: %s', (gate, via, text) =>
    expect(wordsOf({ type: 'gate.opened', gate, via }, NOW).text).toBe(text),
  );
});

describe('who asked for it', () => {
  const line = (via: 'person' | 'board' | 'time', by: string): string =>
    logLine({
      seq: 1,
      time: NOW,
      project: 'p',
      goal: 'goal-1',
      task: 'task-1',
      by,
      event: { type: 'task.approved', via },
    });

  it('is told behind the words, unless they say it', () => {
    expect(line('person', 'ann')).toMatch(/approved \(ann\)$/);
    expect(line('board', 'Bull Board')).toMatch(/approved in Bull Board$/);
    expect(line('time', 'deadline')).toMatch(/approved by its deadline$/);
  });
});

describe('the end of a job', () => {
  it.each([
    ['ACTIVE', 'DONE', 'done'],
    ['CANCELLED', 'CANCELLED', 'its job ended; it stays CANCELLED'],
    ['ACTIVE', 'FAILED', 'failed: completed without its check'],
  ] as const)('of a task that was %s and is %s: %s', (from, to, text) =>
    expect(wordsOf({ type: 'task.completed', result: null }, NOW, { from, to }).text).toBe(text),
  );
});

describe('a duration', () => {
  it.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1_000, '1.0 s'],
    [59_990, '59.9 s'],
    [60_000, '1 m 00 s'],
    [3_599_999, '59 m 59 s'],
    [3_600_000, '1 h 00 m'],
    [90_000_000, '1 d 1 h'],
    [-5, '0 ms'],
  ])('of %i ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});
