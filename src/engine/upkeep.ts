/**
 * What a supervisor looks after beside its requests: that the prefix is its own, that streams are not cut, that
 * Redis is rebuilt when it was away or emptied, and that finished goals leave it.
 */
import { asError, DroverError } from '../core/errors.js';
import { followAway } from '../queues/away.js';
import { type Connection, unlessAway } from '../queues/connection.js';
import { keepStreams } from '../queues/flows.js';
import { ownerKey } from '../queues/keys.js';
import { Vouch } from '../queues/vouch.js';

export interface UpkeepOptions {
  readonly connection: Connection;
  readonly prefix: string;
  /** Names the log that owns the prefix. */
  readonly logId: string;
  readonly queues: () => readonly string[];
  /** Redis may have lost something. */
  readonly recover: () => Promise<void>;
  readonly sweep: () => Promise<void>;
  /** Redis is away or does not answer, for this reason; null when it does again. */
  readonly onTrouble: (reason: string | null) => void;
  readonly onError: (error: Error) => void;
}

/** Milliseconds between two looks. */
const EVERY = 1_000;

export class Upkeep {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;
  private unfollow: () => void = () => undefined;
  private readonly vouch: Vouch;

  constructor(private readonly options: UpkeepOptions) {
    this.vouch = new Vouch(options.connection.client, options.prefix);
  }

  /**
   * Takes the prefix: two logs that took turns on one would each miss what the other read.
   * @throws DroverError `conflict` where another log owns it
   */
  async claimPrefix(): Promise<void> {
    const { connection, prefix, logId } = this.options;
    const { client } = connection;
    await client.set(ownerKey(prefix), logId, 'NX');
    const owner = await client.get(ownerKey(prefix));
    if (owner === logId) return;
    throw new DroverError(
      'conflict',
      `The keys ‘${prefix}:*’ of this Redis belong to another log (${owner}).`,
      'Use that log’s data directory, another Redis, or another prefix (--prefix).',
    );
  }

  /**
   * Recovers, and vouches for the Redis then, where that was not done since it was started or emptied.
   * @returns false where it was
   */
  async compare(): Promise<boolean> {
    const run = await this.vouch.unvouched();
    if (run === undefined) return false;
    await this.claimPrefix();
    const { connection, prefix, queues } = this.options;
    // Whoever emptied Redis took it away, and recovering submits.
    await keepStreams(connection.client, prefix, queues());
    await this.options.recover();
    await this.vouch.vouch(run, this.options.logId);
    return true;
  }

  start(): void {
    const { connection, onTrouble } = this.options;
    this.unfollow = followAway(connection.client, {
      gone: onTrouble,
      back: () => {
        onTrouble(null);
        this.run(async () => void (await this.compare()));
      },
    });
    this.schedule();
  }

  async stop(): Promise<void> {
    const { client } = this.options.connection;
    this.stopped = true;
    clearTimeout(this.timer);
    this.unfollow();
    await unlessAway(client, this.running);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => this.run(() => this.look()), EVERY);
  }

  /** One thing at a time; the next look comes after it. */
  private run(work: () => Promise<void>): void {
    clearTimeout(this.timer);
    this.running = this.running
      .then(work)
      .catch((error: unknown) => {
        if (!this.stopped) this.options.onError(asError(error));
      })
      .finally(() => this.schedule());
  }

  private async look(): Promise<void> {
    const { connection, prefix, queues, sweep } = this.options;
    if (connection.client.status !== 'ready') return;
    // Somebody's own Queue object sets the limit back; this takes it away again.
    await keepStreams(connection.client, prefix, queues());
    await this.compare();
    await sweep();
  }
}
