/**
 * What is paused, in Redis, where claims are opened. A task that is claimed meanwhile is put aside: its job is
 * delayed for ever, without an attempt, and handed back to its queue when its goal goes on.
 *
 * Whoever puts a job aside looks again afterwards whether it is still paused, and whoever resumes looks for such
 * jobs afterwards: one of the two finds it.
 */
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { jobKey, pausedKey } from './keys.js';

/** How a project stands in the set of what is paused; goals stand there by their ids. */
export const projectMark = (project: string): string => `project:${project}`;

/** Milliseconds: ten years, like gates. */
const UNTIL_RESUMED = 10 * 365 * 24 * 3_600_000;

/** Marks a goal as paused, or as going on. */
export async function setPaused(
  client: Redis,
  prefix: string,
  goal: string,
  paused: boolean,
): Promise<void> {
  if (paused) await client.sadd(pausedKey(prefix), goal);
  else await client.srem(pausedKey(prefix), goal);
}

/** Marks these projects as paused, and no others. */
export async function setPausedProjects(
  client: Redis,
  prefix: string,
  projects: readonly string[],
): Promise<void> {
  const wanted = projects.map(projectMark);
  const marks = await client.smembers(pausedKey(prefix));
  const over = marks.filter((mark) => mark.startsWith(projectMark('')) && !wanted.includes(mark));
  if (over.length > 0) await client.srem(pausedKey(prefix), ...over);
  if (wanted.length > 0) await client.sadd(pausedKey(prefix), ...wanted);
}

/** Puts a claimed job aside, unless its goal goes on already. */
export async function putAside(
  client: Redis,
  prefix: string,
  job: Job,
  token: string,
  marks: readonly string[],
): Promise<void> {
  await job.moveToDelayed(Date.now() + UNTIL_RESUMED, token);
  const paused = await client.smismember(pausedKey(prefix), ...marks);
  if (!paused.includes(1)) await takeUp(client, prefix, job);
}

/** Hands a job that was put aside back to its queue; any other is left alone. */
export async function takeUp(client: Redis, prefix: string, job: Job): Promise<void> {
  const key = jobKey(prefix, job.queueName, job.id!);
  // The mark goes when the next claim is opened.
  if ((await client.hget(key, 'held')) === null) return;
  // Somebody else may have handed it back in between.
  if ((await job.getState()) === 'delayed') await job.promote().catch(() => undefined);
}
