/**
 * Bull Board over all queues of a Drover; queues that appear later are added when somebody looks. Its page does not ask
 * for web fonts.
 */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { RequestHandler, Router } from 'express';
import type { RedisClient } from '../queues/connection.js';
import { openQueue } from '../queues/queues.js';

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
  /** To be called before the router: adds queues that are new, and keeps web fonts out of the page. */
  readonly prepare: RequestHandler;
  readonly router: Router;
  readonly close: () => Promise<void>;
}

/** The page's style sheet of web fonts. The security policy stops it too, with an error in the browser's console. */
const FOREIGN_LINK = /<link\b[^>]*\bhref="https?:[^>]*>\s*/g;

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
    prepare(_request, response, next) {
      addNew();
      const render = response.render.bind(response) as (
        view: string,
        values: object,
        then: (error: Error | null, html: string) => void,
      ) => void;
      response.render = (view: string, values: object = {}) =>
        render(view, values, (error, html) => {
          if (error) next(error);
          else response.send(html.replaceAll(FOREIGN_LINK, ''));
        });
      next();
    },
    router: adapter.getRouter() as Router,
    async close() {
      await Promise.all([...open.values()].map((queue) => queue.close()));
    },
  };
}
