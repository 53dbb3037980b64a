import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openProject } from '../../src/workspace/project.js';
import { parseProjectSettings, readProjectSettings } from '../../src/workspace/project-settings.js';
import { temporaryFolder } from './repository.js';

const DEFAULTS = {
  taskPages: true,
  commitState: true,
  author: { name: 'Drover', email: 'drover@localhost' },
};

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
    [`# ${'x'.repeat(70_000)}`, 'drover.yaml:1:1: it is longer'],
  ])('names line and column of what is wrong: %j', (text, message) => {
    expect(() => parseProjectSettings(text)).toThrow(message);
  });
});
