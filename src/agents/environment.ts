/**
 * The environment of a task's command. It is built up from nothing: what is not named here, by the task or as
 * a secret does not reach the command, Drover's own credentials least of all.
 */

/** What programs need to find themselves, their user and their language; none of it is confidential. */
const INHERITED = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TMPDIR',
]);

/** Where a base without PATH leaves us: the folders every system has. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

export interface CommandEnvironment {
  env: Record<string, string>;
  /** The values of the secrets that were found, for `redactor`. */
  secretValues: string[];
  /** Names of secrets that the base does not have, or has empty. */
  missing: string[];
}

/**
 * The environment for a command: a few harmless variables of `base`, then the task's `env`, then the variables
 * of `base` that `secrets` names, then `extra`. Of one name the later wins. `TERM` is `dumb`, so that programs
 * do not draw; `CI` is not passed on.
 */
export function commandEnvironment(
  base: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string>>,
  secrets: readonly string[],
  extra: Readonly<Record<string, string>>,
): CommandEnvironment {
  const result = new Map<string, string>([
    ['PATH', DEFAULT_PATH],
    ['TERM', 'dumb'],
  ]);
  for (const [name, value] of Object.entries(base)) {
    const isInherited = INHERITED.has(name) || name.startsWith('LC_');
    if (isInherited && value !== undefined && value !== '') result.set(name, value);
  }
  for (const [name, value] of Object.entries(env)) result.set(name, value);

  const secretValues: string[] = [];
  const missing: string[] = [];
  for (const name of new Set(secrets)) {
    const value = Object.hasOwn(base, name) ? base[name] : undefined;
    if (value === undefined || value === '') {
      missing.push(name);
      continue;
    }
    result.set(name, value);
    secretValues.push(value);
  }
  for (const [name, value] of Object.entries(extra)) result.set(name, value);
  return { env: Object.fromEntries(result), secretValues, missing };
}
