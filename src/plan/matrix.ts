/** Fan-out: one task for every combination of a matrix' values. */
import type { Value, Values } from './substitute.js';

export type Matrix = ReadonlyMap<string, readonly Value[]>;

/** How many combinations there are; computed, because writing them out may not be affordable. */
export function countCombinations(matrix: Matrix): number {
  let count = 1;
  for (const values of matrix.values()) count *= values.length;
  return count;
}

/** Every combination, the last variable changing fastest; one that is empty where there are no variables. */
export function combinations(matrix: Matrix): Values[] {
  let all: Map<string, Value>[] = [new Map()];
  for (const [name, values] of matrix) {
    all = all.flatMap((chosen) => values.map((value) => new Map([...chosen, [name, value]])));
  }
  return all;
}

/** `build (linux, 20)`, or the bare id without a matrix. */
export function variantName(id: string, chosen: Values): string {
  if (chosen.size === 0) return id;
  return `${id} (${[...chosen.values()].map((value) => value.text).join(', ')})`;
}
