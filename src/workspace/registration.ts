/**
 * Which repository a project is.
 *
 * A project is the folder `projects/NAME`, a repository of Drover's own that is made where it is missing, or what
 * `projects/NAME.yaml` registers: any repository on this machine or behind a URL, left where it is.
 */
import { existsSync } from 'node:fs';
import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { isAbsolute, join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { DroverError, messageOf } from '../core/errors.js';
import { isName, NAME_RULE } from '../core/ids.js';
import { makeFolder } from '../log/data-dir.js';
import { type GivenSettings, givenSettings, SETTINGS_REMEDY } from './project-settings.js';
import { isUrl } from './remote.js';
import { parseSettings } from './settings-file.js';

const registrationSchema = z.strictObject({
  /** An absolute path of a checkout or bare repository, or a URL. */
  repository: z.string().refine((text) => isAbsolute(text) || isUrl(text), {
    error: 'must be an absolute path or a URL (ssh, https, http, git, file)',
  }),
  /** Default: the branch that HEAD names. */
  base: z.string().min(1).max(200).optional(),
  ...givenSettings,
});

export interface Registration {
  readonly repository: string;
  readonly base?: string | undefined;
  readonly settings: GivenSettings;
}

/**
 * Undefined where the project is not registered.
 * @throws DroverError `bad-input`, one line a problem: `NAME.yaml:line:column: what`; also where a folder of the
 *   same name is there
 */
export async function readRegistration(
  projectsDir: string,
  name: string,
): Promise<Registration | undefined> {
  assertName(name);
  const file = registrationFile(projectsDir, name);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new DroverError(
      'bad-input',
      `${file} cannot be read: ${messageOf(error)}.`,
      'Give this user access to it.',
      { cause: error },
    );
  }
  if (existsSync(join(projectsDir, name))) {
    throw new DroverError(
      'bad-input',
      `Project ${name} is both the folder ${join(projectsDir, name)} and registered in ${file}.`,
      'Move one of them away.',
    );
  }
  const { repository, base, ...settings } = parseSettings(text, {
    name: `${name}.yaml`,
    schema: registrationSchema,
    remedy: `Correct ${file}. It names \`repository\` and maybe \`base\`. ${SETTINGS_REMEDY}`,
  });
  return { repository, base, settings };
}

export const registrationFile = (projectsDir: string, name: string): string =>
  join(projectsDir, `${name}.yaml`);

/** The names of all registered projects, in order. */
export async function registeredProjects(projectsDir: string): Promise<string[]> {
  const entries = await readdir(projectsDir).catch(() => []);
  return entries
    .flatMap((entry) => /^(.+)\.yaml$/.exec(entry)?.[1] ?? [])
    .filter(isName)
    .toSorted();
}

/**
 * Registers a repository.
 * @returns the file
 * @throws DroverError `conflict` where a project of that name is there, `bad-input`
 */
export async function writeRegistration(
  projectsDir: string,
  name: string,
  registration: Registration,
): Promise<string> {
  assertName(name);
  const file = registrationFile(projectsDir, name);
  const { repository, base, settings } = registration;
  const text = stringify({ repository, ...(base !== undefined && { base }), ...settings });
  parseSettings(text, {
    name: `${name}.yaml`,
    schema: registrationSchema,
    remedy: SETTINGS_REMEDY,
  });
  const taken = new DroverError(
    'conflict',
    `There is a project ${name} in ${projectsDir} already.`,
    `Choose another name, or change ${file}.`,
  );
  if (existsSync(join(projectsDir, name))) throw taken;
  makeFolder(projectsDir);
  const aside = join(projectsDir, `.${name}-${randomUUID()}`);
  try {
    await writeFile(aside, text);
    // A link fails where the name is taken, and whoever reads sees the whole file.
    await link(aside, file);
    return file;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw taken;
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

function assertName(name: string): void {
  if (isName(name)) return;
  throw new DroverError(
    'bad-input',
    `${JSON.stringify(name.slice(0, 100))} cannot be a project's name.`,
    `Choose ${NAME_RULE}.`,
  );
}
