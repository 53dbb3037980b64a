/** The files of this process's claims; see claim-files.ts for one of them. */
import type { ClaimContext, Files } from '../../agents/files.js';
import type { Shell } from '../../agents/shell.js';
import type { Claim } from '../../queues/claim.js';
import type { RedisClient } from '../../queues/connection.js';
import { ownerKey } from '../../queues/keys.js';
import { readPlace } from '../../queues/places.js';
import { Trains } from '../../queues/train.js';
import { ClaimFiles } from './claim-files.js';
import { GoalTrain, type Told } from './goal-train.js';
import type { Passenger } from './passenger.js';
import type { OpenProject, Projects } from './projects.js';
import { requireSamePlace } from './same-place.js';

export interface WorkspacesParts {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly projects: Projects;
  readonly shell: Shell;
}

export class Workspaces {
  private readonly trains: Trains<Passenger, Told>;
  private readonly train: GoalTrain;

  constructor(private readonly parts: WorkspacesParts) {
    this.trains = new Trains(parts.client, parts.prefix);
    this.train = new GoalTrain(this.trains, parts.shell);
  }

  of(claim: Claim, agent: string, context: ClaimContext): Files {
    const { client, prefix, projects, shell } = this.parts;
    const log = async () => (await client.get(ownerKey(prefix))) ?? undefined;
    const open = async (name: string): Promise<OpenProject> => {
      await requireSamePlace(projects, name, await readPlace(client, prefix, name));
      return await projects.open(name);
    };
    return new ClaimFiles({ open, shell, log, train: this.train }, claim, agent, context);
  }

  /** To be called with every message on `trainChannel`. */
  heard(track: string): void {
    this.trains.heard(track);
  }
}
