/**
 * The main thread's side of recording: hands over what is to be recorded, and reads what was.
 *
 * Invariants kept here: 1 (what is read here are the stored rows, which are the fold), 6 (this side only reads).
 */
import { Worker } from 'node:worker_threads';
import { type BirpcReturn, createBirpc } from 'birpc';
import { unwrap } from '../../core/answer.js';
import { DroverError } from '../../core/errors.js';
import type { NewEvent } from '../../core/events.js';
import { Log } from '../../log/log.js';
import { GoalReader } from '../../projections/goal-reader.js';
import { portableSource, type RedisSource } from '../../queues/connection.js';
import type { Environment } from '../../workspace/git.js';
import type { Request } from '../decisions/decide.js';
import type { Decision } from '../decisions/rule.js';
import type {
  ChangedGoal,
  RecordingCalls,
  RecordingData,
  RecordingListener,
} from './recording-thread.js';

export interface RecordingOptions {
  readonly dataDir: string;
  /** Null: no STATE.yaml and no task pages. */
  readonly projectsDir: string | null;
  readonly redis: RedisSource;
  readonly prefix: string;
  /** Where git finds `PATH` and `HOME`. */
  readonly environment: Environment;
  /** Recording, or the projects' files, stand still for this reason; null when it goes on. */
  readonly onTrouble: RecordingListener['trouble'];
  readonly onError: (error: Error) => void;
}

/** Listens to commits; called after they are on disk. */
export type CommitListener = (changes: readonly ChangedGoal[]) => void;

/** What is recorded, to read. */
export interface Records {
  readonly log: Log;
  readonly board: GoalReader;
  /** Calls `listener` after each commit; returns how to stop that. */
  onCommit(listener: CommitListener): () => void;
}

/** Source files are run by the tests only, which have built the project: a thread cannot load TypeScript. */
const THREAD = new URL(
  import.meta.url.endsWith('.ts')
    ? '../../../dist/engine/recording/recording-thread.js'
    : './recording-thread.js',
  import.meta.url,
);

/**
 * Recording makes much that is soon forgotten. V8's default of 48 MB has it look twice as often for what is not yet,
 * which costs more the less of it there is to find.
 */
const YOUNG = { maxYoungGenerationSizeMb: 96 };

export class Recording implements Records {
  private readonly listeners = new Set<CommitListener>();
  private readonly queues = new Set<string>();
  private closing = false;
  /** Why nothing can be recorded any more, where the thread died by itself. */
  private ended: DroverError | undefined;

  private constructor(
    private readonly thread: Worker,
    private readonly calls: BirpcReturn<RecordingCalls, RecordingListener>,
    readonly log: Log,
    readonly board: GoalReader,
  ) {}

  /** @throws DroverError as opening the log or Redis throws it */
  static async open(options: RecordingOptions): Promise<Recording> {
    const { dataDir, projectsDir, prefix, redis, environment, onTrouble, onError } = options;
    const workerData: RecordingData = {
      dataDir,
      projectsDir,
      prefix,
      environment,
      redis: portableSource(redis),
    };
    const thread = new Worker(THREAD, { workerData, resourceLimits: YOUNG });
    thread.on('error', onError);
    // Set before the thread can say anything: it answers `open` first.
    let recording: Recording | undefined;
    const listener: RecordingListener = {
      committed: (changes) => recording?.notify(changes),
      trouble: onTrouble,
      switched: (queue) => recording?.onSwitched(queue),
      error: (message) => onError(new Error(message)),
      gap: async (queue) => recording?.onGap(queue) ?? [],
    };
    const calls = createBirpc<RecordingCalls, RecordingListener>(listener, {
      post: (message) => thread.postMessage(message),
      on: (receive) => thread.on('message', receive),
      timeout: -1,
    });
    thread.on('exit', (code) => {
      if (recording?.closing) return;
      const ended = new DroverError(
        'log-unwritable',
        `The recording thread has ended (${code}); nothing is recorded any more.`,
        'Start Drover again: it goes on where the log ends.',
      );
      // Who waits for it would wait for ever.
      calls.$close(ended);
      if (!recording) return;
      recording.ended = ended;
      onTrouble('log', `${ended.message} ${ended.remedy}`);
    });
    try {
      unwrap(await calls.open());
      const log = Log.read(dataDir);
      recording = new Recording(thread, calls, log, new GoalReader(log.db));
      return recording;
    } catch (error) {
      await thread.terminate();
      throw error;
    }
  }

  /** A queue was paused or resumed, by whomever; set by the supervisor. */
  onSwitched: (queue: string) => void = () => undefined;

  /** Looks at the jobs where entries of a stream were cut; set by the supervisor. */
  onGap: (queue: string) => Promise<readonly NewEvent[]> = async () => [];

  /** Records what a request leads to, or refuses it. */
  async decide(request: Request): Promise<Decision> {
    if (this.ended) throw this.ended;
    return unwrap(await this.calls.decide(request));
  }

  async commit(events: readonly NewEvent[]): Promise<void> {
    if (this.ended) throw this.ended;
    unwrap(await this.calls.commit(events));
  }

  /** Reads this queue's stream as well. */
  async watch(queue: string): Promise<void> {
    if (this.queues.has(queue)) return;
    this.queues.add(queue);
    await this.calls.watch(queue);
  }

  /** The queues whose streams are read. */
  watched(): string[] {
    return [...this.queues];
  }

  /** Records everything that is in the streams by now. */
  catchUp(): Promise<void> {
    return this.calls.catchUp();
  }

  start(): Promise<void> {
    return this.calls.start();
  }

  /** Runs `work` while a project's STATE.yaml and pages are written as far as the log goes, and none is being written. */
  async holdingFiles<T>(project: string, work: () => Promise<T>): Promise<T> {
    await this.calls.holdFiles(project);
    try {
      return await work();
    } finally {
      await this.calls.releaseFiles(project);
    }
  }

  onCommit(listener: CommitListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Ends after the batch in hand, with STATE.yaml written. */
  async close(): Promise<void> {
    this.closing = true;
    if (!this.ended) {
      await this.calls.close();
      this.calls.$close();
      await this.thread.terminate();
    }
    this.log.close();
  }

  private notify(changes: readonly ChangedGoal[]): void {
    for (const listener of this.listeners) listener(changes);
  }
}
