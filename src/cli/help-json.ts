/** The help for programs: the same definitions as one JSON document. */
import type { ArgDef, CommandDef, CommandMeta } from 'citty';
import type { Example } from './command.js';
import { EXIT_CODES } from './exit.js';
import { examplesOf } from './help.js';
import { resolved } from './resolved.js';

/** @param parent the words before the command's name, such as `drover log` */
export async function helpJson(command: CommandDef, parent: string): Promise<object> {
  const { name } = await metaOf(command);
  return { ...(await describe(command, `${parent} ${name}`)), examples: await examplesOf(command) };
}

export async function programHelpJson(
  program: CommandDef,
  examples: readonly Example[],
): Promise<object> {
  const exitStatus = Object.fromEntries(EXIT_CODES);
  return { ...(await describe(program, 'drover')), examples, exitStatus };
}

async function describe(command: CommandDef, name: string): Promise<object> {
  const args = Object.entries((await resolved(command.args)) ?? {});
  const members = Object.entries((await resolved(command.subCommands)) ?? {});
  const commands = members.map(async ([member, definition]) => ({
    name: `${name} ${member}`,
    description: (await metaOf((await resolved(definition)) as CommandDef)).description,
  }));
  return {
    name,
    description: (await metaOf(command)).description,
    arguments: args.filter(([, { type }]) => type === 'positional').map(describeArgument),
    options: args.filter(([, { type }]) => type !== 'positional').map(describeOption),
    commands: await Promise.all(commands),
  };
}

const metaOf = async (command: CommandDef): Promise<CommandMeta> =>
  (await resolved(command.meta)) ?? {};

const describeArgument = ([name, { required = true, description }]: [string, ArgDef]): object => ({
  name,
  required,
  description,
});

/** `value` is what stands for it in the usage; null for an option that takes none. */
const describeOption = ([name, option]: [string, ArgDef]): object => ({
  name: `--${name}`,
  short: 'alias' in option ? `-${String(option.alias)}` : null,
  value: option.type === 'boolean' ? null : (option.valueHint ?? name.toUpperCase()),
  required: option.required ?? false,
  default: option.default ?? null,
  description: option.description,
});
