/**
 * How a command of `drover` is written: a citty command with the options that every command has, examples for
 * its help, and arguments that were checked before it runs.
 */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import type { ExitCode } from './exit.js';
import { GLOBAL_ARGS, type Globals, readGlobals } from './globals.js';
import { type CheckedArguments, readArguments } from './arguments.js';

export interface Example {
  /** The whole command line. */
  readonly run: string;
  /** What it does, as a sentence. */
  readonly what: string;
}

/** The value of one argument; an optional one may be missing. */
type ValueOf<A> = A extends { type: 'boolean' }
  ? boolean
  : A extends { default: string } | { type: 'positional'; required?: true } | { required: true }
    ? string
    : string | undefined;

export type Values<T extends ArgsDef> = { readonly [K in keyof T]: ValueOf<T[K]> };

export interface Invocation<T extends ArgsDef> {
  readonly args: Values<T>;
  readonly globals: Globals;
  /** Every value of an option that may be given several times. */
  readonly all: (option: string) => readonly string[];
  /** All arguments that are no options, those with names included. */
  readonly words: readonly string[];
}

export interface CommandSpec<T extends ArgsDef> {
  readonly name: string;
  readonly description: string;
  readonly examples: readonly Example[];
  readonly args: T;
  /** More words than the named ones may follow. */
  readonly variadic?: boolean;
  readonly run: (invocation: Invocation<T>) => Promise<ExitCode>;
}

export interface DroverCommand extends CommandDef {
  readonly examples: readonly Example[];
}

/** A command as `drover` runs it; what it returns is the exit status. */
export function defineDroverCommand<const T extends ArgsDef>(spec: CommandSpec<T>): DroverCommand {
  const { name, description, examples, variadic = false } = spec;
  const args: ArgsDef = { ...GLOBAL_ARGS, ...spec.args };
  const command = defineCommand({
    meta: { name, description },
    args,
    run({ rawArgs, args: values }) {
      const { all, words } = readArguments(rawArgs, args, variadic) satisfies CheckedArguments;
      return spec.run({
        // citty has parsed them by the very definitions that `T` is made of.
        args: values as unknown as Values<T>,
        // A command whose own data are meant by --data takes the directory as --data-dir.
        globals: readGlobals(
          'data' in spec.args ? { ...values, data: values['data-dir'] } : values,
        ),
        all,
        words,
      });
    },
  });
  return Object.assign(command, { examples });
}
