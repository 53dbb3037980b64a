import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openProject } from '../../src/workspace/project.js';
import {
  parseProjectSettings,
  readBaseSettings,
  readProjectSettings,
} from '../../src/workspace/project-settings.js';
import {
  readRegistration,
  registeredProjects,
  writeRegistration,
} from '../../src/workspace/registration.js';
import { temporaryFolder, userRepository } from './repository.js';
import { opened } from './work.js';

const DEFAULTS = {
  taskPages: true,
  commitState: true,
  author: { name: 'Drover', email: 'drover@localhost' },
  check: [],
  setup: [],
  links: [],
  land: 'auto',
  merge: 'merge-commit',
  sandbox: { mode: 'off', network: false, hide: [], write: [] },
};

describe('a registered project', () => {
  const register = async (text: string) => {
    const projects = temporaryFolder();
    writeFileSync(join(projects, 'mine.yaml'), text);
    return readRegistration(projects, 'mine');
  };

  test('names its repository and goes before what the repository says', async () => {
    const location = userRepository({
      'drover.yaml': 'check: [npm test]\nlinks: [node_modules]\nland: auto\n',
    });
    const projects = temporaryFolder();
    const settings = { check: [{ run: 'make', timeout: 5 }] };
    await writeRegistration(projects, 'mine', { repository: location, base: 'main', settings });
    const found = await readRegistration(projects, 'mine');
    expect(found).toEqual({ repository: location, base: 'main', settings });
    expect(await registeredProjects(projects)).toEqual(['mine']);
    const repository = await opened({ location });
    writeFileSync(join(location, 'drover.yaml'), 'check: []\n');
    expect(await readBaseSettings(repository, found!.settings)).toEqual({
      ...DEFAULTS,
      check: [{ run: 'make', timeout: 5 }],
      links: ['node_modules'],
    });
    expect(await readBaseSettings(await opened(), {})).toEqual({ ...DEFAULTS, land: 'approve' });
    await expect(writeRegistration(projects, 'mine', found!)).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test.each([
    ['base: main\n', 'mine.yaml:1:1: `repository`:'],
    ['repository: relative/path\n', 'mine.yaml:1:13: `repository`: must be an absolute path'],
    ['repository: "ext::sh -c id"\n', 'mine.yaml:1:13: `repository`: must be an absolute path'],
    ['repository: --upload-pack=x\n', 'mine.yaml:1:13:'],
    ['repository: /x\nchecks: []\n', 'mine.yaml:2:9: Unrecognized key: "checks"'],
  ])('names line and column of what is wrong: %j', async (text, message) => {
    await expect(register(text)).rejects.toThrow(message);
  });

  test('is no folder at the same time', async () => {
    const projects = temporaryFolder();
    await openProject(projects, 'mine');
    writeFileSync(join(projects, 'mine.yaml'), 'repository: /x\n');
    await expect(readRegistration(projects, 'mine')).rejects.toThrow('both the folder');
    expect(await readRegistration(projects, 'other')).toBeUndefined();
  });
});

describe('project settings', () => {
  test('are all optional', async () => {
    const project = await openProject(temporaryFolder(), 'demo');
    expect(await readProjectSettings(project)).toEqual(DEFAULTS);
    writeFileSync(join(project.dir, 'drover.yaml'), '# nothing\n');
    expect(await readProjectSettings(project)).toEqual(DEFAULTS);
    writeFileSync(join(project.dir, 'drover.yaml'), 'taskPages: false\n');
    expect(await readProjectSettings(project)).toEqual({ ...DEFAULTS, taskPages: false });
  });

  test.each([
    ['taskPages: false\nauthor:\n  name: 7\n  email: a@b\n', 'drover.yaml:3:9: `author.name`:'],
    ['commitState: true\ntaskpages: true\n', 'drover.yaml:2:12: Unrecognized key: "taskpages"'],
    ['author: {name: "a\\nb", email: x}\n', 'drover.yaml:1:16: `author.name`: must be one line'],
    ['author:\n  name: [\n', 'drover.yaml:3:1:'],
    ['- 1\n', 'drover.yaml:1:1:'],
    ['taskPages: *nowhere\n', 'drover.yaml:1:'],
    ['check:\n  - npm test\n  - {run: 7}\n', 'drover.yaml:3:5: `check.1`: must be a command'],
    ['links: [../out]\n', 'drover.yaml:1:9: `links.0`: must be a path inside'],
    ['land: soon\n', 'drover.yaml:1:7: `land`:'],
    [`# ${'x'.repeat(70_000)}`, 'drover.yaml:1:1: it is longer'],
  ])('names line and column of what is wrong: %j', (text, message) => {
    expect(() => parseProjectSettings(text)).toThrow(message);
  });
});
