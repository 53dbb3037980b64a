import { describe, expect, test } from 'vitest';
import type { Event, LoggedEvent } from '../../src/core/events.js';
import { renderTaskPage } from '../../src/projections/task-page.js';
import { GoalMaker, START, taskSpec } from './goals.js';

const log = (...events: Event[]): LoggedEvent[] =>
  events.map((event, index) => ({
    seq: index + 1,
    time: START + index * 500,
    project: 'demo',
    goal: 'goal-7',
    task: 'task-2',
    event,
  }));

describe('renderTaskPage', () => {
  test('tells what was asked, what came of it and how', () => {
    const check = { run: 'node --test', timeout: 1_000 };
    const { goal } = new GoalMaker('goal-7', 'Build *authentication*', [
      taskSpec('task-1', { name: 'design' }),
      taskSpec('task-2', { needs: ['task-1'], run: 'make login', with: { port: 80 }, check }),
    ])
      .complete('task-1')
      .complete('task-2', { files: ['login.js'] });
    const page = renderTaskPage(goal, goal.tasks.get('task-2')!, [
      ...log(
        { type: 'task.assigned' },
        { type: 'task.active', agent: 'worker-1', attempt: 1 },
        { type: 'step.done', step: 'write files', result: 3 },
        {
          type: 'check.finished',
          command: 'node --test',
          exitCode: 0,
          output: '# pass 4\n```\n',
          durationMs: 350,
          passed: true,
        },
        { type: 'task.completed', result: { files: ['login.js'] } },
      ),
    ]);
    expect(page).toBe(`\
# task-2: do task-2

- **Goal**: goal-7, Build \\*authentication\\*
- **Name**: do task-2
- **State**: DONE
- **Capability**: developer
- **Needs**: [task-1](task-1.md) design
- **Agent**: worker-1
- **Attempts**: 1
- **Queued**: 2026-07-28T10:00:04.000Z
- **Started**: 2026-07-28T10:00:06.000Z
- **Finished**: 2026-07-28T10:00:07.000Z (after 1.000 s)

## Task

Command:

\`\`\`sh
make login
\`\`\`

Input:

\`\`\`json
{
  "port": 80
}
\`\`\`

To be proven by:

\`\`\`sh
node --test
\`\`\`

## Result

\`\`\`json
{
  "files": [
    "login.js"
  ]
}
\`\`\`

## Check

Passed: exit code 0, after 0.350 s.

\`\`\`sh
node --test
\`\`\`

Output:

\`\`\`\`
# pass 4
\`\`\`
\`\`\`\`

## Steps

- write files: 3

## Trace

\`\`\`
    +0.000 s  task.assigned
    +0.500 s  task.active worker-1, attempt 1
    +1.000 s  step.done write files
    +1.500 s  check.finished passed: node --test
    +2.000 s  task.completed
\`\`\`
`);
  });

  test('lets no text out of its place', () => {
    const hostile =
      'a`b\n## Heading\n<script>alert(1)</script>\n```\n`````\n\u001b[31m [x](y) \u202e';
    const maker = new GoalMaker('goal-7', hostile, [
      taskSpec('task-2', { title: hostile, run: hostile }),
    ]);
    maker.fail('task-2', hostile);
    const { goal } = maker;
    const page = renderTaskPage(
      goal,
      goal.tasks.get('task-2')!,
      log(
        { type: 'step.done', step: hostile, result: hostile },
        { type: 'task.failed', reason: hostile },
      ),
    );
    for (const odd of ['\u001b', '\u202e']) expect(page).not.toContain(odd);
    const outside = page.replace(/^(`{3,})\w*\n[\s\S]*?\n\1$/gm, '');
    expect(outside).not.toMatch(/(?<!\\)[<`]/);
    expect(outside.match(/^#+ \w+/gm)).toEqual([
      '# task',
      '## Task',
      '## Error',
      '## Steps',
      '## Trace',
    ]);
  });

  test('stays short whatever the task did', () => {
    const maker = new GoalMaker('goal-7', 'Long', [taskSpec('task-2')]);
    const { goal } = maker.complete('task-2', 'x'.repeat(1_000_000));
    const events = log(
      ...Array.from({ length: 5_000 }, (_, index): Event => ({
        type: 'task.progressed',
        progress: index,
      })),
    );
    const page = renderTaskPage(goal, goal.tasks.get('task-2')!, events);
    expect(page.length).toBeLessThan(50_000);
    expect(page).toContain('Cut after 20000 of 1000000 characters');
    expect(page).toContain('… 4700 events are left out');
    expect(page).toContain('task.progressed 4999\n');
  });
});
