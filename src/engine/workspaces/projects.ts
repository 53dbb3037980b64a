/** The projects of this machine: their repositories, and the settings that count for their tasks. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { DroverError } from '../../core/errors.js';
import type { OwnPlace, Place } from '../../queues/places.js';
import type { Environment } from '../../workspace/git.js';
import { openProject } from '../../workspace/project.js';
import { type ProjectSettings, readBaseSettings } from '../../workspace/project-settings.js';
import { readRegistration } from '../../workspace/registration.js';
import { openRepository, type Repository } from '../../workspace/repository.js';

export interface ProjectsPlace {
  /** Null: there are no projects. */
  readonly projectsDir: string | null;
  /** Worktrees, clones and what git needs besides are kept below it. */
  readonly dataDir: string;
  readonly environment: Environment;
}

export interface OpenProject {
  readonly repository: Repository;
  /** As the base branch has them now. */
  readonly settings: ProjectSettings;
  /** True for a repository of Drover's own, which nobody registered. */
  readonly isOwn: boolean;
}

export class Projects {
  private readonly repositories = new Map<
    string,
    { location: string; opened: Promise<Repository> }
  >();

  /** Folders of Drover's own repositories that were found to be whole. */
  private readonly own = new Map<string, string>();

  constructor(private readonly place: ProjectsPlace) {}

  /**
   * A project that is not registered is a repository of Drover's own, and made where it is missing.
   * @throws DroverError `bad-input` where there are no projects, and what registrations and git's door throw
   */
  async open(name: string): Promise<OpenProject> {
    const { projectsDir } = this.place;
    if (projectsDir === null) {
      throw new DroverError(
        'bad-input',
        'Commands need a folder to run in, and this Drover has no projects.',
        'Give createDrover a `projectsDir`.',
      );
    }
    const registration = await readRegistration(projectsDir, name);
    const location = registration?.repository ?? (await this.ownFolder(projectsDir, name));
    const repository = await this.repository(name, location, registration?.base);
    const settings = await readBaseSettings(repository, registration?.settings);
    return { repository, settings, isOwn: registration === undefined };
  }

  /** Looked at once, and again where its repository is gone: git's look costs more than all that follows. */
  private async ownFolder(projectsDir: string, name: string): Promise<string> {
    const known = this.own.get(name);
    if (known !== undefined && existsSync(join(known, '.git'))) return known;
    const { environment } = this.place;
    const { dir } = await openProject(projectsDir, name, { environment });
    this.own.set(name, dir);
    return dir;
  }

  /** Whether there is a repository to open, which is not made for it. */
  async exists(name: string): Promise<boolean> {
    const { projectsDir } = this.place;
    if (projectsDir === null) return false;
    if (await readRegistration(projectsDir, name)) return true;
    return existsSync(join(projectsDir, name, '.git'));
  }

  /** Where a project is, or would be made; undefined where there are no projects. */
  async placeOf(name: string): Promise<Place | undefined> {
    const { projectsDir } = this.place;
    if (projectsDir === null) return undefined;
    if (await readRegistration(projectsDir, name)) return { registered: true };
    return this.ownPlace(projectsDir, name);
  }

  /** True where that is this folder of projects: whatever was registered since, both read it here. */
  isHere(name: string, { host, dir }: OwnPlace): boolean {
    const { projectsDir } = this.place;
    if (projectsDir === null) return false;
    const here = this.ownPlace(projectsDir, name);
    return host === here.host && dir === here.dir;
  }

  private ownPlace(projectsDir: string, name: string): OwnPlace {
    return { registered: false, host: hostname(), dir: resolve(projectsDir, name) };
  }

  /** Opened once: it costs some calls of git, and hardly ever changes. */
  private repository(name: string, location: string, base?: string): Promise<Repository> {
    const { dataDir, environment } = this.place;
    const known = this.repositories.get(name);
    if (known?.location === `${location} ${base}`) return known.opened;
    const opened = openRepository({ name, location, dataDir, base, environment });
    this.repositories.set(name, { location: `${location} ${base}`, opened });
    // What cannot be opened now may be mended later.
    opened.catch(() => this.repositories.delete(name));
    return opened;
  }
}
