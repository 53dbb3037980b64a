import { expect, it } from 'vitest';

import { commandEnvironment } from '../../src/agents/environment.js';

const base = {
  PATH: '/opt/bin:/bin',
  HOME: '/home/someone',
  LC_ALL: 'C.UTF-8',
  TERM: 'xterm-256color',
  CI: 'true',
  REDIS_URL: 'redis://:password@localhost',
  ANTHROPIC_API_KEY: 'key-1234',
  EMPTY: '',
};

it('passes on what is harmless, and nothing else', () => {
  expect(commandEnvironment(base, {}, [], {})).toEqual({
    env: { PATH: '/opt/bin:/bin', HOME: '/home/someone', LC_ALL: 'C.UTF-8', TERM: 'dumb' },
    secretValues: [],
    missing: [],
  });
});

it('adds the task, the secrets it names, and what Drover says, each over the one before', () => {
  const task = { PATH: '/task/bin', REDIS_URL: 'none', DROVER_TASK: 'forged' };
  const { env, secretValues, missing } = commandEnvironment(
    base,
    task,
    ['REDIS_URL', 'NO_SUCH_KEY', 'EMPTY', 'constructor', 'NO_SUCH_KEY'],
    { DROVER_TASK: 'task-1' },
  );
  expect(env).toMatchObject({
    PATH: '/task/bin',
    REDIS_URL: 'redis://:password@localhost',
    DROVER_TASK: 'task-1',
  });
  expect(env).not.toHaveProperty('ANTHROPIC_API_KEY');
  expect(secretValues).toEqual(['redis://:password@localhost']);
  expect(missing).toEqual(['NO_SUCH_KEY', 'EMPTY', 'constructor']);
});

it('has a PATH also where the base has none', () => {
  expect(commandEnvironment({}, {}, [], {}).env).toEqual({
    PATH: '/usr/local/bin:/usr/bin:/bin',
    TERM: 'dumb',
  });
});
