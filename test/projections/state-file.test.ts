import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseState, renderState, saySame } from '../../src/projections/state-file.js';
import { describeGoal, type GoalEntry, summariseGoal } from '../../src/projections/state-schema.js';
import { GoalMaker, taskSpec } from './goals.js';

const HOSTILE = [
  'two\nlines: yes\n# no comment',
  'key: value # comment',
  '- item',
  'true',
  'null',
  '1e3',
  '2026-07-28',
  '0x1F',
  '12:30:45',
  '@at &and *star !bang %percent `tick`',
  '{a: [b]}',
  'it\'s "quoted" \\ backslash',
  '👩‍💻 emoji 🚀',
  '\u202egnirts\u2066 bidi',
  'half \ud83d of a pair',
  '\u0000\u0007 control \u0085\u2028',
  'x'.repeat(10_000),
  '🚀'.repeat(5_000),
  '<<<<<<< HEAD',
  '---',
  '? :',
  '',
  ' ',
  'ends with colon:',
  'constructor',
];

function sample(): GoalMaker {
  return new GoalMaker('goal-7', 'Build authentication system', [
    taskSpec('task-1'),
    taskSpec('task-2', { needs: ['task-1'] }),
    taskSpec('task-3', { needs: ['task-1', 'task-2'] }),
  ]);
}

const render = (goals: Record<string, GoalEntry>, previous?: string, seq = 5) =>
  renderState({ project: 'demo', seq, goals }, previous);

describe('renderState', () => {
  test('says what a task waits for, why it is held up, and that a goal is paused', () => {
    const due = '2026-07-28T11:00:00.000Z';
    const maker = new GoalMaker('goal-7', 'Release', [
      taskSpec('task-1', { approve: 'before' }),
      taskSpec('task-2', { wait: { until: due } }),
      taskSpec('task-3', { wait: { signal: 'deployed' }, approve: 'before' }),
      taskSpec('task-4', { concurrency: { key: 'db', limit: 1 } }),
    ]);
    maker.add({ type: 'task.assigned' }, 'task-4');
    maker.add({ type: 'task.held', until: 'key:db' }, 'task-4');
    maker.add({ type: 'goal.paused' });
    const entry = describeGoal(maker.goal);
    expect(entry).toMatchObject({
      paused: true,
      tasks: {
        'task-1': { 'waits-for': 'approval' },
        'task-2': { 'waits-for': `until ${due}` },
        'task-3': { 'waits-for': 'approval, signal deployed' },
        'task-4': { held: 'the limit of key db is used up' },
      },
    });
    const text = render({ 'goal-7': entry });
    expect(text).toContain('\n    paused: true\n');
    expect(parseState(text).goals['goal-7']).toEqual(entry);
    const short = { 'goal-7': summariseGoal(entry) };
    expect(parseState(render(short)).goals).toEqual(short);
    maker.add({ type: 'goal.resumed' }).add({ type: 'task.approved', via: 'person' }, 'task-1');
    maker.add({ type: 'task.queued' }, 'task-4');
    const later = describeGoal(maker.goal);
    expect(later).not.toHaveProperty('paused');
    expect(later.tasks!['task-1']).not.toHaveProperty('waits-for');
    expect(later.tasks!['task-4']).not.toHaveProperty('held');
  });

  test('shows a goal as a person would write it', () => {
    const { goal } = sample()
      .complete('task-1', { files: 3, note: 'a: b' })
      .fail('task-2', 'no luck');
    expect(render({ 'goal-7': describeGoal(goal) })).toBe(`\
# What Drover's log says about this project: goals, their tasks and how far they are.
# Drover rewrites the values whenever they change, and keeps the comments that you add.
version: 1
project: demo
seq: 5

goals:

  goal-7:
    title: Build authentication system
    state: SETTLED
    created: 2026-07-28T10:00:00.000Z
    finished: 2026-07-28T10:00:07.000Z
    progress: 1/3 done, 1 failed, 1 blocked
    tasks:
      task-1:
        name: do task-1
        state: DONE
        agent: worker-1
        attempts: 1
        started: 2026-07-28T10:00:03.000Z
        finished: 2026-07-28T10:00:04.000Z
        result: "{\\"files\\":3,\\"note\\":\\"a: b\\"}"
      task-2:
        name: do task-2
        state: FAILED
        needs: [task-1]
        agent: worker-1
        attempts: 1
        started: 2026-07-28T10:00:06.000Z
        finished: 2026-07-28T10:00:07.000Z
        error: no luck
      task-3:
        name: do task-3
        state: BACKLOG
        needs: [task-1, task-2]
        blocked-by: [task-2]
`);
  });

  test('puts a goal that finished long ago on one line', () => {
    const { goal } = new GoalMaker('goal-1', 'Old, but: good', [taskSpec('task-9')]).complete(
      'task-9',
    );
    const text = render({ 'goal-1': summariseGoal(describeGoal(goal)) });
    expect(text).toContain(
      '\n  goal-1: { title: "Old, but: good", state: DONE, created: 2026-07-28T10:00:00.000Z, finished: 2026-07-28T10:00:04.000Z, progress: 1/1 done }\n',
    );
  });

  test('says nothing twice, and no empty values', () => {
    expect(render({})).toMatch(/\ngoals: \{\}\n$/);
    const text = render({ 'goal-7': describeGoal(sample().goal) });
    expect(text).not.toMatch(/null|undefined|: *\n(?![ \n])/);
  });
});

