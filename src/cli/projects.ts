/** Where the projects of a command line are. */
import { readConfig } from '../config.js';
import type { LogPlace } from '../engine/workspaces/looking.js';
import type { ProjectsFolder } from '../engine/workspaces/registering.js';
import type { Log } from '../log/log.js';
import type { Globals } from './globals.js';

export function projectsOf({ projectsDir, dataDir }: Globals): ProjectsFolder {
  return { projectsDir, dataDir, environment: readConfig().environment };
}

/** The same, for what concerns the goals of a log. */
export const goalsPlaceOf = (globals: Globals, log: Log): LogPlace => ({
  ...projectsOf(globals),
  log: log.knownId(),
});
