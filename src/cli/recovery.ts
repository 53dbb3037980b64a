/** `--recovery`, as every command takes it that works: how soon the work of a process that was killed is taken up. */
import { DroverError } from '../core/errors.js';
import { durationSchema } from '../plan/duration.js';
import { timingWithin, type WorkerTiming } from '../queues/timing.js';

export const RECOVERY = {
  type: 'string',
  valueHint: 'TIME',
  description:
    'How soon work of a killed process is taken up, from 2s to 1h; 10s unless given. One that stands still for half as long loses its tasks',
} as const;

/** Shorter, and a busy machine loses tasks of processes that are well. */
const LEAST = 2_000;
const MOST = 3_600_000;

/** @throws DroverError `bad-input` */
export function readRecovery(text: string | undefined): { readonly timing?: WorkerTiming } {
  if (text === undefined) return {};
  const { data } = durationSchema.safeParse(text);
  if (data !== undefined && data >= LEAST && data <= MOST) return { timing: timingWithin(data) };
  throw new DroverError(
    'bad-input',
    `--recovery must be a time from 2s to 1h, not ‘${text}’.`,
    'Write for instance --recovery 30s.',
  );
}
