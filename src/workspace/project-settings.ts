/**
 * What a project's `drover.yaml` says. The file is optional, and so is everything in it.
 *
 * For tasks it is read as the base branch has it, never from a task's own files: a task must not change by what
 * it is checked. What the project's registration says goes before it.
 */
import { z } from 'zod';
import { DroverError } from '../core/errors.js';
import { checkSchema } from '../core/plan.js';
import { DROVER_AUTHOR } from './git.js';
import { isPlainPath } from './paths.js';
import type { Project } from './project.js';
import { readProjectFile } from './project-files.js';
import { readRef } from './refs.js';
import type { Repository } from './repository.js';
import { branchRef } from './branches.js';
import { parseSettings, type SettingsFile } from './settings-file.js';
import { fileIn } from './trees.js';

export const SETTINGS_FILE = 'drover.yaml';

/** git cuts these marks and line ends out of names, and fails where nothing is left. */
const authorPart = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^<>\n\r\0]+$/, { error: "must be one line without '<' and '>'" });

/** A command, or a command with its time. */
const commandSchema = z
  .union([z.string().min(1), checkSchema], {
    error: 'must be a command, or `run` with a command and `timeout` in milliseconds',
  })
  .transform((command) =>
    typeof command === 'string' ? checkSchema.parse({ run: command }) : command,
  );

const pathSchema = z.string().refine(isPlainPath, {
  error: 'must be a path inside the project, without `..` and `.git`',
});

export const LANDINGS = ['auto', 'approve'] as const;
export const MERGES = ['merge-commit', 'fast-forward'] as const;

const sandboxPath = z.string().regex(/^(?:\/|~\/)/, { error: 'must begin with `/` or `~/`' });

const sandboxSchema = z.strictObject({
  /** `off`: none. `auto`: where bubblewrap is installed. `require`: no command runs without it. */
  mode: z.enum(['off', 'auto', 'require']).default('off'),
  /** Whether commands may use the network. */
  network: z.boolean().default(false),
  /** Absolute paths that commands do not see, and paths below the home folder that begin with `~/`. */
  hide: z.array(sandboxPath).default([]),
  /** Such paths besides the worktree that commands may write, such as a cache. */
  write: z.array(sandboxPath).default([]),
});

/** Everything that can be set, with nothing filled in. */
export const givenSettings = {
  /** Whether `tasks/task-123.md` is written for each finished task. */
  taskPages: z.boolean().optional(),
  /** Whether STATE.yaml and task pages are committed. */
  commitState: z.boolean().optional(),
  /** Who makes Drover's commits. */
  author: z.strictObject({ name: authorPart, email: authorPart }).optional(),
  /** Commands that must succeed on every merged tree, in this order, each for five minutes at most unless given. */
  check: z.array(commandSchema).optional(),
  /** Commands that are run in a new worktree before its task, such as `npm ci`. */
  setup: z.array(commandSchema).optional(),
  /** Paths of the main checkout that are linked into each worktree, such as `node_modules`. */
  links: z.array(pathSchema).optional(),
  /** Whether a finished goal goes into the base branch by itself. */
  land: z.enum(LANDINGS).optional(),
  /** How it does: `fast-forward` only where that is possible. */
  merge: z.enum(MERGES).optional(),
  /** A branch of `repository` that a finished goal is pushed to for a pull request; `{goal}` stands for its id. */
  push: z.string().min(1).max(200).optional(),
  sandbox: sandboxSchema.optional(),
};
const givenSchema = z.strictObject(givenSettings);
export type GivenSettings = z.infer<typeof givenSchema>;

type Filled =
  | 'taskPages'
  | 'commitState'
  | 'author'
  | 'check'
  | 'setup'
  | 'links'
  | 'land'
  | 'merge'
  | 'sandbox';
export type ProjectSettings = { [K in Filled]: Exclude<GivenSettings[K], undefined> } & Pick<
  GivenSettings,
  'push'
>;

/** Settings that were not read from a file. @throws DroverError `bad-input` */
export function checkSettings(values: object): GivenSettings {
  const parsed = givenSchema.safeParse(values);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new DroverError('bad-input', `${path.join('.')} ${message}.`, SETTINGS_REMEDY);
}

export const SETTINGS_REMEDY =
  'It may set taskPages and commitState (true or false), author (name, email), check, setup and links (lists), land (auto, approve), merge (merge-commit, fast-forward), push (a branch) and sandbox (mode, network, hide, write).';

const FILE: SettingsFile<GivenSettings> = {
  name: SETTINGS_FILE,
  schema: givenSchema,
  remedy: `Correct ${SETTINGS_FILE}. ${SETTINGS_REMEDY}`,
};

/**
 * The settings of a folder of Drover's own, as its checkout has them.
 * @throws DroverError `bad-input`, one line a problem: `drover.yaml:line:column: what`.
 */
export async function readProjectSettings(project: Project): Promise<ProjectSettings> {
  return parseProjectSettings((await readProjectFile(project, SETTINGS_FILE)) ?? '');
}

/** @throws DroverError `bad-input` */
export const parseProjectSettings = (text: string): ProjectSettings =>
  settle({}, parseSettings(text, FILE), 'auto');

/**
 * The settings that count for the tasks of a project.
 * @param given what its registration says; without one, the project is a folder of Drover's own
 * @throws DroverError `bad-input`
 */
export async function readBaseSettings(
  repository: Repository,
  given?: GivenSettings,
): Promise<ProjectSettings> {
  const base = await readRef(repository, branchRef(repository.base));
  const text = base === undefined ? undefined : await fileIn(repository, base, SETTINGS_FILE);
  return settle(given ?? {}, parseSettings(text ?? '', FILE), given ? 'approve' : 'auto');
}

/** What stands first counts; a sandbox is taken as a whole. */
const settle = (
  first: GivenSettings,
  second: GivenSettings,
  land: ProjectSettings['land'],
): ProjectSettings => ({
  taskPages: true,
  commitState: true,
  author: DROVER_AUTHOR,
  check: [],
  setup: [],
  links: [],
  land,
  merge: 'merge-commit',
  sandbox: sandboxSchema.parse({}),
  ...defined(second),
  ...defined(first),
});

/** Without the keys whose value is undefined, which would hide those of the other source. */
const defined = <T extends object>(settings: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as never;
