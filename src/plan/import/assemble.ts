/**
 * From pieces of work to a plan: done work is left out, dangling and repeated needs are, two of one name become
 * two, and whatever was changed is told. A circle is not guessed at: it is refused with its path.
 */
import { isDeepStrictEqual } from 'node:util';
import { DroverError } from '../../core/errors.js';
import { findCycle } from '../../core/graph.js';
import { type PlannedTask, plannedTaskSchema } from '../../core/plan.js';
import { MAX_TASKS } from '../../core/plan-check.js';
import { nearest } from '../suggest.js';
import { oneLine } from './fields.js';
import type { Finding, Item } from './item.js';

const MAX_TITLE = 1_000;
const MAX_NAME = 200;
/** Milliseconds that a task's times can hold. */
const LONGEST = 2_147_483_647;
/** Names that dangling needs are compared with; more would take minutes. */
const MAX_COMPARISONS = 50_000;

export interface Assembled {
  readonly tasks: readonly PlannedTask[];
  /** Work that was done already, by name. */
  readonly satisfied: readonly { readonly name: string; readonly title: string }[];
  /** Work that had been given up. */
  readonly dropped: readonly { readonly name: string; readonly title: string }[];
  readonly findings: readonly Finding[];
}

/** @throws DroverError `bad-plan` where needs go round in a circle, `bad-input` where nothing is left to do */
export function assemble(given: readonly Item[], capability: string): Assembled {
  const findings: Finding[] = [];
  const items = distinct(given, findings);
  const byName = new Map(items.map((item) => [item.name, item]));
  const needs = new Map(items.map((item) => [item.name, neededBy(item, byName, findings)]));
  refuseCircle(items, needs);
  const open = items.filter(({ state }) => state === 'open');
  if (open.length > MAX_TASKS) {
    throw new DroverError(
      'bad-plan',
      `The file has ${open.length} open tasks; ${MAX_TASKS} are allowed in one goal.`,
      'Split it into several files.',
    );
  }
  return {
    tasks: open.map((item) => plan(item, needs.get(item.name)!, capability, findings)),
    satisfied: items.filter(({ state }) => state === 'done').map(named),
    dropped: items.filter(({ state }) => state === 'dropped').map(named),
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
    const { where, ...content } = item;
    const { where: _, ...firstContent } = first;
    if (isDeepStrictEqual(content, firstContent)) {
      findings.push({ kind: 'duplicate', where, message, done: 'It is imported once.' });
      continue;
    }
    const name = freeName(item.name, items);
    const done = `This one is imported as ${quoted(name)}; needs of ${quoted(item.name)} lead to the first.`;
    findings.push({ kind: 'duplicate', where, message, done });
    items.set(name, { ...item, name });
  }
  return [...items.values()];
}

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  for (let number = 2; ; number += 1) {
    const candidate = `${name.slice(0, MAX_NAME - 8)} (${number})`;
    if (!taken.has(candidate)) return candidate;
  }
}

function usable({ name, where }: Item, findings: Finding[]): string {
  const shorter = oneLine(name).slice(0, MAX_NAME) || 'unnamed';
  if (shorter === name) return name;
  const message = `the id ${quoted(name)} cannot be the name of a task`;
  findings.push({ kind: 'value', where, message, done: `It becomes ${quoted(shorter)}.` });
  return shorter;
}

/** The names of open items that have to be done first; for a done one, nothing. */
function neededBy(item: Item, byName: ReadonlyMap<string, Item>, findings: Finding[]): string[] {
  const open = new Set<string>();
  const early = new Set<string>();
  for (const { name: written, where } of item.needs) {
    const name = byName.has(written) ? written : oneLine(written).slice(0, MAX_NAME);
    const needed = byName.get(name);
    const add = (kind: Finding['kind'], message: string, done: string): void => {
      findings.push({ kind, where, message, done });
    };
    if (item.state === 'dropped') continue;
    if (name === item.name) {
      add('circular', `${quoted(name)} waits for itself`, 'The need is left out.');
    } else if (!needed) {
      const likely =
        byName.size * findings.length > MAX_COMPARISONS * 100
          ? undefined
          : nearest(name, byName.keys());
      const hint = likely === undefined ? '' : ` Perhaps ${quoted(likely)} was meant.`;
      add(
        'dangling',
        `${quoted(item.name)} waits for ${quoted(name)}, which is not in the file`,
        `The need is left out.${hint}`,
      );
    } else if (needed.state === 'dropped') {
      if (item.state === 'done') continue;
      add(
        'given-up',
        `${quoted(item.name)} waits for ${quoted(name)}, which was given up`,
        'The need is left out; look whether the task still makes sense.',
      );
    } else if (needed.state === 'open') {
      if (item.state === 'done') early.add(name);
      else open.add(name);
    }
  }
  if (early.size > 0) {
    findings.push({
      kind: 'done-early',
      where: item.where,
      message: `${quoted(item.name)} is done, but waits for ${[...early].map(quoted).join(', ')}, which ${early.size === 1 ? 'is' : 'are'} not`,
      done: 'It stays done; what it waited for is imported.',
    });
  }
  return [...open];
}

function refuseCircle(items: readonly Item[], needs: ReadonlyMap<string, readonly string[]>): void {
  const cycle = findCycle(items.map(({ name }) => ({ id: name, needs: needs.get(name)! })));
  if (!cycle) return;
  const where = new Map(items.map((item) => [item.name, item.where]));
  throw new DroverError(
    'bad-plan',
    `These tasks wait for each other: ${cycle.map(oneLine).join(' → ')} (${where.get(cycle[0]!)}).`,
    'Remove one of these needs in the file; nothing was imported.',
  );
}

function plan(
  { name, title, work, priority, capability: own, where, expected }: Item,
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
    capability: own ?? capability,
    needs,
    ...(priority !== undefined && { priority }),
    ...(expected !== undefined && { expected: Math.min(expected, LONGEST) }),
  });
}

const quoted = (text: string): string => `‘${oneLine(text).slice(0, 80)}’`;
