/** Requests from code, before anything else has to do with them. */
import { describe, expect, it } from 'vitest';
import { MAX_PLAN_BYTES } from '../../src/core/plan-check.js';
import { requestJson } from '../../src/core/request.js';

const circle: Record<string, unknown> = {};
circle['self'] = circle;
let deep: unknown = 1;
for (let level = 0; level < 100_000; level += 1) deep = { deep };

const task = (input: unknown) => ({ name: 'build', capability: 'work', with: input });

describe('a request', () => {
  it.each<[string, unknown, string | RegExp]>([
    [
      'a circle in a task',
      { title: 'T', tasks: [{ name: 'a' }, task({ circle })] },
      'Task ‘build’ is not JSON: ‘with.circle.self’ is an object that contains itself.',
    ],
    [
      'a circle of its task',
      { tasks: [task(circle)] },
      'Task ‘build’ is not JSON: ‘with.self’ is an object that contains itself.',
    ],
    ['a big integer', { tasks: [task({ n: 1n })] }, 'Task ‘build’ is not JSON: ‘with.n’ is a big'],
    ['a map', { tasks: [task(new Map())] }, 'Task ‘build’ is not JSON: ‘with’ is of the class Map'],
    ['no number', { tasks: [task({ n: NaN })] }, 'Task ‘build’ is not JSON: ‘with.n’ is NaN.'],
    [
      'too many levels',
      { tasks: [task(deep)] },
      /^Task ‘build’ is not JSON: ‘with\.deep\..*levels deep\.$/,
    ],
    [
      'a schedule',
      { name: 's', goal: { tasks: [task({ n: 1n })] } },
      'Task ‘build’ is not JSON: ‘wi',
    ],
    ['a nameless task', { tasks: [{ with: { n: 1n } }] }, 'Task 1 is not JSON: ‘with.n’ is a big'],
    ['a function as a task', { tasks: [() => 1] }, 'Task 1 is not JSON: it is a function.'],
    [
      'a set of tasks',
      { tasks: new Set([1]) },
      'The request is not JSON: ‘tasks’ is of the class Set',
    ],
    [
      'a list that is called as tasks are',
      { params: { tasks: [NaN] } },
      'The request is not JSON: ‘params.tasks.0’ is NaN.',
    ],
    ['data of a signal', { data: [{ at: 1n }] }, 'The request is not JSON: ‘data.0.at’ is a big'],
  ])('with %s is refused', (_, request, message) => {
    expect(() => requestJson(request)).toThrow(
      expect.objectContaining({ code: 'bad-input', remedy: expect.any(String) }),
    );
    expect(() => requestJson(request)).toThrow(message);
  });

  const large = 'x'.repeat(MAX_PLAN_BYTES);
  it.each<[string, unknown, string]>([
    ['a task', { title: 'T', tasks: [{ name: 'a' }, task({ large })] }, '‘with’ of task ‘build’.'],
    ['a schedule', { goal: { tasks: [task({ large })] } }, '‘with’ of task ‘build’.'],
    [
      'many tasks',
      { tasks: Array.from({ length: 9 }, () => ({ name: 'a', run: 'x'.repeat(8e6) })) },
      '‘run’ of task ‘a’.',
    ],
    ['its title', { title: large, tasks: [] }, '‘title’.'],
    ['a text as a task', { tasks: [large] }, 'task 1.'],
  ])('that is too large by %s is refused with the largest part', (_, request, where) => {
    expect(() => requestJson(request)).toThrow(
      expect.objectContaining({
        code: 'too-large',
        message: `The request has more than 64 MiB of JSON; the largest part is ${where}`,
        remedy: expect.stringContaining('files'),
      }),
    );
  });

  it('may be as large as is said', () => {
    const data = 'x'.repeat(MAX_PLAN_BYTES - '{"data":""}'.length);
    expect(requestJson({ data })).toEqual({ data });
    expect(() => requestJson({ data: `${data}x` })).toThrow('64 MiB');
  });
});
