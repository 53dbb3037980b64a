/** The values of a flow's parameters: what was given, or else their defaults. */
import { type Parameter, parameterSchema, type ParameterType } from './schema.js';
import { type ProblemList, quote } from './problems.js';
import type { Value } from './substitute.js';
import { nearest } from './suggest.js';
import type { LocatedValue } from './yaml-value.js';

/**
 * @param declared the parameters as the file declares them
 * @param given values by name
 * @returns each parameter that has a value
 */
export function resolveParameters(
  declared: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, string>>,
  file: LocatedValue,
  problems: ProblemList,
): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const [name, declaration] of Object.entries(declared)) {
    const path = ['parameters', name];
    const parsed = parameterSchema.safeParse(declaration);
    // One that cannot be read was reported with the rest of the file.
    if (!parsed.success) continue;
    const { type, written } = readDeclaration(parsed.data, path, file);
    const text = Object.hasOwn(given, name) ? given[name]! : written;
    const json = text === undefined ? undefined : jsonOf(text, type);
    if (text === undefined) {
      problems.add(
        file.offsetOf(path, true),
        `parameter ${quote(name)} has no value`,
        'Give it a value, or write a default.',
      );
    } else if (json === undefined) {
      problems.add(
        file.offsetOf(path, true),
        `parameter ${quote(name)} must be a ${type}, not ${quote(text)}`,
        type === 'boolean' ? 'Write true or false.' : 'Write a number such as 20 or 1.5.',
      );
    } else {
      values.set(name, { text, json });
    }
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue;
    const likely = nearest(name, Object.keys(declared));
    problems.add(
      file.offsetOf(['parameters'], true),
      `parameter ${quote(name)} is given but not declared`,
      likely
        ? `Did you mean ${quote(likely)}?`
        : `Declare it under ${quote('parameters')}, or leave it out.`,
    );
  }
  return values;
}

function readDeclaration(
  declaration: Parameter,
  path: readonly string[],
  file: LocatedValue,
): { type: ParameterType; written: string | undefined } {
  if (declaration === null) return { type: 'string', written: undefined };
  if (typeof declaration !== 'object') return { type: 'string', written: file.textAt(path) };
  const { type, default: value } = declaration;
  return { type, written: value === undefined ? undefined : file.textAt([...path, 'default']) };
}

function jsonOf(text: string, type: ParameterType): Value['json'] | undefined {
  if (type === 'string') return text;
  if (type === 'boolean') return text === 'true' || (text === 'false' ? false : undefined);
  const number = Number(text);
  return text.trim() !== '' && Number.isFinite(number) ? number : undefined;
}
