/** The help: citty's usage, then examples; the program's own also lists the exit statuses. */
import { stripVTControlCharacters } from 'node:util';
import { type CommandDef, renderUsage } from 'citty';
import type { Example } from './command.js';
import { EXIT_CODES } from './exit.js';
import { hasColours, paint } from './render/paint.js';
import { resolved } from './resolved.js';

/** @param parent the words before the command's name, such as `drover` */
export async function renderHelp(command: CommandDef, parent: string): Promise<string> {
  const usage = await renderUsage(command, { meta: { name: parent } });
  const examples = await examplesOf(command);
  return [asColours(usage).trimEnd(), ...renderExamples(examples)].join('\n');
}

/** Its own, or those of its members where it is a family of commands. */
export async function examplesOf(command: CommandDef): Promise<readonly Example[]> {
  if ('examples' in command) return command.examples as readonly Example[];
  const members = Object.values((await resolved(command.subCommands)) ?? {});
  const examples = members.map(async (member) =>
    examplesOf((await resolved(member)) as CommandDef),
  );
  return (await Promise.all(examples)).flat();
}

export async function renderProgramHelp(
  program: CommandDef,
  examples: readonly Example[],
): Promise<string> {
  const usage = asColours(await renderUsage(program)).trimEnd();
  const codes = EXIT_CODES.map(([code, what]) => `  ${String(code).padStart(3)}  ${what}`);
  return [usage, ...renderExamples(examples), '', heading('EXIT STATUS'), '', ...codes].join('\n');
}

function renderExamples(examples: readonly Example[]): string[] {
  if (examples.length === 0) return [];
  const lines = examples.flatMap(({ run, what }) => [`  ${run}`, `      ${paint('gray', what)}`]);
  return ['', heading('EXAMPLES'), '', ...lines];
}

const heading = (text: string): string => paint(['underline', 'bold'], text);

/** citty colours pipes too. */
const asColours = (text: string): string =>
  (hasColours(process.stdout) ? text : stripVTControlCharacters(text)).replace(/ +$/gm, '');
