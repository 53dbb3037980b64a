/** Agents that tasks wait for and nobody runs: which they are, and what to do about it. */
import { USUAL_CAPABILITIES } from './serving.js';

/**
 * The capabilities among `wanted` for which somebody has to start an agent. Without a supervisor those that `drover up`
 * offers by itself are none of them: it has to be started anyway.
 * @param nobody capabilities that are known to have no agent; null where that could not be asked
 */
export function toBeStarted(
  wanted: Iterable<string>,
  nobody: readonly string[] | null,
  supervised: boolean,
): string[] {
  if (supervised) return [...(nobody ?? [])];
  return [...(nobody ?? wanted)].filter((capability) => !USUAL_CAPABILITIES.includes(capability));
}

/** @param lacking what `toBeStarted` found */
export function missingAgents(lacking: readonly string[], supervised: boolean): string | undefined {
  if (lacking.length === 0) return undefined;
  const list = lacking.join(', ');
  const command = `\`drover agent ${lacking.join(' ')}\``;
  return supervised
    ? `Waits for agents that nobody runs: ${list}. Start the program that offers them or, for tasks with \`run\`, ${command}.`
    : `Needs agents for ${list}, which \`drover up\` does not offer by itself: start beside it the program that offers them or, for tasks with \`run\`, ${command}.`;
}
