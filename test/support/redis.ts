/** A real Redis for one test file, and engines on it that do not see each other. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { createDrover, type Drover, type DroverOptions } from '../../src/index.js';
import { type ManagedRedis, startRedisServer } from '../../src/queues/redis-server.js';

export interface TestBed {
  /** The file's Redis. */
  readonly redis: () => ManagedRedis;
  /** A folder that goes with the file's tests. */
  readonly folder: (name?: string) => string;
  /** A supervisor of its own log and prefix; closed after the test. Reasons and errors are collected. */
  readonly start: (options?: DroverOptions) => Promise<Drover>;
  /** What the engines of this test complained about. */
  readonly errors: string[];
  readonly troubles: (string | null)[];
}

let counter = 0;

export function testBed(): TestBed {
  const root = mkdtempSync(join(tmpdir(), 'drover-'));
  const open = new Set<Drover>();
  const errors: string[] = [];
  const troubles: (string | null)[] = [];
  let server: ManagedRedis;
  beforeAll(async () => {
    server = await startRedisServer({ dir: root });
  });
  afterEach(async () => {
    for (const drover of open) await drover.close({ force: true });
    open.clear();
    errors.length = 0;
    troubles.length = 0;
  });
  afterAll(async () => {
    await server.stop();
    // What was ended by force may still be writing there.
    await rm(root, { recursive: true, force: true, maxRetries: 10 });
  });
  const folder = (name = 'data'): string => mkdtempSync(join(root, `${name}-`));
  return {
    redis: () => server,
    folder,
    errors,
    troubles,
    async start(options = {}) {
      counter += 1;
      const dataDir = options.dataDir ?? folder();
      const drover = await createDrover({
        redis: server.connection,
        prefix: `test${process.pid}x${counter}`,
        dataDir,
        projectsDir: join(dataDir, 'projects'),
        onError: (error) => errors.push(error.message),
        onTrouble: (reason) => troubles.push(reason),
        ...options,
      });
      const close = drover.close.bind(drover);
      open.add(drover);
      return Object.assign(drover, {
        close: (how?: { force?: boolean }) => {
          open.delete(drover);
          return close(how);
        },
      });
    },
  };
}
