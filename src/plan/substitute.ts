/** References in strings: `${{ parameters.NAME }}` and `${{ matrix.NAME }}`. */
import type { Json } from '../core/plan.js';

/** What a reference stands for. */
export interface Value {
  /** As it stands in the file or was given. */
  readonly text: string;
  /** As a value of its type, for input that is no text. */
  readonly json: Json;
}
export type Values = ReadonlyMap<string, Value>;
export interface Scope {
  readonly parameters: Values;
  readonly matrix: Values;
}

// Neither part may hold a brace, so however often `${{` is left open the search stays linear.
const REFERENCE = /\$\{\{([^{}]*)(\}\})?/g;
const PARTS = /^\s*(parameters|matrix)\.([A-Za-z][A-Za-z0-9_-]*)\s*$/;

export interface Reference {
  /** As written. */
  readonly written: string;
  /** Undefined where it is no reference that can be understood. */
  readonly target: { readonly kind: keyof Scope; readonly name: string } | undefined;
}

/** The references in a text. */
export function referencesIn(text: string): Reference[] {
  return [...text.matchAll(REFERENCE)].map(([written, inner, close]) => {
    const [, kind, name] = close === undefined ? [] : (PARTS.exec(inner!) ?? []);
    const target = kind && name ? { kind: kind as keyof Scope, name } : undefined;
    return { written, target };
  });
}

/** The text with its references replaced; those that lead nowhere stay as they are. */
export function substitute(text: string, scope: Scope): string {
  return text.replace(REFERENCE, (written) => {
    const [reference] = referencesIn(written);
    return valueOf(reference, scope)?.text ?? written;
  });
}

/** A value with the references in its strings replaced; a string that is only a reference takes its type. */
export function substituteJson(value: Json, scope: Scope): Json {
  if (typeof value === 'string') {
    const [reference] = referencesIn(value);
    const whole = reference?.written === value.trim() ? valueOf(reference, scope) : undefined;
    return whole ? whole.json : substitute(value, scope);
  }
  if (Array.isArray(value)) return value.map((item) => substituteJson(item, scope));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, substituteJson(item, scope)]),
  );
}

/** A value like `substituteJson`, but every reference becomes text. */
export function substituteTexts<T>(value: T, scope: Scope): T {
  if (typeof value === 'string') return substitute(value, scope) as T;
  if (Array.isArray(value)) return value.map((item) => substituteTexts(item, scope)) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, substituteTexts(item, scope)]),
  ) as T;
}

/** Every value in a value that is neither map nor list, with the path to it. */
export function* leavesIn(
  value: unknown,
  path: readonly PropertyKey[] = [],
): Generator<{ leaf: unknown; path: readonly PropertyKey[] }> {
  if (value === null || typeof value !== 'object') {
    yield { leaf: value, path };
    return;
  }
  for (const [key, item] of Object.entries(value)) yield* leavesIn(item, [...path, key]);
}

function valueOf(reference: Reference | undefined, scope: Scope): Value | undefined {
  return reference?.target && scope[reference.target.kind].get(reference.target.name);
}
