/** The tasks of a plan with their needs: what a flow file's tasks become once matrices are written out. */
import { findCycle } from '../core/graph.js';
import { combinations, variantName } from './matrix.js';
import { plain, type ProblemList, quote } from './problems.js';
import { type Scope, substitute, type Values } from './substitute.js';
import { nearest } from './suggest.js';
import type { TaskSource, WrittenNeed } from './task-source.js';
import type { LocatedValue } from './yaml-value.js';

/** Needs after matrices are written out: two matrices of 10,000 would have 100 million. */
const MAX_NEEDS = 200_000;
/** Names that dangling needs are compared with; a plan of 20,000 would take minutes otherwise. */
const MAX_COMPARISONS = 50_000;
/** Each takes a walk over the graph. */
const MAX_CYCLES = 20;

/** One task of the plan. */
export interface Variant {
  readonly name: string;
  readonly source: TaskSource;
  readonly scope: Scope;
  /** Names of other variants, or of tasks outside the file, each once. */
  readonly needs: readonly string[];
}

interface Link {
  readonly names: readonly string[];
  readonly need: WrittenNeed;
}

/**
 * Writes out the matrices and follows the needs; whatever is wrong with the graph becomes a problem.
 * @param isAddition needs that name no task of the file name one of the goal that it is added to
 */
export function expandTasks(
  sources: readonly TaskSource[],
  parameters: Values,
  file: LocatedValue,
  problems: ProblemList,
  isAddition: boolean,
): Variant[] {
  const named = nameVariants(sources, parameters, file, problems);
  const resolve = resolver(named.byName, named.byId, sources);
  const links = new Map<string, readonly Link[]>();
  const variants: Variant[] = [];
  let count = 0;
  const candidates = new Set([...named.byId.keys(), ...named.byName.keys()]);
  let comparisons = 0;
  for (const { name, source, scope } of named.byName.values()) {
    const own: Link[] = [];
    for (const need of source.needs) {
      const text = substitute(need.text, scope);
      const isOutside = isAddition && !text.includes('${{');
      const names = resolve(text) ?? (isOutside ? [text] : undefined);
      if (names?.includes(name)) {
        addSelfNeed(source, need, file, problems);
      } else if (names) {
        own.push({ names, need });
        count += names.length;
      } else if (!text.includes('${{')) {
        comparisons += candidates.size;
        const likely = comparisons > MAX_COMPARISONS ? undefined : nearest(text, candidates);
        addDangling(text, source, need, likely, file, problems);
      }
    }
    if (count > MAX_NEEDS) {
      problems.add(
        file.offsetOf(source.path, true),
        `with task ${quote(source.id)} the plan has more than ${MAX_NEEDS.toLocaleString('en')} needs`,
        'Put one task between two matrices: it needs all of the first, and all of the second need it.',
      );
      return [];
    }
    links.set(name, own);
    variants.push({ name, source, scope, needs: [...new Set(own.flatMap((link) => link.names))] });
  }
  addCycles(variants, links, file, problems);
  return variants;
}

function nameVariants(
  sources: readonly TaskSource[],
  parameters: Values,
  file: LocatedValue,
  problems: ProblemList,
) {
  const byName = new Map<string, { name: string; source: TaskSource; scope: Scope }>();
  const byId = new Map<string, string[]>();
  for (const source of sources) {
    const names: string[] = [];
    for (const matrix of combinations(source.matrix)) {
      const name = variantName(source.id, matrix);
      const other = byName.get(name);
      if (other) {
        const where = other.source === source ? 'twice in its matrix' : 'for two tasks';
        problems.add(
          file.offsetOf(source.path, true),
          `the name ${quote(name)} comes up ${where}`,
          'Give tasks and matrix values names that stay different.',
        );
        continue;
      }
      byName.set(name, { name, source, scope: { parameters, matrix } });
      names.push(name);
    }
    byId.set(source.id, names);
  }
  return { byName, byId };
}

/** A name leads to its task, the id of a task with a matrix to all of its variants. */
function resolver(
  byName: ReadonlyMap<string, unknown>,
  byId: ReadonlyMap<string, readonly string[]>,
  sources: readonly TaskSource[],
): (need: string) => readonly string[] | undefined {
  const broken = sources.filter((source) => source.matrixBroken).map(({ id }) => `${id} (`);
  return (need) => {
    const names = byId.get(need) ?? (byName.has(need) ? [need] : undefined);
    // Variants of a matrix that cannot be read may well exist.
    return names ?? (broken.some((prefix) => need.startsWith(prefix)) ? [] : undefined);
  };
}

function addSelfNeed(
  source: TaskSource,
  need: WrittenNeed,
  file: LocatedValue,
  problems: ProblemList,
): void {
  problems.add(
    file.offsetOf(need.path),
    `task ${quote(source.id)} needs itself`,
    'Remove this need, or name the task that comes before.',
  );
}

function addDangling(
  text: string,
  source: TaskSource,
  need: WrittenNeed,
  likely: string | undefined,
  file: LocatedValue,
  problems: ProblemList,
): void {
  problems.add(
    file.offsetOf(need.path),
    `task ${quote(source.id)} needs ${quote(text)}, which is not in this file`,
    likely ? `Did you mean ${quote(likely)}?` : 'Add that task, or remove the need.',
  );
}

/** One problem for each cycle, as far as cycles share no task. */
function addCycles(
  variants: readonly Variant[],
  links: ReadonlyMap<string, readonly Link[]>,
  file: LocatedValue,
  problems: ProblemList,
): void {
  let nodes = variants.map(({ name, needs }) => ({ id: name, needs }));
  const reported = new Set<number>();
  for (let found = 0; found < MAX_CYCLES; found += 1) {
    const cycle = findCycle(nodes);
    if (!cycle) return;
    const link = links.get(cycle[0]!)!.find(({ names }) => names.includes(cycle[1]!))!;
    const offset = file.offsetOf(link.need.path);
    // The variants of one matrix go round in the same way.
    if (!reported.has(offset)) {
      reported.add(offset);
      problems.add(
        offset,
        `the needs go round in a circle: ${cycle.map(plain).join(' -> ')}`,
        'Remove one of these needs; each task waits for the one its arrow points to.',
      );
    }
    const members = new Set(cycle);
    nodes = nodes.filter(({ id }) => !members.has(id));
  }
}
