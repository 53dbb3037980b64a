/** Where the projects of a command line are. */
import { readConfig } from '../config.js';
import type { Place } from '../engine/workspaces/registering.js';
import type { Globals } from './globals.js';

export function projectsOf({ projectsDir, dataDir }: Globals): Place {
  return { projectsDir, dataDir, environment: readConfig().environment };
}
