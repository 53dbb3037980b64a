/** `drover project add`, `drover project new`: a repository that is there, or one of Drover's own. */
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { DroverError } from '../../../core/errors.js';
import { isName, NAME_RULE } from '../../../core/ids.js';
import { addProject, newProject } from '../../../engine/workspaces/registering.js';
import { checkSettings, LANDINGS, MERGES } from '../../../workspace/project-settings.js';
import { isUrl } from '../../../workspace/remote.js';
import { defineDroverCommand } from '../../command.js';
import { EXIT } from '../../exit.js';
import { print, printJson } from '../../output.js';
import { projectsOf } from '../../projects.js';
import { projectJson, renderProject } from '../../render/project.js';

export const addCommand = defineDroverCommand({
  name: 'add',
  description: 'Register a repository as a project; nothing in it is changed',
  args: {
    repository: {
      type: 'positional',
      description: 'Folder of a repository, or a URL such as https://host/shop.git',
    },
    name: {
      type: 'string',
      valueHint: 'NAME',
      description: "Name of the project; the repository's unless given",
    },
    base: {
      type: 'string',
      valueHint: 'BRANCH',
      description: 'Branch that goals start from and land in; the one checked out unless given',
    },
    check: {
      type: 'string',
      valueHint: 'COMMAND',
      description: 'Must succeed on every merged tree; may be given several times',
    },
    setup: {
      type: 'string',
      valueHint: 'COMMAND',
      description: 'Prepares each new worktree, such as "npm ci"; may be given several times',
    },
    link: {
      type: 'string',
      valueHint: 'PATH',
      description: 'Linked from the checkout into each worktree, such as node_modules; as often',
    },
    land: {
      type: 'string',
      valueHint: LANDINGS.join('|'),
      description: 'Whether finished goals land by themselves; approve unless given',
    },
    merge: {
      type: 'string',
      valueHint: MERGES.join('|'),
      description: 'How they land; merge-commit unless given',
    },
    push: {
      type: 'string',
      valueHint: 'BRANCH',
      description:
        'Push finished goals to this branch for a pull request; {goal} stands for the id',
    },
  },
  examples: [
    {
      run: 'drover project add ~/src/shop --check "npm test" --setup "npm ci"',
      what: 'Goals of the project shop work in it; each merge is tested first.',
    },
    {
      run: 'drover project add https://host/shop.git --name store --push "drover/{goal}"',
      what: 'Works on a clone, and pushes what is finished for a pull request.',
    },
    { run: 'drover project add . --link node_modules', what: 'Shares what is installed there.' },
  ],
  async run({ args, all, globals }) {
    const { repository, base, land, merge, push } = args;
    const path = resolve(repository);
    const location = existsSync(path) || !isUrl(repository) ? path : repository;
    const many = (option: string): readonly string[] | undefined =>
      all(option).length > 0 ? all(option) : undefined;
    const settings = checkSettings({
      check: many('check'),
      setup: many('setup'),
      links: many('link'),
      land,
      merge,
      push,
    });
    const name = args.name ?? nameFrom(location);
    const project = await addProject(projectsOf(globals), {
      name,
      repository: location,
      base,
      settings,
    });
    if (globals.json) printJson(projectJson(name, project));
    else {
      print(`${name} is a project now; nothing in its repository was changed.`);
      for (const line of renderProject(name, project)) print(line);
      print(`Next: drover run FLOW.yaml --project ${name}`);
    }
    return EXIT.done;
  },
});

/** @throws DroverError `bad-input` */
function nameFrom(location: string): string {
  const name = basename(location)
    .replace(/^.*:/, '')
    .replace(/\.git$/, '');
  if (isName(name)) return name;
  throw new DroverError(
    'bad-input',
    `‘${name}’ cannot be the name of a project.`,
    `Choose one with --name: ${NAME_RULE}.`,
  );
}

export const newCommand = defineDroverCommand({
  name: 'new',
  description: "Start a repository of Drover's own",
  args: { name: { type: 'positional', description: 'Name of the project' } },
  examples: [
    {
      run: 'drover project new notes',
      what: 'Makes projects/notes, whose goals land by themselves.',
    },
  ],
  async run({ args: { name }, globals }) {
    const project = await newProject(projectsOf(globals), name);
    if (globals.json) printJson(projectJson(name, project));
    else {
      print(`${name} is a project now, in ${project.repository.dir}.`);
      print(`Next: drover run FLOW.yaml --project ${name}`);
    }
    return EXIT.done;
  },
});
