/**
 * What is paused, in Redis, where claims are opened. A task that is claimed meanwhile is put aside (held.ts), and
 * taken up again when what was paused goes on.
 */
import type { Redis } from 'ioredis';
import { pausedKey } from './keys.js';

/** How a project stands in the set of what is paused; goals stand there by their ids. */
const projectMark = (project: string): string => `project:${project}`;

/** Why a job was put aside, by what is paused. */
export const pauseReason = (mark: string): string => `paused:${mark}`;

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