describe('what is read', () => {
  test.each(HOSTILE)('is what was written, also to any YAML parser: %j', (hostile) => {
    const maker = new GoalMaker('goal-7', hostile, [taskSpec('task-1'), taskSpec('task-2')]);
    maker.complete('task-1', hostile).start('task-2', hostile);
    maker.add({ type: 'task.failed', reason: hostile }, 'task-2');
    const full = describeGoal(maker.goal);
    const goals = { 'goal-6': summariseGoal(full), 'goal-7': full };
    const text = render(goals);
    const expected = { version: 1, project: 'demo', seq: 5, goals };
    expect(parseState(text)).toEqual(expected);
    expect(parse(text)).toEqual(expected);
    // Twice the size of the goals is plenty: nothing in the file is longer than 200 characters.
    expect(text.length).toBeLessThan(5_000);
    expect(render(goals, text)).toBe(text);
    expect(Buffer.from(text, 'utf8').toString('utf8')).toBe(text);
  });

  test('may be formatted otherwise', () => {
    const goals = { 'goal-7': describeGoal(sample().complete('task-1', 'fine').goal) };
    const text = render(goals)
      .replaceAll('needs: [task-1]', 'needs:\n          - task-1')
      .replace('name: do task-1', "name: 'do task-1'")
      .replace(
        'title: Build authentication system',
        'title: >-\n      Build authentication\n      system',
      );
    expect(parseState(text)).toEqual(parseState(render(goals)));
    expect(render(goals, text)).toBe(render(goals));
  });

  test.each([
    ['conflict markers', (text: string) => `<<<<<<< HEAD\n${text}=======\n${text}>>>>>>> other\n`],
    ['half a file', (text: string) => text.slice(0, text.indexOf('state:') + 6)],
    ['a key twice', (text: string) => text.replace('state: OPEN', 'state: OPEN\n    state: DONE')],
    ['a state that is none', (text: string) => text.replace('OPEN', 'RUNNING')],
    ['an unknown key', (text: string) => text.replace('version: 1', 'version: 1\nowner: me')],
    ['another version', (text: string) => text.replace('version: 1', 'version: 2')],
    ['nothing', () => ''],
    ['binary', () => '\u0000\u0001\ufffd'],
    ['an alias to nothing', (text: string) => text.replace('project: demo', 'project: *demo')],
  ])('is refused where it is damaged: %s', (_, damage) => {
    const text = render({ 'goal-7': describeGoal(sample().goal) });
    expect(() => parseState(damage(text))).toThrow('STATE.yaml is damaged');
  });

  test('is the same but for the number of the last event', () => {
    const goals = { 'goal-7': describeGoal(sample().goal) };
    expect(saySame(render(goals, '', 5), render(goals, '', 123_456))).toBe(true);
    const later = { 'goal-7': describeGoal(sample().complete('task-1').goal) };
    expect(saySame(render(goals), render(later))).toBe(false);
  });
});

