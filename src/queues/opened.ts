/** What the script that opens a claim answers, read as what the task may see. */
import { z } from 'zod';
import { answerOf } from '../core/goal.js';
import { GATE_KINDS, type GateKind, ownerOf } from '../core/ids.js';
import type { Json } from '../core/plan.js';
import type { Counted } from './limits.js';
import type { TaskData } from './task-data.js';

/** Limits of which the claim holds a slot now. */
export const countedSchema = z.array(z.tuple([z.string(), z.number()]));
/** Keys and values in turn, as a hash is read. */
const flatSchema = z.array(z.string());
const openedSchema = z.tuple([
  z.literal('open'),
  countedSchema,
  flatSchema,
  flatSchema,
  flatSchema,
  z.coerce.number(),
]);

export interface Opened {
  /** Results of the task's needs by task id; null for an optional one that failed. */
  readonly results: Readonly<Record<string, Json>>;
  /** Data of the signals that it has waited for, by name. */
  readonly signals: Readonly<Record<string, Json>>;
  /** What the person wrote who approved or rejected it. */
  readonly note: string | undefined;
  /** Results of steps that earlier claims finished. */
  readonly journal: ReadonlyMap<string, Json>;
  /** How often agents have declined the task so far. */
  readonly declines: number;
}

/** @throws ZodError where the script's answer is not that of a claim that may begin. */
export function openedOf(
  reply: unknown,
  data: TaskData,
): { readonly counted: readonly Counted[]; readonly opened: Opened } {
  const [, counted, processed, failed, journal, declines] = openedSchema.parse(reply);
  const results: Record<string, Json> = { ...data.results };
  const signals: Record<string, Json> = { ...data.signals };
  let { note } = data;
  const { wait } = data.task;
  for (const [child, value] of pairs(processed)) {
    const kind = heldKindOf(child);
    if (kind === undefined) results[taskOf(child)] = parseJson(value);
    else if (kind === 'signal' && wait && 'signal' in wait) signals[wait.signal] = parseJson(value);
    else note = answerOf(parseJson(value))?.note ?? note;
  }
  for (const [child] of pairs(failed)) results[taskOf(child)] = null;
  const steps = pairs(journal).map(([step, value]) => [step, parseJson(value)] as const);
  return { counted, opened: { results, signals, note, journal: new Map(steps), declines } };
}

function pairs(list: readonly string[]): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, index) => [
    list[index * 2]!,
    list[index * 2 + 1]!,
  ]);
}

/** The kind of a gate that is no need's: `task-2.approval`. */
function heldKindOf(childKey: string): GateKind | undefined {
  const kind = childKey.slice(childKey.lastIndexOf('.') + 1);
  return GATE_KINDS.find((known) => known === kind);
}

/** The task whose result a child carries: itself, its relay (`task-1.relay`) or a gate (`task-2.needs.task-1`). */
function taskOf(childKey: string): string {
  const id = childKey.slice(childKey.lastIndexOf(':') + 1);
  const gate = id.indexOf('.needs.');
  return gate === -1 ? ownerOf(id).id : id.slice(gate + '.needs.'.length);
}

const parseJson = (text: string): Json => JSON.parse(text) as Json;
