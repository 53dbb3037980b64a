/** The options that every command has. They win over the environment, which wins over the defaults. */
import { resolve } from 'node:path';
import { readConfig } from '../config.js';
import { DroverError } from '../core/errors.js';

export const GLOBAL_ARGS = {
  data: {
    type: 'string',
    valueHint: 'DIR',
    description: 'Data directory, where the log lies; else DROVER_DATA, else .drover',
  },
  redis: {
    type: 'string',
    valueHint: 'URL',
    description: 'Redis to use; else REDIS_URL, else one of its own in the data directory',
  },
  prefix: {
    type: 'string',
    valueHint: 'NAME',
    description: 'First part of all keys in Redis; else DROVER_PREFIX, else drover',
  },
  projects: {
    type: 'string',
    valueHint: 'DIR',
    description: 'Folder of the projects; else DROVER_PROJECTS, else projects',
  },
  json: {
    type: 'boolean',
    description: 'Print JSON and nothing else on standard output',
  },
} as const;

export interface Globals {
  readonly dataDir: string;
  /** Undefined where neither an option nor the environment names one. */
  readonly redis: string | undefined;
  readonly prefix: string;
  readonly projectsDir: string;
  readonly json: boolean;
  /** Asked of every HTTP client. */
  readonly token: string | undefined;
}

export function readGlobals(values: Readonly<Record<string, unknown>>): Globals {
  const config = readConfig();
  const given = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  const redis = given('redis') ?? config.redisUrl;
  if (redis !== undefined) checkRedisUrl(redis);
  return {
    dataDir: resolve(given('data') ?? config.dataDir),
    redis,
    prefix: given('prefix') ?? config.prefix,
    projectsDir: resolve(given('projects') ?? config.projectsDir),
    json: values['json'] === true,
    token: config.token,
  };
}

/** ioredis takes nearly anything for an address, and would look for it in vain. */
function checkRedisUrl(text: string): void {
  const isUrl = /^(rediss?|unix):\/\/./.test(text) && URL.canParse(text);
  if (isUrl || text.startsWith('/') || /^[\w.-]+:\d+$/.test(text)) return;
  throw new DroverError(
    'bad-input',
    'The address of Redis is none that can be used.',
    'Write it like redis://127.0.0.1:6379, rediss://user:password@host:6380 or /path/to/redis.sock.',
  );
}
