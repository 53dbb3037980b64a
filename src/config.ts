/** The only reader of the environment. Options given in code or on the command line win over it. */
import { resolve } from 'node:path';
import { DEFAULT_PREFIX } from './queues/keys.js';

export interface Config {
  /** `REDIS_URL`; without it Drover runs a Redis of its own. */
  readonly redisUrl: string | undefined;
  /** `DROVER_DATA`, default `.drover` in the working directory: the log and what belongs to it. */
  readonly dataDir: string;
  /** `DROVER_PROJECTS`, default `projects` in the working directory. */
  readonly projectsDir: string;
  /** `DROVER_PREFIX`, default `drover`: first part of all keys in Redis. */
  readonly prefix: string;
  /** `DROVER_TOKEN`: asked of every HTTP client; needed to listen on more than the loopback interface. */
  readonly token: string | undefined;
  /** The whole environment, for agents to pick what a task's command may see. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  return {
    redisUrl: environment['REDIS_URL'] || undefined,
    dataDir: resolve(environment['DROVER_DATA'] || '.drover'),
    projectsDir: resolve(environment['DROVER_PROJECTS'] || 'projects'),
    prefix: environment['DROVER_PREFIX'] || DEFAULT_PREFIX,
    token: environment['DROVER_TOKEN'] || undefined,
    environment,
  };
}
