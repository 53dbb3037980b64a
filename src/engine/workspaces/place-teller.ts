/** Tells agents where a project is: before each goal that they are to work on, once for all of one turn. */
import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { RedisClient } from '../../queues/connection.js';
import { tellPlace } from '../../queues/places.js';
import type { Projects } from './projects.js';

export class PlaceTeller {
  /** By project: what is told at the end of this turn. */
  private readonly coming = new Map<string, Promise<void>>();

  constructor(
    private readonly client: RedisClient,
    private readonly prefix: string,
    private readonly projects: Projects,
  ) {}

  /** Resolves once Redis has the place as it was found after this call. */
  tell(project: string): Promise<void> {
    const known = this.coming.get(project);
    if (known) return known;
    const told = this.tellNext(project);
    this.coming.set(project, told);
    return told;
  }

  private async tellNext(project: string): Promise<void> {
    await endOfTurn();
    // Whoever asks from now on may know of a registration that is not seen any more.
    this.coming.delete(project);
    // A registration that cannot be read is told by whoever wants the files.
    const place = await this.projects.placeOf(project).catch(() => undefined);
    if (place) await tellPlace(this.client, this.prefix, project, place);
  }
}
