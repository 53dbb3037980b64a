/** Finds the command that a command line names, and turns whatever comes of it into an exit status. */
import { type CommandDef, runCommand } from 'citty';
import { DroverError, messageOf } from '../core/errors.js';
import { nearest } from '../plan/suggest.js';
import { readArguments } from './arguments.js';
import { COMMANDS, PROGRAM, PROGRAM_EXAMPLES } from './commands.js';
import { EXIT, type ExitCode, exitOfError } from './exit.js';
import { GLOBAL_ARGS } from './globals.js';
import { renderHelp, renderProgramHelp } from './help.js';
import { helpJson, programHelpJson } from './help-json.js';
import { flushOutput, print, printError, printJson, watchOutput } from './output.js';
import { resolved } from './resolved.js';
import { interruptible } from './signals.js';
import { readVersion } from './version.js';

/** Runs one command line to its end; everything printed has left the process when it resolves. */
export async function runProgram(argv: readonly string[]): Promise<ExitCode> {
  watchOutput();
  interruptible();
  const json = wantsJson(argv);
  try {
    return await dispatch(argv);
  } catch (error) {
    const mended = asUsageError(error);
    printError(mended, json);
    return exitOfError(mended);
  } finally {
    await flushOutput();
  }
}

async function dispatch(argv: readonly string[]): Promise<ExitCode> {
  const { name, rest } = splitCommand(argv);
  if (name === undefined || name === 'help') return await answerWithout(name, rest);
  let command = await load(name);
  const parents = ['drover'];
  let args = rest;
  // A command may be a family of commands, as `log export` is.
  while (command.subCommands !== undefined) {
    const family = (await resolved(command.subCommands)) as Readonly<Record<string, unknown>>;
    const member = splitCommand(args);
    if (wantsHelp(args) && member.name === undefined) break;
    parents.push((await resolved(command.meta))?.name ?? name);
    if (member.name === undefined) throw noSuchCommand('', Object.keys(family), parents);
    const found = Object.hasOwn(family, member.name) ? family[member.name] : undefined;
    if (found === undefined) throw noSuchCommand(member.name, Object.keys(family), parents);
    command = (await resolved(found)) as CommandDef;
    args = member.rest;
  }
  if (wantsHelp(args)) {
    await showHelp(command, parents.join(' '), args);
    return EXIT.done;
  }
  // Before citty's own look, which names less.
  readArguments(args, (await resolved(command.args)) ?? {}, true);
  const { result } = await runCommand(command, { rawArgs: [...args] });
  return typeof result === 'number' ? (result as ExitCode) : EXIT.done;
}

async function answerWithout(name: string | undefined, rest: readonly string[]): Promise<ExitCode> {
  const topic = splitCommand(rest).name;
  if (name === 'help' && topic !== undefined) {
    await showHelp(await load(topic), 'drover', rest);
    return EXIT.done;
  }
  if (rest.includes('--version')) {
    if (wantsJson(rest)) printJson({ version: readVersion() });
    else print(readVersion());
    return EXIT.done;
  }
  const asked = name === 'help' || wantsHelp(rest);
  if (!asked) readArguments(rest, GLOBAL_ARGS, false);
  if (!asked && rest.length > 0) {
    throw new DroverError('bad-input', 'No command is named.', 'See `drover --help`.');
  }
  if (wantsJson(rest)) printJson(await programHelpJson(PROGRAM, PROGRAM_EXAMPLES));
  else print(await renderProgramHelp(PROGRAM, PROGRAM_EXAMPLES));
  return asked ? EXIT.done : EXIT.badInput;
}

async function showHelp(
  command: CommandDef,
  parent: string,
  args: readonly string[],
): Promise<void> {
  if (wantsJson(args)) printJson(await helpJson(command, parent));
  else print(await renderHelp(command, parent));
}

/** The command's name, and the rest in its order: options may stand before the name. */
function splitCommand(argv: readonly string[]): { name: string | undefined; rest: string[] } {
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index]!;
    if (word === '--') break;
    if (!word.startsWith('-')) return { name: word, rest: argv.toSpliced(index, 1) };
    const option = word.startsWith('--') ? word.slice(2) : '';
    const takesValue = Object.hasOwn(GLOBAL_ARGS, option) && option !== 'json';
    if (takesValue) index += 1;
  }
  return { name: undefined, rest: [...argv] };
}

async function load(name: string): Promise<CommandDef> {
  const found = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!found) throw noSuchCommand(name, Object.keys(COMMANDS), ['drover']);
  return await found();
}

function noSuchCommand(
  name: string,
  names: readonly string[],
  parents: readonly string[],
): DroverError {
  const program = parents.join(' ');
  const likely = nearest(name, names);
  const what =
    name === '' ? `\`${program}\` needs a command.` : `There is no command \`${program} ${name}\`.`;
  const remedy = likely
    ? `Did you mean \`${program} ${likely}\`?`
    : `Choose one of ${names.join(', ')}; see \`${program} --help\`.`;
  return new DroverError('bad-input', what, remedy);
}

const wantsJson = (args: readonly string[]): boolean => args.includes('--json');

function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const options = end === -1 ? args : args.slice(0, end);
  return options.includes('--help') || options.includes('-h');
}

/** citty throws errors of a class that it does not export. */
function asUsageError(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'CLIError') return error;
  const message = messageOf(error).replaceAll('required positional argument:', 'argument');
  return new DroverError(
    'bad-input',
    `${message.replace(/\.$/, '')}.`,
    'See the usage with --help.',
  );
}
