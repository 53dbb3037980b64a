/**
 * Stopping in two steps: the first signal lets running work end, the second stops at once. Between the two
 * nothing is forced, and after either no child of this process is left.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { killAllGroups, ownGroups } from '../agents/process-group.js';
import { EXIT } from './exit.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof SIGNALS)[number];

/**
 * Milliseconds in which the same signal again is the same one: a terminal's Ctrl-C reaches the whole process
 * group, and npm passes its own on once more.
 */
const SAME = 400;
/** Milliseconds that a stop at once may take in all. */
const PATIENCE = 15_000;
/** Milliseconds that commands get to end before they are killed. */
const COMMAND_GRACE = 5_000;

export const DRAINING =
  'Takes nothing new and lets what runs end; once more (Ctrl-C) stops at once.';

export interface Stopping extends Disposable {
  /** Aborts at the first signal. */
  readonly draining: AbortSignal;
  /** Aborts at the second one. */
  readonly forced: AbortSignal;
  /** From now on signals end the process at once again. */
  readonly [Symbol.dispose]: () => void;
}

let endAtOnce: ((signal: StopSignal) => void) | undefined;

/** Until a command has something to tidy up, a signal ends the process. */
export function interruptible(): void {
  endAtOnce = () => process.exit(EXIT.interrupted);
  for (const signal of SIGNALS) process.on(signal, endAtOnce);
}

export function stopInTwoSteps(): Stopping {
  const draining = new AbortController();
  const forced = new AbortController();
  let last: { signal: StopSignal; at: number } | undefined;
  const onSignal = (signal: StopSignal): void => {
    const now = performance.now();
    const same = last?.signal === signal && now - last.at < SAME;
    last = { signal, at: now };
    if (same) return;
    if (draining.signal.aborted) forced.abort();
    else draining.abort();
  };
  for (const signal of SIGNALS) {
    process.on(signal, onSignal);
    if (endAtOnce) process.off(signal, endAtOnce);
  }
  return {
    draining: draining.signal,
    forced: forced.signal,
    [Symbol.dispose]() {
      for (const signal of SIGNALS) {
        if (endAtOnce) process.on(signal, endAtOnce);
        process.off(signal, onSignal);
      }
    },
  };
}

interface Closable {
  readonly close: (options?: { readonly force?: boolean }) => Promise<void>;
}

/**
 * Closes what runs: drains, and stops at once when told to meanwhile.
 * @returns true where it was drained
 */
export async function closeInTwoSteps(closable: Closable, { forced }: Stopping): Promise<boolean> {
  if (!forced.aborted) {
    const drained = closable.close().then(() => true);
    const told = new Promise<false>((resolve) => {
      forced.addEventListener('abort', () => resolve(false), { once: true });
    });
    if (await Promise.race([drained, told])) return true;
    drained.catch(() => undefined);
  }
  await Promise.race([closable.close({ force: true }), delay(PATIENCE, undefined, { ref: false })]);
  // Commands are told to end and killed by those who started them; this waits for it.
  const deadline = performance.now() + COMMAND_GRACE;
  while (ownGroups().size > 0 && performance.now() < deadline) await delay(20);
  killAllGroups('SIGKILL');
  return false;
}
