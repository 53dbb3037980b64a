/** Commands that stay wait for a Redis that is not there yet, as they do for one that goes away later. */
import { untilAnswered } from '../queues/connection.js';
import { remark } from './output.js';

/**
 * To be called while a signal still ends the process.
 * @param redis the address that was given; one that Drover runs by itself is not waited for
 * @throws DroverError `redis-unreachable` where it answers and does not let Drover in; `bad-input`
 */
export async function waitForRedis(redis: string | undefined): Promise<void> {
  if (redis === undefined) return;
  await untilAnswered(redis, ({ message, remedy }) => {
    remark(`drover: ${message}\n  ${remedy} It is waited for (Ctrl-C stops).`);
  });
}
