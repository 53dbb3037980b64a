/**
 * The main thread's side of recording: hands over what is to be recorded, and reads what was. A recording thread
 * that ends by itself is replaced by another, which goes on at the cursors.
 *
 * Invariants kept here: 1 (what is read here are the stored rows, which are the fold), 6 (this side only reads).
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { unwrap } from '../../core/answer.js';
import { DroverError, messageOf } from '../../core/errors.js';
import type { NewEvent } from '../../core/events.js';
import { Log } from '../../log/log.js';
import { GoalReader } from '../../projections/goal-reader.js';
import { portableSource, type RedisSource } from '../../queues/redis-source.js';
import type { Environment } from '../../workspace/git.js';
import type { Recorded, Request } from '../decisions/decide.js';
import type { Decision } from '../decisions/rule.js';
import { LiveThread } from './live-thread.js';
import type { ChangedGoal, RecordingListener } from './recording-thread.js';
import { closedError } from '../closed.js';

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

/** Listens to commits; called after they are on disk. @param changes by goal, for those who wait for one of many */
export type CommitListener = (changes: ReadonlyMap<string, ChangedGoal>) => void;

/** What is recorded, to read. */
export interface Records {
  readonly log: Log;
  readonly board: GoalReader;
  /** True once nothing can be read any more. */
  readonly isClosed: boolean;
  /** Calls `listener` after each commit; returns how to stop that. */
  onCommit(listener: CommitListener): () => void;
}

