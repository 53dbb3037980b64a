/**
 * What open work really waits for: needs of done work are met, left-out work hands on what it needs itself, so that
 * no order is lost, and a need that leads nowhere is left out. Whatever is not as it is written is told, once.
 */
import { firstOf } from '../../core/counted.js';
import { nearest } from '../suggest.js';
import { nameFrom, quoted } from './fields.js';
import type { Dropped, Finding, FindingKind, Item, ItemNeed } from './item.js';

/** Names of open work, each with the left-out work that the need leads through. */
export type OpenNeeds = ReadonlyMap<string, readonly string[]>;

/** Names that dangling needs are compared with; more would take minutes. */
const MAX_COMPARISONS = 5_000_000;
/** Names that one message tells. */
const SHOWN = 5;
const NONE: OpenNeeds = new Map();

export class Needs {
  private readonly byName: ReadonlyMap<string, Item>;
  private readonly behindLeftOut = new Map<string, OpenNeeds>();
  private readonly told = new Set<string>();
  private comparisons = 0;

  constructor(
    items: readonly Item[],
    private readonly findings: Finding[],
  ) {
    this.byName = new Map(items.map((item) => [item.name, item]));
  }

  /** The open work that an item waits for; none where it is not open itself. */
  of(item: Item): OpenNeeds {
    const open = new Map<string, readonly string[]>();
    const early = new Set<string>();
    for (const need of item.needs) {
      const needed = this.lookUp(need);
      if (!needed) this.tellDangling(item, need);
      else if (needed.name === item.name) this.tellOfItself(item, need);
      else if (item.state === 'done' && needed.state === 'open') early.add(needed.name);
      else if (item.state === 'open' && needed.state === 'open') open.set(needed.name, []);
      else if (item.state === 'open' && typeof needed.state === 'object') {
        const instead = this.behind(needed);
        this.tellLeftOut(item, need, needed.state, instead);
        for (const [name, through] of instead) if (!open.has(name)) open.set(name, through);
      }
    }
    if (early.size > 0) this.tellEarly(item, [...early]);
    return item.state === 'open' ? open : NONE;
  }

  private lookUp({ name }: ItemNeed): Item | undefined {
    return this.byName.get(name) ?? this.byName.get(nameFrom(name));
  }

  /** The open work that left-out work waits for, however much of that is left out as well. */
  private behind(dropped: Item): OpenNeeds {
    const known = this.behindLeftOut.get(dropped.name);
    if (known) return known;
    const open = new Map<string, readonly string[]>();
    const ways = new Map<Item, readonly string[]>([[dropped, [dropped.name]]]);
    for (const [item, way] of ways) {
      for (const need of item.needs) {
        const needed = this.lookUp(need);
        if (needed?.state === 'open' && !open.has(needed.name)) open.set(needed.name, way);
        if (typeof needed?.state === 'object' && !ways.has(needed)) {
          ways.set(needed, [...way, needed.name]);
        }
      }
    }
    this.behindLeftOut.set(dropped.name, open);
    return open;
  }

  private tellDangling(item: Item, need: ItemNeed): void {
    const message = `waits for ${quoted(need.name)}, which is not in the file`;
    this.tell('dangling', item, need, message, () => {
      const likely = this.likely(item, need);
      const hint = likely === undefined ? '' : ` Perhaps ${quoted(likely)} was meant.`;
      return `The need is left out.${hint}`;
    });
  }

  /** Names that differ in a number are different things, and not one of them mistyped. */
  private likely(item: Item, { name, of }: ItemNeed): string | undefined {
    this.comparisons += this.byName.size;
    if (this.comparisons > MAX_COMPARISONS) return undefined;
    const others = [...this.byName.keys()].filter((other) => other !== item.name && other !== of);
    const letters = (text: string): string => text.replace(/\d+/g, '');
    const likely = nearest(name, others);
    return likely !== undefined && letters(likely) === letters(name) ? undefined : likely;
  }

  private tellOfItself(item: Item, need: ItemNeed): void {
    this.tell('circular', item, need, 'waits for itself', () => 'The need is left out.');
  }

  private tellLeftOut(item: Item, need: ItemNeed, { because }: Dropped, instead: OpenNeeds): void {
    const message = `waits for ${quoted(need.name)}, which is left out because it ${because}`;
    this.tell('left-out', item, need, message, () => {
      const sense = 'look whether the task still makes sense';
      if (instead.size === 0)
        return `Nothing is to be done before that: the need is left out; ${sense}.`;
      return `It waits for what that waited for, ${list([...instead.keys()])}; ${sense}.`;
    });
  }

  private tellEarly({ name, where }: Item, open: readonly string[]): void {
    this.findings.push({
      kind: 'done-early',
      where,
      message: `${quoted(name)} is done, but waits for ${list(open)}, which ${open.length === 1 ? 'is' : 'are'} not`,
      done: 'It stays done; what it waited for is imported.',
    });
  }

  /** A need that several have because of one place in the file is one mistake. */
  private tell(
    kind: FindingKind,
    { name }: Item,
    need: ItemNeed,
    message: string,
    done: () => string,
  ): void {
    const { where, of = name } = need;
    const key = JSON.stringify([kind, where, of, need.name]);
    if (this.told.has(key)) return;
    this.told.add(key);
    this.findings.push({ kind, where, message: `${quoted(of)} ${message}`, done: done() });
  }
}

const list = (names: readonly string[]): string => firstOf(names.map(quoted), SHOWN);
