import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goalRequestSchema } from '../../src/engine/decisions/enqueue.js';
import { parseFlow, readFlow } from '../../src/plan/flow-file.js';

const repeat = (count: number, line: (index: number) => string, separator = '\n'): string =>
  Array.from({ length: count }, (_, index) => line(index)).join(separator);
const parse = (text: string) => parseFlow(text, { file: 'f.yaml' });
const range = (count: number): string => `[${repeat(count, String, ', ')}]`;

describe('a huge flow', () => {
  test('of 20,000 tasks in 100,000 lines is read', { timeout: 120_000 }, () => {
    const { flow } = parse(
      `name: x\ntasks:\n${repeat(
        20_000,
        (n) =>
          `  t${n}:\n    title: Task ${n}\n    run: "true"\n    timeout: 5s\n    needs: [${n ? `t${n - 1}` : ''}]`,
      )}`,
    );
    expect(flow.tasks).toHaveLength(20_000);
    expect(flow.tasks.at(-1)).toMatchObject({ name: 't19999', needs: ['t19998'] });
  });

  test('that is one circle of 5,000 tasks is refused', () => {
    const circle = repeat(5_000, (n) => `  t${n}: {run: x, needs: t${(n + 1) % 5_000}}`);
    expect(() => parse(`name: x\ntasks:\n${circle}`)).toThrow(/t0 -> t1 -> .* -> t4999 -> t0\./);
  });

  test.each([
    ['brackets', '['.repeat(200_000), 'nested more than 100 levels deep'],
    ['lists in one line', '- '.repeat(200_000), 'nested more than 100 levels deep'],
    [
      'maps in maps',
      repeat(2_000, (n) => `${' '.repeat(n)}a:`),
      'nested more than 100 levels deep',
    ],
    [
      'aliases of aliases',
      `a0: &a0 [x]\n${repeat(150, (n) => `a${n + 1}: &a${n + 1} [*a${n}]`)}`,
      'nested more than 100 levels deep',
    ],
    [
      'an alias bomb',
      `a0: &a0 ${range(9)}\n${repeat(20, (n) => `a${n + 1}: &a${n + 1} [${repeat(9, () => `*a${n}`, ', ')}]`)}`,
      'more than 1,000,000 values',
    ],
    [
      'a merge bomb',
      `a: &a {${repeat(10_000, (n) => `k${n}: 1`, ', ')}}\n${repeat(2_000, (n) => `b${n}: {<<: *a}`)}`,
      'more than 1,000,000 values',
    ],
    ['words without end', `[${'a,'.repeat(1_000_000)}]`, 'more than 1,500,000 words and signs'],
    [
      'a matrix of matrices',
      `name: x\ntasks:\n  a:\n    run: x\n    matrix: {${repeat(9, (n) => `v${n}: ${range(50)}`, ', ')}}`,
      'more than 20,000 tasks',
    ],
    [
      'matrices that need matrices',
      `name: x\ntasks:\n  a: {run: x, matrix: {n: ${range(3_000)}}}\n  b: {run: x, needs: a, matrix: {n: ${range(3_000)}}}`,
      'more than 200,000 needs',
    ],
    [
      'long parameters in many places',
      `name: x\nparameters: {p: ${'p'.repeat(100_000)}}\ntasks: {a: {run: "${'${{parameters.p}}'.repeat(1_000)}"}}`,
      'more than 67,108,864 characters of tasks',
    ],
    [
      'open references',
      `name: x\ntasks: {a: {run: "${'${{'.repeat(300_000)}"}}`,
      'is no reference',
    ],
    [
      'names that are nearly right',
      `name: x\ntasks:\n${repeat(5_000, (n) => `  ${'t'.repeat(60)}${n}: {run: x, needs: ${'t'.repeat(60)}x${n}}`)}`,
      'which is not in this file',
    ],
  ])('of %s is refused', (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test('that has a longer name than a goal may have is refused', () => {
    const named = (length: number): string => `name: ${'n'.repeat(length)}\ntasks: {a: {run: x}}`;
    const { title, tasks } = parse(named(500)).flow;
    expect(goalRequestSchema.safeParse({ title, tasks })).toMatchObject({ success: true });
    expect(() => parse(named(501))).toThrow('f.yaml:1:7: ');
  });

  test('beyond 4 MiB is refused unread', () => {
    expect(() => parse('é'.repeat(2_200_000))).toThrow('f.yaml is larger than 4 MiB');
  });
});

describe('reading a file', () => {
  let folder: string;
  const file = (name: string): string => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-flow-'));
    await writeFile(file('good.yaml'), '\uFEFFname: x\r\ntasks: {a: {run: echo ✓}}\r\n');
    await writeFile(file('bad.yaml'), 'name: x\ntasks: {a: {}}\n');
    await writeFile(file('zero.yaml'), 'name: x\0');
    await writeFile(file('latin.yaml'), Buffer.from('name: caf\xe9', 'latin1'));
    await writeFile(file('large.yaml'), Buffer.alloc(4 * 1024 * 1024 + 1, 0x20));
    await writeFile(file('secret.yaml'), 'name: x');
    await chmod(file('secret.yaml'), 0);
    execFileSync('mkfifo', [file('pipe.yaml')]);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('gives its flow', async () => {
    const { flow } = await readFlow(file('good.yaml'));
    expect(flow.tasks).toMatchObject([{ name: 'a', run: 'echo ✓' }]);
  });

  test('names it in problems, by the path or as the caller calls it', async () => {
    await expect(readFlow(file('bad.yaml'))).rejects.toThrow(`${file('bad.yaml')}:2:9: `);
    await expect(readFlow(file('bad.yaml'), { file: 'mine' })).rejects.toThrow(/^mine:2:9: /);
  });

  test.each([
    ['none.yaml', 'not-found', 'There is no file'],
    ['good.yaml/x', 'not-found', 'There is no file'],
    ['.', 'bad-input', 'is not a file'],
    ['pipe.yaml', 'bad-input', 'is not a file'],
    ['zero.yaml', 'bad-input', 'is not a text file in UTF-8'],
    ['latin.yaml', 'bad-input', 'is not a text file in UTF-8'],
    ['large.yaml', 'too-large', 'is larger than 4 MiB'],
  ])('%s is refused as %s', async (name, code, message) => {
    const error = await readFlow(file(name)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code,
      message: expect.stringContaining(message),
      remedy: expect.any(String),
    });
  });

  test.skipIf(process.getuid?.() === 0)('that may not be read is refused', async () => {
    await expect(readFlow(file('secret.yaml'))).rejects.toMatchObject({ code: 'bad-input' });
  });
});
