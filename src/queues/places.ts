/** Where the supervisor has its projects, for agents that may be on another machine. Without URLs: they may have passwords. */
import { z } from 'zod';
import type { RedisClient } from './connection.js';
import { placesKey } from './keys.js';

/** A repository of Drover's own, or where it is to be made. */
const ownSchema = z.object({ registered: z.literal(false), host: z.string(), dir: z.string() });
export type OwnPlace = z.infer<typeof ownSchema>;

const placeSchema = z.union([z.object({ registered: z.literal(true) }), ownSchema]);
export type Place = z.infer<typeof placeSchema>;

export async function tellPlace(
  client: RedisClient,
  prefix: string,
  project: string,
  place: Place,
): Promise<void> {
  await client.hset(placesKey(prefix), project, JSON.stringify(place));
}

/** Undefined where no supervisor has told it. */
export async function readPlace(
  client: RedisClient,
  prefix: string,
  project: string,
): Promise<Place | undefined> {
  const told = await client.hget(placesKey(prefix), project);
  return told === null ? undefined : placeSchema.parse(JSON.parse(told));
}
