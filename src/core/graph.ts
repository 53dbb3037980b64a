/**
 * Questions about a plan's graph. Everything is iterative: a chain of 5,000 tasks must not meet the limit of
 * the call stack.
 */

/** Something with an id and the ids it needs. */
export interface GraphNode {
  readonly id: string;
  readonly needs: readonly string[];
}

/** For each id, the ids of the nodes that need it, in the order of `nodes`. */
export function dependentsOf(nodes: readonly GraphNode[]): Map<string, string[]> {
  const dependents = new Map<string, string[]>(nodes.map((node) => [node.id, []]));
  for (const node of nodes) {
    for (const need of new Set(node.needs)) dependents.get(need)?.push(node.id);
  }
  return dependents;
}

/**
 * The ids so ordered that every need stands before its dependents; ties keep the order of `nodes`.
 * Needs that are not among the nodes are taken as met. Nodes on or behind a cycle are left out, so the result
 * is shorter than `nodes` exactly when there is a cycle.
 */
export function topologicalOrder(nodes: readonly GraphNode[]): string[] {
  const dependents = dependentsOf(nodes);
  const open = new Map(
    nodes.map((node) => [
      node.id,
      [...new Set(node.needs)].filter((need) => dependents.has(need)).length,
    ]),
  );
  const order = nodes.filter((node) => open.get(node.id) === 0).map((node) => node.id);
  for (let index = 0; index < order.length; index += 1) {
    for (const dependent of dependents.get(order[index]!)!) {
      const left = open.get(dependent)! - 1;
      open.set(dependent, left);
      if (left === 0) order.push(dependent);
    }
  }
  return order;
}

/** One cycle as a path that ends where it began (`a`, `b`, `a`), or undefined where there is none. */
export function findCycle(nodes: readonly GraphNode[]): string[] | undefined {
  const sorted = new Set(topologicalOrder(nodes));
  const rest = new Map(nodes.filter((node) => !sorted.has(node.id)).map((node) => [node.id, node]));
  const start = rest.keys().next().value;
  if (start === undefined) return undefined;
  // Every node that is left needs another one that is left, so walking along needs must come round.
  const path: string[] = [];
  const seen = new Map<string, number>();
  let current = start;
  while (!seen.has(current)) {
    seen.set(current, path.length);
    path.push(current);
    current = rest.get(current)!.needs.find((need) => rest.has(need))!;
  }
  return [...path.slice(seen.get(current)), current];
}

/**
 * For each id, the length of the longest path from its beginning to the end of the plan: its own length and
 * that of the longest way behind it.
 * @param length of one node, in any unit
 */
export function ranks<T extends GraphNode>(
  nodes: readonly T[],
  length: (node: T) => number,
): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  /** For each node, dependents whose rank is not known yet; one that names a need twice counts twice. */
  const open = new Map<string, number>();
  for (const { needs } of nodes)
    for (const need of needs) open.set(need, (open.get(need) ?? 0) + 1);
  /** The longest way behind a node; then, its own length included, its rank. */
  const rank = new Map<string, number>();
  const ready = nodes.filter(({ id }) => !open.has(id));
  for (let node = ready.pop(); node; node = ready.pop()) {
    const own = (rank.get(node.id) ?? 0) + length(node);
    rank.set(node.id, own);
    for (const id of node.needs) {
      const need = byId.get(id);
      if (!need) continue;
      rank.set(id, Math.max(rank.get(id) ?? 0, own));
      const left = open.get(id)! - 1;
      open.set(id, left);
      if (left === 0) ready.push(need);
    }
  }
  return rank;
}