describe('comments', () => {
  const maker = sample();
  const commented = render({ 'goal-7': describeGoal(maker.goal) })
    .replace('version: 1', '\n# Ours since July.\n\n# Ask before you edit.\nversion: 1 # always')
    .replace('  goal-7:', '  # The big one.\n  #\n  # Really.\n  goal-7: # started by Ann')
    .replace('    state: OPEN', '    # how it stands\n    state: OPEN # so far')
    .replace('      task-2:', '      # needs "care" # twice\n      task-2:')
    .replace('        needs: [task-1]\n', '        needs: [task-1] # of course\n')
    .concat('        # below the last task\n\n# The end.\n');
  const own = [...commented.matchAll(/#.*$/gm)].map(([comment]) => comment).slice(2);

  test('stay where they are while states change and the plan grows', () => {
    expect(own).toHaveLength(13);
    let text = render({ 'goal-7': describeGoal(maker.goal) }, commented);
    expect(text).toBe(commented);
    maker.complete('task-1', 'fine # not a comment').fail('task-2', 'bad: "luck" # here');
    maker.add({ type: 'plan.grown', tasks: [taskSpec('task-4')], awaited: false });
    const other = new GoalMaker('goal-8', 'Another', [taskSpec('task-5')]);
    const goals = { 'goal-7': describeGoal(maker.goal), 'goal-8': describeGoal(other.goal) };
    text = render(goals, text);
    expect([...text.matchAll(/^[^"]*?(#.*)$/gm)].map(([, comment]) => comment).slice(2)).toEqual(
      own,
    );
    expect(text).toContain('    # how it stands\n    state: OPEN # so far\n');
    expect(text).toContain('        needs: [task-1] # of course\n        agent: worker-1\n');
    expect(text).toMatch(/# The end\.\n$/);
    expect(render(goals, text)).toBe(text);
    expect(parseState(text).goals).toEqual(goals);
  });

  test('outlive what they stood at', () => {
    const full = describeGoal(maker.goal);
    const short = render({ 'goal-7': summariseGoal(full) }, render({ 'goal-7': full }, commented));
    for (const comment of own) expect(short).toContain(comment);
    expect(short).toContain('  # how it stands\n');
    expect(render({ 'goal-7': summariseGoal(full) }, short)).toBe(short);
    const gone = render({}, short);
    expect(gone).toContain('\n# goal-7: so far\n');
    expect(gone).toContain('\n# The end.\n');
    expect(render({}, gone)).toBe(gone);
    expect(parseState(gone).goals).toEqual({});
  });

  test('are found in a file that was formatted otherwise', () => {
    const goals = { 'goal-7': describeGoal(sample().goal) };
    const text = commented
      .replace('[task-1, task-2]', '\n          - task-1 # first\n          - task-2')
      .replace('name: do task-2', "'name': 'do task-2' # single");
    const kept = render(goals, text);
    for (const comment of [...own, '# first', '# single']) expect(kept).toContain(comment);
    expect(kept).toContain('        name: do task-2 # single\n');
    expect(kept).toContain('    # how it stands\n    state: OPEN # so far\n');
    expect(render(goals, kept)).toBe(kept);
  });

  test('survive line ends of another system', () => {
    const goals = { 'goal-7': describeGoal(sample().goal) };
    expect(render(goals, commented.replaceAll('\n', '\r\n'))).toBe(commented);
  });
});

test('ten thousand tasks', () => {
  const tasks = Array.from({ length: 10_000 }, (_, index) =>
    taskSpec(`task-${index + 1}`, index > 0 ? { needs: [`task-${index}`] } : {}),
  );
  const maker = new GoalMaker('goal-7', 'Large', tasks);
  for (const { id } of tasks) maker.complete(id, { wrote: '12 files: and # stuff' });
  const goals = { 'goal-7': describeGoal(maker.goal) };
  const text = render(goals);
  expect(render(goals, text)).toBe(text);
  expect(parseState(text).goals).toEqual(goals);
});
