/** Why an attempt failed, in one text. */
import { adviceOf, DroverError, messageOf } from '../core/errors.js';

/** Causes of causes that are told. */
const CAUSES = 5;

/**
 * What went wrong with what helps, or with what it came from: `fetch failed: connect ECONNREFUSED 127.0.0.1:80`. An error
 * without a message goes by its name.
 */
export function reasonOf(error: Error): string {
  if (error instanceof DroverError) return adviceOf(error);
  const told: string[] = [];
  let at: unknown = error;
  // Counted, because an error may be its own cause.
  for (let causes = 0; causes <= CAUSES && at !== undefined && at !== null; causes += 1) {
    const text = messageOf(at) || (at instanceof Error ? at.name : '');
    // Whoever wraps an error often repeats it.
    if (!told.some((before) => before.includes(text))) told.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return told.join(': ');
}
