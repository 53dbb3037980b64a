/** `drover project remove`: forgets where a project is; the repository stays as it is. */
import { existsSync } from 'node:fs';
import { removeProject } from '../../../engine/workspaces/registering.js';
import { logFile } from '../../../log/database.js';
import { Log } from '../../../log/log.js';
import { defineDroverCommand } from '../../command.js';
import { EXIT } from '../../exit.js';
import { print, printJson } from '../../output.js';
import { projectsOf } from '../../projects.js';

export const removeCommand = defineDroverCommand({
  name: 'remove',
  description: 'Unregister a project; its repository, branches and worktrees stay',
  args: { name: { type: 'positional', description: 'Name of the project' } },
  examples: [{ run: 'drover project remove shop', what: 'Forgets where it is, and nothing else.' }],
  async run({ args: { name }, globals }) {
    using log = existsSync(logFile(globals.dataDir)) ? Log.read(globals.dataDir) : undefined;
    await removeProject(projectsOf(globals), name, log?.db);
    if (globals.json) printJson({ removed: name });
    else print(`${name} is no project any more; its repository stays as it is.`);
    return EXIT.done;
  },
});
