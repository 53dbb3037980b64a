import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GraphNode, ranks } from '../../src/core/graph.js';

interface Timed extends GraphNode {
  readonly length: number;
}

/** Graphs in which a node needs only earlier ones, so they have no cycle. */
const graphs = fc
  .array(fc.tuple(fc.array(fc.nat(), { maxLength: 3 }), fc.integer({ min: 1, max: 100 })), {
    minLength: 1,
    maxLength: 9,
  })
  .map((nodes) =>
    nodes.map(([needs, length], index): Timed => ({
      id: `n${index}`,
      needs: index === 0 ? [] : [...new Set(needs.map((need) => `n${need % index}`))],
      length,
    })),
  );

/** Every way from a node to an end of the graph, walked one by one. */
function longestWay(nodes: readonly Timed[], from: Timed): number {
  const behind = nodes
    .filter(({ needs }) => needs.includes(from.id))
    .map((node) => longestWay(nodes, node));
  return from.length + Math.max(0, ...behind);
}

describe('ranks', () => {
  it('are the longest ways to the end of the plan', () => {
    fc.assert(
      fc.property(graphs, (nodes) => {
        const found = ranks(nodes, ({ length }) => length);
        for (const node of nodes) expect(found.get(node.id)).toBe(longestWay(nodes, node));
      }),
    );
  });

  it('are found for a chain of 5,000', () => {
    const chain = Array.from({ length: 5_000 }, (_, index) => ({
      id: `n${index}`,
      needs: index === 0 ? [] : [`n${index - 1}`],
    }));
    expect(ranks(chain, () => 2).get('n0')).toBe(10_000);
  });
});
