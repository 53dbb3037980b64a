/**
 * From YAML nodes to plain values that remember their places in the text. Aliases share what they repeat, so
 * building takes linear time; how much they stand for is counted, and a file that stands for too much
 * (an alias bomb) is refused before anything walks over it.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { type ProblemList, quote } from './problems.js';
import { MAX_DEPTH } from './yaml-syntax.js';

/** Values with every alias written out. */
const MAX_VALUES = 1_000_000;

type Path = readonly PropertyKey[];
type Entries = ReadonlyMap<string, Pair> | YAMLSeq;

interface Built {
  readonly value: unknown;
  /** Values in it, aliases written out. */
  readonly size: number;
  /** Levels of nesting in it. */
  readonly height: number;
}

/** A value read from YAML, and where each part of it stands. */
export class LocatedValue {
  constructor(
    readonly value: unknown,
    private readonly root: number,
    private readonly entries: ReadonlyMap<object, Entries>,
  ) {}

  /** The keys of a map in the order of the file, which objects do not keep for keys like `1`. */
  keysOf(map: object): string[] {
    const entries = this.entries.get(map);
    return entries instanceof Map ? [...entries.keys()] : [];
  }

  /** The offset of what stands at the path, or of the nearest thing around it; `key` asks for its key. */
  offsetOf(path: Path, key = false): number {
    let at: { key: number; value: number } = { key: this.root, value: this.root };
    let container = this.value;
    for (const step of path) {
      const entry = this.entryAt(container, step);
      if (!entry) return at.key;
      at = entry;
      container = entry.content;
    }
    return key ? at.key : at.value;
  }

  /** A number or boolean as it stands in the file, so that `1.10` is not taken for `1.1`. */
  textAt(path: Path): string {
    let content = this.value;
    let node: unknown;
    for (const step of path) {
      const entry = this.entryAt(content, step);
      content = entry?.content;
      node = entry?.node;
    }
    return isScalar(node) && node.source !== undefined && typeof content !== 'string'
      ? node.source
      : String(content);
  }

  private entryAt(container: unknown, step: PropertyKey) {
    const entries = this.entries.get(container as object);
    if (!entries) return undefined;
    if (entries instanceof Map) {
      const pair = entries.get(String(step));
      if (!pair) return undefined;
      const key = offsetOf(pair.key, this.root);
      const content = (container as Record<string, unknown>)[String(step)];
      // A key without a value has nothing to point at but itself.
      const value = content === null ? key : offsetOf(pair.value, key);
      return { key, value, content, node: pair.value };
    }
    const node = (entries as YAMLSeq).items[Number(step)];
    if (node === undefined) return undefined;
    const offset = offsetOf(node, this.root);
    const content = (container as unknown[])[Number(step)];
    return { key: offset, value: offset, content, node };
  }
}

const offsetOf = (node: unknown, otherwise: number): number =>
  (node as Node | null | undefined)?.range?.[0] ?? otherwise;

/** Builds the document's value; undefined where it cannot be used, and the problems say why. */
export function buildValue(
  document: Document.Parsed,
  lines: LineCounter,
  problems: ProblemList,
): LocatedValue | undefined {
  const builder = new Builder(lines, problems);
  const { value } = builder.build(document.contents, 0);
  if (builder.unusable) return undefined;
  return new LocatedValue(value, offsetOf(document.contents, 0), builder.entries);
}

const NOTHING: Built = { value: null, size: 1, height: 0 };

class Builder {
  readonly entries = new Map<object, Entries>();
  /** True once something is missing from the value, so that checks of it would mislead. */
  unusable = false;
  private readonly anchors = new Map<string, Built>();
  private total = 0;

  constructor(
    private readonly lines: LineCounter,
    private readonly problems: ProblemList,
  ) {}

  build(node: unknown, depth: number): Built {
    if (isAlias(node)) return this.resolve(node, depth);
    this.total += 1;
    const built = isMap(node)
      ? this.map(node, depth)
      : isSeq(node)
        ? this.list(node, depth)
        : scalar(node);
    if (node && (isMap(node) || isSeq(node) || isScalar(node)) && node.anchor) {
      this.anchors.set(node.anchor, built);
    }
    return built;
  }

