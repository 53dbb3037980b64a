/** What an audit finds. */
import type { Json } from '../../core/plan.js';

/** Who can be asked about a task: the log, the rows folded from it, BullMQ, STATE.yaml, the project's repository. */
export type Witness = 'log' | 'projection' | 'redis' | 'state' | 'git';

export interface Disagreement {
  /** Those that do not agree; one alone contradicts itself. */
  readonly witnesses: readonly Witness[];
  readonly goal: string | null;
  readonly task: string | null;
  readonly field: string;
  /** What each of them says. */
  readonly values: Readonly<Partial<Record<Witness, Json>>>;
  readonly explanation: string;
}

/** Collects what contradicts itself in the log, for one goal. */
export class Contradictions {
  readonly found: Disagreement[] = [];
  /** True, but worth knowing. */
  readonly notes: string[] = [];

  constructor(private readonly goal: string) {}

  add(task: string | null, field: string, value: Json, explanation: string): void {
    this.found.push({
      witnesses: ['log'],
      goal: this.goal,
      task,
      field,
      values: { log: value },
      explanation,
    });
  }
}
