/** Bull Board over all queues of a Drover; queues that appear later are added when somebody looks. */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { RequestHandler, Router } from 'express';
import type { RedisClient } from '../queues/connection.js';
import { openQueue } from '../queues/jobs.js';

export interface BoardOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly queues: () => readonly string[];
  /** True: jobs can be retried, promoted, edited and removed there. */
  readonly writable: boolean;
  /** Where the page is mounted. */
  readonly path: string;
}

export interface Board {
  /** To be called before the router: adds queues that are new. */
  readonly refresh: RequestHandler;
  readonly router: Router;
  readonly close: () => Promise<void>;
}

export function createBoard({ client, prefix, queues, writable, path }: BoardOptions): Board {
  const adapter = new ExpressAdapter().setBasePath(path);
  const board = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Drover', hideRedisDetails: !writable } },
  });
  const open = new Map<string, ReturnType<typeof openQueue>>();
  const addNew = (): void => {
    for (const name of queues()) {
      if (open.has(name)) continue;
      const queue = openQueue(client, prefix, name);
      open.set(name, queue);
      board.addQueue(new BullMQAdapter(queue, { readOnlyMode: !writable, allowRetries: writable }));
    }
  };
  addNew();
  return {
    refresh(_request, _response, next) {
      addNew();
      next();
    },
    router: adapter.getRouter() as Router,
    async close() {
      await Promise.all([...open.values()].map((queue) => queue.close()));
    },
  };
}