/** Milliseconds that a request waits for the next recording thread when one has ended. */
const PATIENCE = 10_000;
/** A thread that ends within so many milliseconds of its start may well end again. */
const STABLE = 60_000;
/** Tries in a row, each of which ended soon, before it is left to a person. */
const TRIES = 10;
/** Milliseconds before the first of them; they double up to the longest. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 30_000;

export class Recording implements Records {
  private readonly listeners = new Set<CommitListener>();
  private readonly queues = new Set<string>();
  /** Projects whose files nobody may write now. */
  private readonly held = new Set<string>();
  private readonly closing = new AbortController();
  isClosed = false;
  private isStarted = false;
  /** Sequence number of the last event that listeners have heard of. */
  private heard: number;
  /** None runs between the end of one and the start of the next. */
  private thread: LiveThread | undefined;
  private replacing: Promise<void> = Promise.resolve();
  /** Threads in a row that ended soon or could not be started. */
  private failures = 0;
  /** Why nothing can be recorded, while no thread runs. */
  private refusal: DroverError | undefined;
  /** What is told at the moment, with the reason. */
  private readonly troubled = new Map<'log' | 'files', string>();

  private constructor(
    private readonly options: RecordingOptions,
    private readonly startThread: () => Promise<LiveThread>,
    first: LiveThread,
    readonly log: Log,
    readonly board: GoalReader,
  ) {
    this.heard = log.lastSeq();
    this.take(first);
  }

  /** @throws DroverError as opening the log or Redis throws it */
  static async open(options: RecordingOptions): Promise<Recording> {
    const { dataDir, projectsDir, prefix, redis, environment, onError } = options;
    // Set before a thread can say anything: it answers `open` first.
    let recording: Recording | undefined;
    const listener: RecordingListener = {
      committed: (changes, seq) => recording?.notify(changes, seq),
      trouble: (about, reason) => recording?.trouble(about, reason),
      switched: (queue) => recording?.onSwitched(queue),
      error: (message) => onError(new Error(message)),
      gap: async (queue) => recording?.onGap(queue) ?? [],
    };
    const data = { dataDir, projectsDir, prefix, environment, redis: portableSource(redis) };
    const startThread = (): Promise<LiveThread> => LiveThread.start(data, listener, onError);
    const first = await startThread();
    try {
      const log = Log.read(dataDir);
      recording = new Recording(options, startThread, first, log, new GoalReader(log.db));
      return recording;
    } catch (error) {
      await first.terminate();
      throw error;
    }
  }

  /** A queue was paused or resumed, by whomever; set by the supervisor. */
  onSwitched: (queue: string) => void = () => undefined;

  /** Looks at the jobs where entries of a stream were cut; set by the supervisor. */
  onGap: (queue: string) => Promise<readonly NewEvent[]> = async () => [];

  /**
   * Another recording thread has taken the place of one that ended: requests may be recorded whose effects nobody
   * has had, because the answer was lost; set by the supervisor.
   */
  onReplaced: () => void = () => undefined;

  /**
   * Records what a request leads to, or refuses it.
   * @throws DroverError `log-unwritable` where nothing can be recorded, or it is not known whether this was
   */
  async decide(asked: Request): Promise<Recorded<Decision>> {
    // By its id, a request that was recorded with its answer lost gets the same answer again.
    const request = { ...asked, id: asked.id ?? randomUUID() };
    return unwrap(await this.ask((calls) => calls.decide(request)));
  }

  async commit(events: readonly NewEvent[]): Promise<void> {
    unwrap(await (await this.running()).calls.commit(events));
  }

  /** Reads this queue's stream as well. */
  async watch(queue: string): Promise<void> {
    if (this.queues.has(queue)) return;
    this.queues.add(queue);
    await this.ask((calls) => calls.watch(queue));
  }

  /** The queues whose streams are read. */
  watched(): string[] {
    return [...this.queues];
  }

  /**
   * Records everything that is in the streams by now.
   * @throws DroverError `log-unwritable` where the disk refuses
   */
  async catchUp(): Promise<void> {
    unwrap(await this.ask((calls) => calls.catchUp()));
  }

  async start(): Promise<void> {
    this.isStarted = true;
    await (await this.running()).calls.start(this.heard);
  }

  /** Runs `work` while a project's STATE.yaml and pages are written as far as the log goes, and none is being written. */
  async holdingFiles<T>(project: string, work: () => Promise<T>): Promise<T> {
    await this.ask((calls) => calls.holdFiles(project));
    this.held.add(project);
    try {
      return await work();
    } finally {
      this.held.delete(project);
      if (this.thread) release(this.thread, project);
    }
  }

  onCommit(listener: CommitListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Ends after the batch in hand, with STATE.yaml written. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.replacing;
    await this.thread?.close();
    this.isClosed = true;
    this.log.close();
  }

  /** Tells that the log cannot be written, for whoever tries again until it can: recording itself finds out only by what comes in. */
  cannotWrite(reason: string): void {
    this.trouble('log', reason);
  }

  private notify(changes: ReadonlyMap<string, ChangedGoal>, seq: number): void {
    this.trouble('log', null);
    this.heard = seq;
    for (const listener of this.listeners) listener(changes);
  }

  private trouble(about: 'log' | 'files', reason: string | null): void {
    // Each try to write comes to the same.
    if (reason === this.troubled.get(about)) return;
    if (reason !== null) this.troubled.set(about, reason);
    else if (!this.troubled.delete(about)) return;
    this.options.onTrouble(about, reason);
  }

  /** Asks the thread, and the next one where that ends before it answers: for what may be asked twice. */
  private async ask<T>(call: (calls: LiveThread['calls']) => Promise<T>): Promise<T> {
    const thread = await this.running();
    try {
      return await call(thread.calls);
    } catch (error) {
      if (!thread.failure) throw error;
      return await call((await this.running()).calls);
    }
  }

  /** The thread, or the next one where it has just ended. */
  private async running(): Promise<LiveThread> {
    if (this.closing.signal.aborted) {
      throw closedError();
    }
    if (!this.thread)
      await Promise.race([this.replacing, delay(PATIENCE, undefined, { ref: false })]);
    if (this.thread) return this.thread;
    throw this.refusal!;
  }

  private take(thread: LiveThread): void {
    this.thread = thread;
    void this.outlive(thread);
  }

  /** Has another thread take the place of this one when it ends by itself. */
  private async outlive(thread: LiveThread): Promise<void> {
    const since = performance.now();
    const reason = await thread.failed;
    this.thread = undefined;
    if (performance.now() - since > STABLE) this.failures = 0;
    this.replacing = this.replace(`has ended: ${reason}`);
    await this.replacing;
  }

  private async replace(reason: string): Promise<void> {
    const { signal } = this.closing;
    this.failures += 1;
    this.refuse(reason);
    if (this.failures > TRIES) return;
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (this.failures - 1));
    await delay(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await this.startNext();
    } catch (error) {
      await this.replace(`cannot be started: ${messageOf(error)}`);
      return;
    }
    this.trouble('files', null);
    this.trouble('log', null);
    this.onReplaced();
  }

  /** The next thread goes on where the cursors are, with what the one before was asked to do. */
  private async startNext(): Promise<void> {
    const thread = await this.startThread();
    const { calls } = thread;
    const held = [...this.held];
    try {
      for (const queue of this.queues) await calls.watch(queue);
      for (const project of held) await calls.holdFiles(project);
      if (this.isStarted) await calls.start(this.heard);
    } catch (error) {
      await thread.terminate();
      throw error;
    }
    this.take(thread);
    // Let go meanwhile.
    for (const project of held) if (!this.held.has(project)) release(thread, project);
  }

  /** Says why nothing is recorded, and to those who ask for something meanwhile. */
  private refuse(reason: string): void {
    const isOver = this.failures > TRIES;
    this.refusal = new DroverError(
      'log-unwritable',
      isOver
        ? `Nothing is recorded any more: the recording thread ${reason}. It was started ${TRIES} times in a row.`
        : `Nothing is recorded at the moment: the recording thread ${reason}. It is being started again.`,
      isOver
        ? 'Start Drover again: it goes on where the log ends.'
        : 'Ask again in a while; what happens meanwhile stays in Redis until it is recorded.',
    );
    this.trouble('log', `${this.refusal.message} ${this.refusal.remedy}`);
  }
}

/** Nobody waits for it: where the thread has ended, nothing is held. */
function release(thread: LiveThread, project: string): void {
  void thread.calls.releaseFiles.asEvent(project);
}
