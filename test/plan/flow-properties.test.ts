import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseFlow } from '../../src/plan/flow-file.js';
import { FlowProblems } from '../../src/plan/problems.js';

const id = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => !/[\p{Cc}\u2028\u2029]|\$\{\{/u.test(text) && text !== '__proto__');
const ids = fc.uniqueArray(id, { minLength: 1, maxLength: 12 });

/** For each task, which of all tasks it needs, as one bit each. */
const edges = fc.array(fc.nat(), { minLength: 12, maxLength: 12 });

const work = fc.record(
  {
    title: fc.string({ maxLength: 40 }),
    env: fc.dictionary(fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/), fc.string()),
    timeout: fc.integer({ min: 1, max: 100_000 }),
    optional: fc.boolean(),
  },
  { requiredKeys: [] },
);

const asYaml = (graph: ReadonlyMap<string, object>): string =>
  stringify({ name: 'random', tasks: graph }, { lineWidth: 0 });

test('a valid plan written as YAML is read back as the same graph', () => {
  fc.assert(
    fc.property(
      ids,
      edges,
      fc.array(work, { minLength: 12, maxLength: 12 }),
      (names, bits, works) => {
        const written = names.map((name, index) => ({
          name,
          // Only earlier tasks, so there is no way round.
          needs: names.filter((_, other) => other < index && (bits[index]! >> other) & 1),
          ...works[index]!,
        }));
        fc.pre(!written.some((task) => JSON.stringify(task).includes('${{')));
        const graph = new Map(written.map(({ name, ...task }) => [name, { run: 'true', ...task }]));
        const { flow } = parseFlow(asYaml(graph), { file: 'random.yaml' });
        expect(flow.tasks).toMatchObject(written);
        expect(flow.tasks).toHaveLength(written.length);
      },
    ),
  );
});

test('a graph with a cycle is refused, and the path that is named really is one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), edges, fc.nat(), (size, bits, seed) => {
      const names = Array.from({ length: size }, (_, index) => `t${index}`);
      const needs = new Map(
        names.map((name, index) => [
          name,
          names.filter((_, other) => other !== index && (bits[index]! >> other) & 1),
        ]),
      );
      // One way round is certain; there may be more.
      const [from, to] = [names[seed % size]!, names[(seed + 1) % size]!];
      needs.set(from, [...new Set([...needs.get(from)!, to])]);
      needs.set(to, [...new Set([...needs.get(to)!, from])]);
      const graph = new Map([...needs].map(([name, own]) => [name, { run: 'true', needs: own }]));
      const paths = cyclesIn(asYaml(graph));
      expect(paths.length).toBeGreaterThan(0);
      for (const path of paths) {
        expect(path.length).toBeGreaterThan(2);
        expect(path.at(-1)).toBe(path[0]);
        for (const [index, name] of path.slice(0, -1).entries()) {
          expect(needs.get(name)).toContain(path[index + 1]);
        }
      }
    }),
  );
});

function cyclesIn(text: string): string[][] {
  try {
    parseFlow(text, { file: 'random.yaml' });
    return [];
  } catch (error) {
    if (!(error instanceof FlowProblems)) throw error;
    return error.problems.map(({ message }) => message.split('circle: ')[1]!.split(' -> '));
  }
}

test('no text at all makes reading fail in another way than by naming problems', () => {
  const piece = fc.constantFrom(
    'name: x\n',
    'tasks:\n',
    '  a:\n',
    '    run: x\n',
    '&a ',
    '*a',
    '<<: ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|\n',
    '? ',
    ': ',
    ', ',
    '#',
    '\t',
    '\r\n',
    '!!map ',
    '%YAML 1.1\n',
    '---\n',
    '...\n',
    '__proto__',
    '${{',
    '}}',
    'needs',
    'matrix',
    'parameters',
    '0x1',
    '~',
    '\u0000',
    '\uFEFF',
    '😀',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (pieces) => {
      try {
        parseFlow(pieces.join(''), { file: 'random.yaml' });
      } catch (error) {
        expect(error).toBeInstanceOf(FlowProblems);
        for (const { line, column } of (error as FlowProblems).problems) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
        }
      }
    }),
    { numRuns: 500 },
  );
});
