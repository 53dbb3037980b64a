/**
 * Checks a command line against a command's definition: citty takes whatever is given, so that a mistyped
 * option would be ignored in silence.
 */
import { parseArgs } from 'node:util';
import type { ArgDef, ArgsDef } from 'citty';
import { DroverError } from '../core/errors.js';
import { nearest } from '../plan/suggest.js';

export interface CheckedArguments {
  /** Every value of an option, in the order given. */
  readonly all: (option: string) => readonly string[];
  /** All arguments that are no options. */
  readonly words: readonly string[];
}

/** @throws DroverError `bad-input` naming the first argument that cannot be used. */
export function readArguments(
  rawArgs: readonly string[],
  args: ArgsDef,
  variadic: boolean,
): CheckedArguments {
  const named = Object.entries(args);
  const options = new Map(named.filter(([, { type }]) => type !== 'positional'));
  const words: string[] = [];
  const values = new Map<string, string[]>();
  const { tokens } = parseArgs({
    args: [...rawArgs],
    options: parserOptions(options),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, inlineValue } = token;
    const option = options.get(name);
    if (!option) throw unknownOption(rawName, [...options.keys()]);
    const value = 'value' in token ? token.value : undefined;
    checkValue(rawName, option, value, inlineValue);
    values.set(name, [...(values.get(name) ?? []), value ?? '']);
  }
  const expected = named.filter(([, { type }]) => type === 'positional').length;
  if (!variadic && words.length > expected) {
    throw new DroverError(
      'bad-input',
      `‘${words[expected]}’ is one argument too many.`,
      'See the usage with --help; a value with spaces needs quotes.',
    );
  }
  return { all: (name) => values.get(name) ?? [], words };
}

function parserOptions(options: ReadonlyMap<string, ArgDef>) {
  const entries = [...options].map(([name, option]) => {
    const aliases = 'alias' in option ? [option.alias ?? []].flat() : [];
    const short = aliases.find((text) => text.length === 1);
    const parsed = option.type === 'boolean' ? 'boolean' : 'string';
    return [name, { type: parsed, multiple: true, ...(short && { short }) }] as const;
  });
  return Object.fromEntries(entries);
}

function checkValue(
  rawName: string,
  { type, valueHint }: ArgDef,
  value: string | undefined,
  inline: boolean | undefined,
): void {
  if (type === 'boolean') {
    if (value === undefined) return;
    throw new DroverError('bad-input', `${rawName} takes no value.`, `Leave out ‘${value}’.`);
  }
  // An option behind it was not meant as its value.
  const missing = value === undefined || value === '' || (!inline && value.startsWith('-'));
  if (!missing) return;
  throw new DroverError(
    'bad-input',
    `${rawName} needs a value.`,
    `Write \`${rawName} ${valueHint ?? 'VALUE'}\`, or \`${rawName}=VALUE\` where it begins with a dash.`,
  );
}

function unknownOption(rawName: string, names: readonly string[]): DroverError {
  const likely = nearest(rawName.replace(/^-+/, ''), [...names, 'help', 'version']);
  return new DroverError(
    'bad-input',
    `There is no option ${rawName}.`,
    likely ? `Did you mean --${likely}?` : 'The options are listed by --help.',
  );
}

/**
 * The value of an option that is a whole number.
 * @throws DroverError `bad-input`
 */
export function wholeNumber(
  option: string,
  text: string | undefined,
  [least, most]: readonly [number, number],
): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new DroverError(
    'bad-input',
    `--${option} must be a whole number from ${least} to ${most}, not ‘${text}’.`,
    `Write for instance --${option} ${Math.max(least, Math.min(most, 10))}.`,
  );
}

/** `NAME=VALUE` pairs, as `--param` takes them. */
export function parsePairs(option: string, pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
      throw new DroverError(
        'bad-input',
        `--${option} ${pair} names no value.`,
        `Write it as --${option} NAME=VALUE.`,
      );
    }),
  );
}
