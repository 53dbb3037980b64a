/** What people and programs ask of goals and tasks, the same for whoever hands it in and wherever. */
import type { DecisionOn, RequestInput, RequestName } from './decisions/decide.js';

/** Requests that are answered with what was decided. */
export type ControlName = Exclude<RequestName, 'enqueue' | 'grow'>;

/** Hands a request in and resolves with what was decided. */
export type Ask = <N extends ControlName>(
  name: N,
  input: RequestInput<N>,
) => Promise<DecisionOn<N>>;

export interface Control {
  /** Cancels a goal; running tasks get their abort signal. */
  cancel(goal: string, why?: string): Promise<void>;
  /** Gives a failed task all its attempts again. */
  retry(task: string, why?: string): Promise<void>;
}

export const controlBy = (ask: Ask): Control => ({
  async cancel(goal, why) {
    await ask('cancel', { goal, why });
  },
  async retry(task, why) {
    await ask('retry', { task, why });
  },
});
