/**
 * Projects as people add, look at and remove them. Nothing of a registered repository is changed here: it is only
 * opened, to prove that it can be used, before its registration is written.
 */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DroverError } from '../../core/errors.js';
import { isName } from '../../core/ids.js';
import type { Database } from '../../log/database.js';
import { unsettledGoals } from '../../projections/goal-queries.js';
import { branchRef } from '../../workspace/branches.js';
import { openProject } from '../../workspace/project.js';
import { type GivenSettings, readBaseSettings } from '../../workspace/project-settings.js';
import { readRef } from '../../workspace/refs.js';
import {
  readRegistration,
  registeredProjects,
  registrationFile,
  writeRegistration,
} from '../../workspace/registration.js';
import { cloneDir } from '../../workspace/remote.js';
import { openRepository } from '../../workspace/repository.js';
import { type OpenProject, Projects, type ProjectsPlace } from './projects.js';

export interface AddProject {
  readonly name: string;
  /** An absolute path, or a URL. */
  readonly repository: string;
  readonly base?: string | undefined;
  readonly settings: GivenSettings;
}

/** Where projects are, for what looks at all of them. */
export type ProjectsFolder = ProjectsPlace & { readonly projectsDir: string };

/**
 * Registers a repository, once it has proven to be one whose base branch and settings can be used.
 * @throws DroverError `bad-input`, `not-found`, `conflict` where the name is taken
 */
export async function addProject(
  place: ProjectsFolder,
  { name, repository: location, base, settings }: AddProject,
): Promise<OpenProject> {
  const { projectsDir, dataDir, environment } = place;
  await requireFree(projectsDir, name, 'Choose another name with --name.');
  const clone = cloneDir(dataDir, name);
  const hadClone = existsSync(clone);
  try {
    const repository = await openRepository({ name, location, dataDir, base, environment });
    if (repository.kind === 'remote' && hadClone) {
      const origin = await repository.git.ask(['config', '--get', 'remote.origin.url']);
      if (origin.output.trim() !== location) throw otherClone(name, clone);
    }
    if (base !== undefined && (await readRef(repository, branchRef(base))) === undefined) {
      throw new DroverError(
        'not-found',
        `The repository has no branch ${base}.`,
        'Name one that it has with --base; `git branch --list` shows them.',
      );
    }
    const counting = await readBaseSettings(repository, settings);
    await writeRegistration(projectsDir, name, { repository: location, base, settings });
    return { repository, settings: counting, isOwn: false };
  } catch (error) {
    if (!hadClone) await rm(clone, { recursive: true, force: true });
    throw error;
  }
}

/** Starts a repository of Drover's own. @throws DroverError `conflict` where the name is taken */
export async function newProject(place: ProjectsFolder, name: string): Promise<OpenProject> {
  await requireFree(place.projectsDir, name, 'Choose another name.');
  await openProject(place.projectsDir, name, { environment: place.environment });
  return await new Projects(place).open(name);
}

/**
 * Forgets a registration; the repository, its branches and its worktrees stay.
 * @param db the log, where there is one: goals that are not over keep their project
 * @throws DroverError `not-found`, `conflict`
 */
export async function removeProject(
  { projectsDir }: ProjectsFolder,
  name: string,
  db: Database | undefined,
): Promise<void> {
  if ((await readRegistration(projectsDir, name)) === undefined) {
    const own = existsSync(join(projectsDir, name));
    throw new DroverError(
      own ? 'conflict' : 'not-found',
      own
        ? `Project ${name} is a repository of Drover's own; there is no registration to remove.`
        : `There is no project ${name} in ${projectsDir}.`,
      own
        ? `Remove ${join(projectsDir, name)} yourself if nobody needs it any more.`
        : 'See `drover project list`.',
    );
  }
  const open = db ? unsettledGoals(db, name) : [];
  if (open.length > 0) {
    throw new DroverError(
      'conflict',
      `Project ${name} has goals that are not over: ${open.join(', ')}.`,
      'Let them end and land, or cancel them (`drover cancel GOAL`).',
    );
  }
  await rm(registrationFile(projectsDir, name));
}

/** The names of all projects, registered or Drover's own, in order. */
export async function projectNames(projectsDir: string): Promise<string[]> {
  const entries = await readdir(projectsDir).catch(() => []);
  const own = entries.filter(
    (entry) => isName(entry) && existsSync(join(projectsDir, entry, '.git')),
  );
  return [...new Set([...own, ...(await registeredProjects(projectsDir))])].toSorted();
}

/**
 * A project that is there; unlike `Projects.open` it makes none.
 * @throws DroverError `not-found`, and what opening it throws
 */
export async function openExisting(place: ProjectsFolder, name: string): Promise<OpenProject> {
  if (await projectExists(place.projectsDir, name)) return await new Projects(place).open(name);
  throw new DroverError(
    'not-found',
    `There is no project ${name} in ${place.projectsDir}.`,
    'See `drover project list`, or name the folder of projects with --projects.',
  );
}

async function projectExists(projectsDir: string, name: string): Promise<boolean> {
  const registration = await readRegistration(projectsDir, name);
  return registration !== undefined || existsSync(join(projectsDir, name));
}

async function requireFree(projectsDir: string, name: string, remedy: string): Promise<void> {
  if (!(await projectExists(projectsDir, name))) return;
  throw new DroverError(
    'conflict',
    `There is a project ${name} in ${projectsDir} already.`,
    remedy,
  );
}

const otherClone = (name: string, clone: string): DroverError =>
  new DroverError(
    'conflict',
    `Drover has a clone of another repository for the name ${name}, of a project that was removed.`,
    `Choose another name with --name, or remove ${clone}.`,
  );
