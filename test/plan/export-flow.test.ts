/** Plans as flow files: what is written is read back as the same plan. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Approval, type PlannedTask, plannedTaskSchema } from '../../src/core/plan.js';
import { exportFlow } from '../../src/plan/export-flow.js';
import { parseFlow } from '../../src/plan/flow-file.js';
import { parsePlan } from '../../src/plan/import/import-plan.js';

/** Texts that mean something in YAML, in a flow file or to a terminal. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    '${{ matrix.os }}',
    '${{',
    'a ${{ github.sha }} b',
    '# no',
    '- 1',
    'null',
    '1.10',
    '<<',
    '*a',
    'a\n\tb\n',
    ' x ',
  ),
);
const name = text
  .map((value) => value.replace(/\p{Cc}/gu, '_').slice(0, 60))
  .filter((value) => value !== '' && value !== '__proto__' && value !== '<<');

const work = fc.oneof(
  fc.record({ run: text.filter((value) => value !== '') }),
  fc.record({
    with: fc.dictionary(
      fc.constantFrom('a', 'b', '1'),
      fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.array(text)),
    ),
  }),
);
const extras = fc.record(
  {
    title: text,
    env: fc.dictionary(fc.constantFrom('A', 'B_1'), text),
    timeout: fc.integer({ min: 1, max: 2_147_483_647 }),
    expected: fc.integer({ min: 0, max: 2_147_483_647 }),
    optional: fc.boolean(),
    priority: fc.constantFrom('urgent' as const, 'low' as const),
    check: fc.record({
      run: text.filter((value) => value !== ''),
      timeout: fc.integer({ min: 1, max: 1_000 }),
    }),
    retry: fc.record({ attempts: fc.integer({ min: 1, max: 9 }) }),
  },
  { requiredKeys: [] },
);

const plan = fc
  .uniqueArray(name, { minLength: 1, maxLength: 10 })
  .chain((names) =>
    fc.tuple(
      ...names.map((own, index) =>
        fc
          .tuple(
            work,
            extras,
            fc.constantFrom('shell', 'developer'),
            fc.subarray(names.slice(0, index)),
          )
          .map(([does, more, capability, needs]): PlannedTask =>
            plannedTaskSchema.parse({ name: own, capability, needs, ...does, ...more }),
          ),
      ),
    ),
  );

test('export, import and export give the same plan and the same text', () => {
  fc.assert(
    fc.property(
      plan,
      text.filter((value) => value !== ''),
      fc.constantFrom<Approval>('before', { when: 'before', deadline: 1_000, default: 'approve' }),
      (tasks, title, approve) => {
        const flow = {
          title: title.slice(0, 500),
          priority: 'high' as const,
          project: 'web',
          approve,
          tasks,
        };
        const written = exportFlow(flow);
        const { flow: read } = parsePlan(written, 'flow.yaml', { format: 'flow' });
        expect(read).toEqual(flow);
        expect(exportFlow(read)).toBe(written);
      },
    ),
  );
});

test('the order of the keys in a plan makes no other text', () => {
  const approve = { when: 'before', deadline: 60_000, default: 'deny' } as const;
  const task = plannedTaskSchema.parse({
    name: '10',
    capability: 'shell',
    run: 'ls',
    env: { B: '1', A: '2' },
    timeout: 1_000,
    check: { run: 'test', timeout: 5 },
    priority: 'low',
    expected: 5,
    approve,
    concurrency: { key: 'db', limit: 2 },
    retry: { attempts: 2, backoff: { type: 'fixed', delay: 1 } },
  });
  const turned: PlannedTask = {
    ...reversed(task),
    env: task.env,
    retry: { ...reversed(task.retry), backoff: reversed(task.retry.backoff) },
    check: reversed(task.check!),
    approve: reversed(approve),
    concurrency: reversed(task.concurrency!),
  };
  const head = { title: 't', priority: 'normal' } as const;
  expect(exportFlow({ ...head, tasks: [turned] })).toBe(exportFlow({ ...head, tasks: [task] }));
});

const reversed = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).toReversed()) as T;

test('defaults are left out, so that the file stays short', () => {
  const { flow } = parseFlow(
    'name: a\ntasks: { b: { run: ls, timeout: 5s }, c: { needs: b, with: { x: 1 }, capability: d } }',
    { file: 'a' },
  );
  expect(exportFlow(flow)).toBe(
    'name: a\ntasks:\n  b:\n    run: ls\n    timeout: 5000\n  c:\n    capability: d\n    needs:\n      - b\n    with:\n      x: 1\n',
  );
});

test('a task that says what to do in two ways cannot be written', () => {
  const task = plannedTaskSchema.parse({ name: 'a', capability: 'developer', run: 'ls', with: {} });
  expect(() => exportFlow({ title: 't', priority: 'normal', tasks: [task] })).toThrow(
    /both `run` and `with`/,
  );
});