  private resolve(alias: Alias, depth: number): Built {
    // An anchor counts once its value is complete, so an alias can never lead into itself.
    const built = this.anchors.get(alias.source);
    if (!built) {
      return this.give(
        alias,
        `alias ${quote(`*${alias.source}`)} has no finished anchor before it`,
        `Write ${quote(`&${alias.source}`)} at the value to repeat, further up in the file.`,
      );
    }
    const before = this.total;
    this.total += built.size;
    if (this.total > MAX_VALUES) {
      // Said once; every alias after that would say it again.
      if (before > MAX_VALUES) return NOTHING;
      return this.give(
        alias,
        `the file stands for more than ${MAX_VALUES.toLocaleString('en')} values with its aliases written out`,
        'Repeat less with aliases, or split the flow into several goals.',
      );
    }
    if (depth + built.height > MAX_DEPTH) {
      return this.give(
        alias,
        `values are nested more than ${MAX_DEPTH} levels deep`,
        'Make the nesting flatter.',
      );
    }
    return built;
  }

  private list(node: YAMLSeq, depth: number): Built {
    const items = node.items.map((item) => this.build(item, depth + 1));
    const value = items.map((item) => item.value);
    this.entries.set(value, node);
    return { value, ...measure(items) };
  }

  private map(node: YAMLMap, depth: number): Built {
    const own = new Map<string, Pair>();
    const values = new Map<string, unknown>();
    const parts: Built[] = [];
    const merged: { pair: Pair; built: Built }[] = [];
    for (const pair of node.items) {
      const built = this.build(pair.value, depth + 1);
      parts.push(built);
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      const first = own.get(key);
      if (isMergeKey(pair)) {
        merged.push({ pair, built });
      } else if (key === '__proto__') {
        this.problems.add(
          offsetOf(pair.key, 0),
          `${quote(key)} cannot be a key`,
          'Choose another name.',
        );
      } else if (first) {
        this.problems.add(
          offsetOf(pair.key, 0),
          `${quote(key)} is there twice; the first is in line ${this.lineOf(first)}`,
          'Give each entry a name of its own, or remove one.',
        );
      } else {
        own.set(key, pair);
        values.set(key, built.value);
      }
    }
    for (const { pair, built } of merged) this.merge(pair, built, own, values);
    const value = Object.fromEntries(values);
    this.entries.set(value, own);
    return { value, ...measure(parts) };
  }

  /** What is written in the map itself stays; of several sources the first one counts. */
  private merge(
    pair: Pair,
    { value }: Built,
    own: Map<string, Pair>,
    values: Map<string, unknown>,
  ): void {
    // Where a limit was met there is nothing left to merge.
    if (this.unusable) return;
    for (const source of Array.isArray(value) ? value : [value]) {
      const entries = this.entries.get(source as object);
      if (!(entries instanceof Map)) {
        this.give(
          pair.value as Node,
          '`<<` merges something that is no map',
          'Give it the alias of a map, or a list of such aliases.',
        );
        continue;
      }
      for (const [key, entry] of entries) {
        if (own.has(key)) continue;
        own.set(key, entry);
        values.set(key, (source as Record<string, unknown>)[key]);
      }
    }
  }

  private lineOf({ key }: Pair): number {
    return this.lines.linePos(offsetOf(key, 0)).line;
  }

  private give(node: Node | null, message: string, remedy: string): Built {
    this.unusable = true;
    this.problems.add(offsetOf(node, 0), message, remedy);
    return NOTHING;
  }
}

const isMergeKey = ({ key }: Pair): boolean =>
  isScalar(key) && key.value === '<<' && key.type === 'PLAIN';

const scalar = (node: unknown): Built =>
  isScalar(node) ? { value: node.value, size: 1, height: 0 } : NOTHING;

function measure(parts: readonly Built[]): { size: number; height: number } {
  let size = 1;
  let height = 0;
  for (const part of parts) {
    size += part.size;
    height = Math.max(height, part.height + 1);
  }
  return { size, height };
}
