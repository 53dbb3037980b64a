/** `drover project list`: every project, without opening any: some may be far away. */
import { join } from 'node:path';
import { messageOf } from '../../../core/errors.js';
import { projectNames } from '../../../engine/workspaces/registering.js';
import { readRegistration } from '../../../workspace/registration.js';
import { withoutPassword } from '../../../workspace/remote.js';
import { defineDroverCommand } from '../../command.js';
import { EXIT } from '../../exit.js';
import { print, printJson } from '../../output.js';
import { cell, renderTable } from '../../render/table.js';
import { oneLine } from '../../render/text.js';

export const listCommand = defineDroverCommand({
  name: 'list',
  description: 'List the projects and where they are',
  args: {},
  examples: [
    {
      run: 'drover project list',
      what: 'Shows registered repositories and those of Drover’s own.',
    },
    { run: 'drover project list --json', what: 'The same for programs.' },
  ],
  async run({ globals: { projectsDir, json } }) {
    const names = await projectNames(projectsDir);
    const projects = await Promise.all(names.map((name) => entryOf(projectsDir, name)));
    if (json) {
      printJson({ projects });
      return EXIT.done;
    }
    if (projects.length === 0) print('No projects: `drover project add PATH|URL`.');
    const rows = projects.map(({ name, repository, base, registered, problem }) => [
      cell(name, 'bold'),
      cell(registered ? 'registered' : "Drover's own", 'gray'),
      cell(base ?? '', 'gray'),
      problem === null ? cell(repository ?? '') : cell(oneLine(problem), 'red'),
    ]);
    const width = process.stdout.isTTY ? process.stdout.columns : undefined;
    for (const line of renderTable(rows, { width })) print(line);
    return EXIT.done;
  },
});

interface Entry {
  readonly name: string;
  readonly registered: boolean;
  readonly repository: string | null;
  readonly base: string | null;
  /** Why its registration cannot be used. */
  readonly problem: string | null;
}

async function entryOf(projectsDir: string, name: string): Promise<Entry> {
  try {
    const found = await readRegistration(projectsDir, name);
    const repository = found ? withoutPassword(found.repository) : join(projectsDir, name);
    return {
      name,
      registered: found !== undefined,
      repository,
      base: found?.base ?? null,
      problem: null,
    };
  } catch (error) {
    return { name, registered: true, repository: null, base: null, problem: messageOf(error) };
  }
}
