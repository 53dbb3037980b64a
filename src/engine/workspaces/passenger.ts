/** A claim's work on its way into the goal's branch: what travels through Redis to whoever leads the train. JSON. */
import type { Json } from '../../core/plan.js';
import type { Claim } from '../../workspace/claims.js';
import type { Work } from '../../workspace/merge.js';

/** An interface's fields as a type, which TypeScript then takes for JSON. */
type Plain<T> = { [K in keyof T]: T[K] };

export type Passenger = {
  project: string;
  goalTitle: string;
  claim: Plain<Claim>;
  work: Plain<Work>;
  name: string;
  title: string;
  needs: string[];
  agent: string;
  attempt: number;
  result: Json;
  check: { run: string; timeout: number } | null;
  env: Record<string, string>;
  /** Names of variables that its check needs of its own agent's environment. */
  secrets: string[];
};
