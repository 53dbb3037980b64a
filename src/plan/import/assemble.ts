/**
 * From pieces of work to a plan: work that is not open is left out, two of one name become two, and whatever was
 * changed is told. A circle is not guessed at: it is refused with its path.
 */
import { isDeepStrictEqual } from 'node:util';
import { DroverError } from '../../core/errors.js';
import { findCycle } from '../../core/graph.js';
import { type PlannedTask, plannedTaskSchema } from '../../core/plan.js';
import { MAX_TASKS } from '../../core/plan-check.js';
import { MAX_NAME, nameFrom, oneLine, quoted } from './fields.js';
import type { Dropped, Finding, Item } from './item.js';
import { Needs, type OpenNeeds } from './needs.js';

const MAX_TITLE = 1_000;
/** Milliseconds that a task's times can hold. */
const LONGEST = 2_147_483_647;

/** Work that is not in the plan. */
export interface LeftOut {
  readonly name: string;
  readonly title: string;
}

export interface Assembled {
  readonly tasks: readonly PlannedTask[];
  /** Work that was done already. */
  readonly satisfied: readonly LeftOut[];
  /** Work that is left out for another reason. */
  readonly dropped: readonly (LeftOut & Dropped)[];
  readonly findings: readonly Finding[];
}

/** @throws DroverError `bad-plan` where needs go round in a circle, `bad-input` where nothing is left to do */
export function assemble(given: readonly Item[], capability: string, file: string): Assembled {
  const findings: Finding[] = [];
  const items = distinct(given, findings);
  const reader = new Needs(items, findings);
  const needs = new Map(items.map((item) => [item.name, reader.of(item)]));
  refuseCircle(items, needs, file);
  const open = items.filter(({ state }) => state === 'open');
  if (open.length > MAX_TASKS) {
    throw new DroverError(
      'bad-plan',
      `${file} has ${open.length} open tasks; ${MAX_TASKS} are allowed in one goal.`,
      'Split it into several files.',
    );
  }
  return {
    tasks: open.map((item) => plan(item, [...needs.get(item.name)!.keys()], capability, findings)),
    satisfied: items.filter(({ state }) => state === 'done').map(named),
    dropped: items.flatMap((item) =>
      typeof item.state === 'object' ? [{ ...named(item), ...item.state }] : [],
    ),
    findings,
  };
}

const named = ({ name, title }: Item) => ({ name, title: oneLine(title ?? name) });

/** Every item with a name of its own that can be one. */
function distinct(given: readonly Item[], findings: Finding[]): Item[] {
  const items = new Map<string, Item>();
  for (const written of given) {
    const item = { ...written, name: usable(written, findings) };
    const first = items.get(item.name);
    if (!first) {
      items.set(item.name, item);
      continue;
    }
    const message = `${quoted(item.name)} is there twice; the first is ${first.where}`;
    if (isDeepStrictEqual(withoutPlaces(item), withoutPlaces(first))) {
      findings.push({
        kind: 'duplicate',
        where: item.where,
        message,
        done: 'It is imported once.',
      });
      continue;
    }
    const name = freeName(item.name, items);
    const done = `This one is imported as ${quoted(name)}; needs of ${quoted(item.name)} lead to the first.`;
    findings.push({ kind: 'duplicate', where: item.where, message, done });
    items.set(name, { ...item, name });
  }
  return [...items.values()];
}

const withoutPlaces = (item: Item): object => ({
  ...item,
  where: '',
  needs: item.needs.map(({ name }) => name),
});

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  for (let number = 2; ; number += 1) {
    const candidate = `${name.slice(0, MAX_NAME - 8)} (${number})`;
    if (!taken.has(candidate)) return candidate;
  }
}

function usable({ name, where }: Item, findings: Finding[]): string {
  const shorter = nameFrom(name);
  if (shorter === name) return name;
  const message = `the id ${quoted(name)} cannot be the name of a task`;
  findings.push({ kind: 'value', where, message, done: `It becomes ${quoted(shorter)}.` });
  return shorter;
}

/** Told with what is left out on the way: the circle is in the file, not in the plan. */
function refuseCircle(
  items: readonly Item[],
  needs: ReadonlyMap<string, OpenNeeds>,
  file: string,
): void {
  const cycle = findCycle(
    items.map(({ name }) => ({ id: name, needs: [...needs.get(name)!.keys()] })),
  );
  if (!cycle) return;
  const path = cycle.flatMap((name, index) => [
    ...(index === 0 ? [] : needs.get(cycle[index - 1]!)!.get(name)!),
    name,
  ]);
  const where = items.find(({ name }) => name === cycle[0])!.where;
  throw new DroverError(
    'bad-plan',
    `These tasks of ${file} wait for each other: ${path.map(oneLine).join(' → ')} (${where}).`,
    'Remove one of these needs in the file; nothing was imported.',
  );
}

function plan(
  { name, title, work, priority, where, expected }: Item,
  needs: readonly string[],
  capability: string,
  findings: Finding[],
): PlannedTask {
  const words = title === undefined ? undefined : oneLine(title);
  if (words !== undefined && words.length > MAX_TITLE) {
    const message = `the title of ${quoted(name)} is longer than ${MAX_TITLE} characters`;
    findings.push({ kind: 'value', where, message, done: 'It is cut.' });
  }
  return plannedTaskSchema.parse({
    ...work,
    name,
    ...(words && { title: words.slice(0, MAX_TITLE) }),
    capability,
    needs,
    ...(priority !== undefined && { priority }),
    ...(expected !== undefined && { expected: Math.min(expected, LONGEST) }),
  });
}
