/** `drover project show`: one project, with the settings that count for its tasks. */
import { openExisting } from '../../../engine/workspaces/registering.js';
import { defineDroverCommand } from '../../command.js';
import { EXIT } from '../../exit.js';
import { print, printJson } from '../../output.js';
import { projectsOf } from '../../projects.js';
import { projectJson, renderProject } from '../../render/project.js';

export const showCommand = defineDroverCommand({
  name: 'show',
  description: 'Show a project: its repository, and the settings that count for its tasks',
  args: { name: { type: 'positional', description: 'Name of the project' } },
  examples: [
    { run: 'drover project show shop', what: 'Shows its base branch, checks and how goals land.' },
    { run: 'drover project show shop --json', what: 'The same for programs.' },
  ],
  async run({ args: { name }, globals }) {
    const project = await openExisting(projectsOf(globals), name);
    if (globals.json) printJson(projectJson(name, project));
    else for (const line of renderProject(name, project)) print(line);
    return EXIT.done;
  },
});
