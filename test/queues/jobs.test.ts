/** What Redis refuses to say about jobs is no answer: nothing is taken for missing, or for written. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Jobs } from '../../src/queues/jobs.js';
import { jobKey, journalKey } from '../../src/queues/keys.js';
import { Queues } from '../../src/queues/queues.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const PREFIX = 'refused';
const task = { queue: 'work', id: 'task-1' };

let client: Redis;
beforeEach(() => {
  client = new Redis(bed.redis().connection);
});
afterEach(() => client.disconnect());

it('passes on what Redis refuses', async () => {
  const jobs = new Jobs(client, PREFIX, new Queues(client, PREFIX));
  // Hashes are expected there.
  await client.mset(jobKey(PREFIX, task.queue, task.id), '', journalKey(PREFIX, task.id), '');
  await expect(jobs.priorities([task])).rejects.toThrow('WRONGTYPE');
  const step = { job: task.id, step: 'one', result: 1, overtaken: [] };
  await expect(jobs.restoreJournals([step])).rejects.toThrow('WRONGTYPE');
});
