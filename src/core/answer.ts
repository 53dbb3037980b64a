/** Answers that cross a thread or a queue: a value, or an error that a person can read. */
import { z } from 'zod';
import { DroverError, ERROR_CODES } from './errors.js';

export const refusalSchema = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  remedy: z.string().exactOptional(),
});
export type Refusal = Readonly<z.infer<typeof refusalSchema>>;
export type Answer<T> = { readonly ok: T } | { readonly refused: Refusal };

/** Runs `work`; a DroverError becomes part of the answer, anything else is thrown. */
export async function answered<T>(work: () => T | Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: await work() };
  } catch (error) {
    return refusal(error);
  }
}

/** A DroverError as an answer; anything else is thrown. */
export function refusal(error: unknown): { refused: Refusal } {
  if (!(error instanceof DroverError)) throw error;
  const { code, message, remedy } = error;
  return { refused: { code, message, ...(remedy !== undefined && { remedy }) } };
}

/** The answer's value, or its error thrown. */
export function unwrap<T>(answer: Answer<T>): T {
  if ('ok' in answer) return answer.ok;
  const { code, message, remedy } = answer.refused;
  throw new DroverError(code, message, remedy);
}
