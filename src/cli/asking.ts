/** Hands one request in and says what became of it. */
import { type Desk, openDesk } from './desk.js';
import { EXIT, type ExitCode } from './exit.js';
import type { Globals } from './globals.js';
import { print, printJson } from './output.js';

/** `--why`, as every command takes it that changes something. */
export const WHY = {
  type: 'string',
  valueHint: 'TEXT',
  description: 'Reason, for the log',
} as const;

/** @param work returns the answer for programs, a line for people, and the exit status where it is not `done` */
export async function ask(
  globals: Globals,
  work: (desk: Desk) => Promise<readonly [answer: object, text: string, exit?: ExitCode]>,
): Promise<ExitCode> {
  const desk = await openDesk(globals);
  try {
    const [answer, text, exit = EXIT.done] = await work(desk);
    if (globals.json) printJson({ ...answer, live: desk.live, told: desk.told });
    else {
      print(text);
      if (desk.note !== undefined) print(desk.note);
    }
    return exit;
  } finally {
    await desk.close();
  }
}
