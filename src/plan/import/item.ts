/**
 * What every reader of another system's plan returns: its pieces of work as that system has them, with what is
 * inconsistent about them. `assemble.ts` makes a plan of them.
 */
import type { PlannedTaskInput, Priority } from '../../core/plan.js';

/** Something that does not add up in a file, or that Drover cannot do as it says there. */
export interface Finding {
  readonly kind: FindingKind;
  /** Where in the file: `line 12`, `tasks[3] (TASK-7)`. */
  readonly where: string;
  /** What is wrong, without a full stop. */
  readonly message: string;
  /** What the import made of it, as a sentence. */
  readonly done: string;
}

export const FINDING_KINDS = [
  /** An edge that only one of its two ends names. */
  'one-sided',
  /** A wave, phase or group that contradicts the dependencies. */
  'wave',
  /** Done, although something that it waits for is not. */
  'done-early',
  /** A need of something that is not in the file. */
  'dangling',
  /** Two pieces of work with one id. */
  'duplicate',
  /** A state that the format does not know, or that contradicts another. */
  'state',
  /** A need that was left out because it would close a circle, or that leads to its own task. */
  'circular',
  /** A need of something that is left out. */
  'left-out',
  /** A value that cannot be used as it is. */
  'value',
  /** Something that Drover does not do. */
  'unsupported',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export interface ItemNeed {
  readonly name: string;
  /** Where the need is written. */
  readonly where: string;
  /** Who is said to have the need, where others have it as well because of that: it is told once. */
  readonly of?: string;
}

/** Work that is done or dropped is not imported: needs of the one are met, the other hands on what it needs. */
export type State = 'open' | 'done' | Dropped;

export interface Dropped {
  /** Why it is left out, of “it”: `was cancelled`. */
  readonly because: string;
}

/** One piece of work. */
export interface Item {
  /** Its id in the file; the task's name. */
  readonly name: string;
  readonly where: string;
  readonly title?: string | undefined;
  readonly needs: readonly ItemNeed[];
  readonly state: State;
  readonly work: Pick<
    PlannedTaskInput,
    'run' | 'with' | 'env' | 'secrets' | 'timeout' | 'check' | 'optional'
  >;
  readonly priority?: Priority | undefined;
  /** Milliseconds that it is expected to take. */
  readonly expected?: number | undefined;
}

/** A file as its reader understood it. */
export interface Draft {
  readonly title: string;
  readonly items: readonly Item[];
  readonly findings: readonly Finding[];
}

export interface ReadOptions {
  /** The file's name, for errors. */
  readonly file: string;
  /** The file's name without folder and ending, for plans without a title. */
  readonly fallbackTitle: string;
  /** Of a file with several lists, the one to read. */
  readonly tag?: string | undefined;
}
