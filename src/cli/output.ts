/**
 * Standard output and standard error. A reader that goes away (`drover logs | head`) ends the printing, not
 * the work.
 */
import { readConfig } from '../config.js';
import { DroverError, messageOf } from '../core/errors.js';
import { FlowProblems } from '../plan/problems.js';
import { paint } from './render/paint.js';
import { harmless } from './render/text.js';

const gone = new AbortController();

/** Aborts when nobody reads standard output any more. */
export const outputGone: AbortSignal = gone.signal;

/** Terminal and pipe may vanish at any time; without listeners, that would end the process. */
export function watchOutput(): void {
  process.stdout.on('error', () => gone.abort());
  process.stderr.on('error', () => undefined);
}

export function print(line = ''): void {
  if (!gone.signal.aborted) process.stdout.write(`${line}\n`);
}

/** A remark that is no result: it goes to standard error, so that `--json` stays JSON. */
export function remark(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** One line of JSON Lines. */
export function printJsonLine(value: unknown): void {
  print(JSON.stringify(value));
}

/** Waits until what was printed has left the process. */
export async function flushOutput(): Promise<void> {
  const flush = async (stream: NodeJS.WriteStream): Promise<void> => {
    if (stream.writableLength === 0 || !stream.writable) return;
    await new Promise<void>((done) => {
      stream.write('', () => done());
    });
  };
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
}

/** What is wrong and how to mend it; the stack only where somebody debugs. */
export function printError(error: unknown, json: boolean): void {
  const remedy = remedyOf(error);
  if (json) {
    const code = error instanceof DroverError ? error.code : 'unexpected';
    const problems = error instanceof FlowProblems ? error.problems : undefined;
    const warnings = error instanceof FlowProblems ? error.warnings : undefined;
    printJson({ error: { code, message: messageOf(error), remedy, problems, warnings } });
  } else {
    // Messages quote input, which must not write to the terminal.
    remark(`${paint('red', 'drover:', process.stderr)} ${harmless(messageOf(error))}`);
    if (remedy !== undefined) remark(harmless(remedy));
  }
  if (readConfig().environment['DROVER_DEBUG'] === '1' && error instanceof Error) {
    remark(error.stack ?? '');
  }
}

function remedyOf(error: unknown): string | undefined {
  if (error instanceof DroverError) return error.remedy;
  return 'This should not happen. DROVER_DEBUG=1 shows where it comes from.';
}
