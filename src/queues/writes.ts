/** What an agent may write under its claim, as the arguments of the script that writes it. */
import type { AgentEvent } from '../core/events.js';
import type { Json } from '../core/plan.js';

/** One thing to write under a claim. */
export type Write =
  | { readonly event: AgentEvent }
  /** JSON text of a step's result, and the event that says so. */
  | { readonly step: string; readonly result: Json }
  | { readonly log: string }
  | { readonly progress: Json }
  /** The agent will not take the task; counted with its job. */
  | { readonly declined: string; readonly agent: string };

/** Three for each thing that the script does: its name, and what that needs. */
export function writeArguments(
  writes: readonly Write[],
  encode: (event: AgentEvent) => string,
): string[] {
  const told = (event: AgentEvent): string[] => ['event', encode(event), ''];
  return writes.flatMap((write): string[] => {
    if ('event' in write) return told(write.event);
    if ('log' in write) return ['log', write.log, ''];
    if ('progress' in write) {
      const { progress } = write;
      const event = told({ type: 'task.progressed', progress });
      return ['progress', JSON.stringify(progress), '', ...event];
    }
    if ('declined' in write) {
      const { agent, declined: reason } = write;
      return ['declined', '', '', ...told({ type: 'task.declined', agent, reason })];
    }
    const { step, result } = write;
    return ['step', step, JSON.stringify(result), ...told({ type: 'step.done', step, result })];
  });
}
