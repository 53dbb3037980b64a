/** Processes that stay: they run until a signal, drain, and are gone. */
import { DroverError } from '../core/errors.js';
import { isName, NAME_RULE } from '../core/ids.js';
import { EXIT, type ExitCode } from './exit.js';
import { printJsonLine, print, remark } from './output.js';
import { closeInTwoSteps, DRAINING, type Stopping } from './signals.js';

interface Closable {
  readonly close: (options?: { readonly force?: boolean }) => Promise<void>;
}

/** Tells that it is ready, waits for a signal, and closes. */
export async function serve(
  closable: Closable,
  ready: { readonly text: readonly string[]; readonly json: object },
  json: boolean,
  stopping: Stopping,
): Promise<ExitCode> {
  const { draining } = stopping;
  if (json) printJsonLine({ event: 'ready', ...ready.json });
  else for (const line of ready.text) print(line);
  if (!draining.aborted) {
    // A pending promise alone would not keep the process alive.
    const alive = setInterval(() => undefined, 2 ** 30);
    await new Promise((resolve) => draining.addEventListener('abort', resolve, { once: true }));
    clearInterval(alive);
  }
  remark(DRAINING);
  const drained = await closeInTwoSteps(closable, stopping);
  if (json) printJsonLine({ event: 'stopped', drained });
  else print(drained ? 'Stopped.' : 'Stopped at once; what ran goes on at the next start.');
  return drained ? EXIT.done : EXIT.interrupted;
}

/** Capabilities that agents offer unless told otherwise. */
export const USUAL_CAPABILITIES = ['shell', 'developer', 'tester'];

/** `developer,tester` as a list. */
export function parseCapabilities(option: string, text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (isName(name)) continue;
    throw new DroverError(
      'bad-input',
      `--${option} ‘${text}’ is no list of capabilities: each must be ${NAME_RULE}.`,
      `Write for instance --${option} developer,tester.`,
    );
  }
  return [...new Set(names)];
}
