/**
 * The recording thread: reads the streams, writes the log, and lets STATE.yaml follow. It is a thread because
 * SQLite waits for the disk: on the main thread a slow disk would hold up every agent, relay and lock of the
 * process (docs/adr/0004).
 *
 * Invariants kept here: 6 (the only place in a running supervisor where the log is open for writing).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createBirpc } from 'birpc';
import { keepResult, resultsIn } from '../../agents/results.js';
import { type Answer, answered } from '../../core/answer.js';
import type { LoggedEvent, NewEvent } from '../../core/events.js';
import { ownerOf } from '../../core/ids.js';
import type { Json } from '../../core/plan.js';
import { type GoalState, isFinal } from '../../core/task-state.js';
import { Log } from '../../log/log.js';
import { connect, type Connection, type RedisClient, unlessAway } from '../../queues/connection.js';
import type { portableSource } from '../../queues/redis-source.js';
import { checkCron, nextDue } from '../../queues/cron.js';
import { Streams } from '../../queues/streams.js';
import { Recorder } from '../../recorder/recorder.js';
import { bounded } from '../../recorder/translate.js';
import type { Recorded, Request } from '../decisions/decide.js';
import { Decisions } from '../decisions/together.js';
import type { Decision } from '../decisions/rule.js';
import { type Commit, Ledger } from './ledger.js';
import type { Environment } from '../../workspace/git.js';
import { asideDirOf } from '../../workspace/project.js';
import { announce } from './notify.js';
import { StateWriter } from '../state/state-writer.js';

export interface RecordingData {
  readonly dataDir: string;
  readonly projectsDir: string | null;
  readonly prefix: string;
  /** Where git finds `PATH` and `HOME`. */
  readonly environment: Environment;
  readonly redis: ReturnType<typeof portableSource>;
}

/** What the main thread may ask. */
export interface RecordingCalls {
  /** Opens the log and connects. */
  open(): Promise<Answer<null>>;
  decide(request: Request): Promise<Answer<Recorded<Decision>>>;
  commit(events: readonly NewEvent[]): Promise<Answer<null>>;
  /** Reads this queue's stream as well. */
  watch(queue: string): Promise<void>;
  /** Records what is in the streams by now. */
  catchUp(): Promise<Answer<null>>;
  /**
   * Goes on recording until `close`.
   * @param heard the last event that the main thread was told of; it is told of what was recorded since
   */
  start(heard: number): void;
  /** Writes a project's STATE.yaml and pages as far as the log goes, then none of them until `releaseFiles`. */
  holdFiles(project: string): Promise<void>;
  releaseFiles(project: string): void;
  close(): Promise<void>;
}

/** What the main thread is told and asked. */
export interface RecordingListener {
  /** @param seq of the last event */
  committed(changes: ReadonlyMap<string, ChangedGoal>, seq: number): void;
  trouble(about: 'log' | 'files', reason: string | null): void;
  /** A queue was paused or resumed, by whomever. */
  switched(queue: string): void;
  error(message: string): void;
  /** Entries of a stream were cut: what have the jobs of open tasks come to? */
  gap(queue: string): Promise<readonly NewEvent[]>;
}

export interface ChangedGoal {
  readonly state: GoalState;
  /** The tasks that changed. */
  readonly tasks: readonly string[];
  /** Those of them that were claimed. */
  readonly began: readonly string[];
  /** True where the goal's branch has work. */
  readonly merged: boolean;
}

const { dataDir, projectsDir, prefix, redis, environment } = workerData as RecordingData;
const port = parentPort!;
const CALENDAR = { check: checkCron, next: nextDue };

const keep = (text: string): Json => keepResult(text, resultsIn(dataDir));

class Recording implements RecordingCalls {
  private log!: Log;
  private ledger!: Ledger;
  private decisions!: Decisions;
  private recorder!: Recorder;
  private stateWriter!: StateWriter;
  private connection!: Connection;
  private reader!: RedisClient;
  /** How to let go of projects whose files are held. */
  private readonly held = new Map<string, () => void>();

  open(): Promise<Answer<null>> {
    return answered(async () => {
      this.log = Log.open(dataDir);
      this.log.id();
      this.ledger = new Ledger(this.log);
      this.decisions = new Decisions(this.ledger, CALENDAR);
      const connection = await connect(redis);
      const reader = connection.duplicate();
      this.connection = connection;
      this.reader = reader;
      this.recorder = new Recorder({
        streams: new Streams(reader, connection.client, prefix),
        cursors: this.log.cursors(),
        locate: (job) => {
          const { id, generation } = ownerOf(job);
          const place = this.ledger.board.placeOf(id);
          // What was reopened has another job by now; what the one before still says is of no task any more.
          if (place?.generation !== generation) return undefined;
          return { project: place.project, goal: place.goal, task: id };
        },
        keep,
        commit: (events, cursors) => this.ledger.commit(events, { cursors }),
        onGap: (queue) => main.gap(queue),
        adopt: (queue, cursor, outcomes) => this.adopt(queue, cursor, outcomes),
        onSwitched: (queue) => void main.switched.asEvent(queue),
        onTrouble: (reason) => void main.trouble.asEvent('log', reason),
      });
      this.ledger.onCommit((commit) => {
        tellMain(commit);
        announce(connection.client, prefix, commit.events, commit.changed).catch(
          (error: unknown) => void main.error.asEvent(String(error)),
        );
      });
      this.stateWriter = new StateWriter({
        ledger: this.ledger,
        projectsDir,
        asideDir: asideDirOf(dataDir),
        environment,
        onTrouble: (reason) => void main.trouble.asEvent('files', reason),
      });
      return null;
    });
  }

  private adopt(queue: string, cursor: string, outcomes: readonly NewEvent[]): void {
    const lacking = outcomes.filter(({ goal, task }) => {
      const view = this.ledger.board.goal(goal)?.tasks.get(task!);
      return view !== undefined && !isFinal(view.state);
    });
    const goals = new Map(
      lacking.map(({ goal, project, time }) => [goal, { goal, project, time }]),
    );
    const event = { type: 'stream.gap', queue, after: cursor } as const;
    const gaps = [...goals.values()].map((envelope) => ({ ...envelope, event }));
    const found = lacking.map(({ event: outcome, ...entry }) => ({
      ...entry,
      event:
        outcome.type === 'task.completed'
          ? { ...outcome, result: bounded(outcome.result, JSON.stringify(outcome.result), keep) }
          : outcome,
    }));
    if (gaps.length > 0) this.ledger.commit([...gaps, ...found]);
  }

  decide(request: Request): Promise<Answer<Recorded<Decision>>> {
    return this.decisions.decide(request);
  }

  commit(events: readonly NewEvent[]): Promise<Answer<null>> {
    return answered(() => {
      this.ledger.commit(events);
      return null;
    });
  }

  watch(queue: string): Promise<void> {
    return this.recorder.watch(queue);
  }

  catchUp(): Promise<Answer<null>> {
    return answered(async () => {
      await this.recorder.catchUp();
      return null;
    });
  }

  start(heard: number): void {
    const unheard = this.commitsSince(heard);
    if (unheard.events.length > 0) tellMain(unheard);
    this.recorder.start();
    void this.stateWriter.rebuild();
  }

  /** What was recorded after this event, as one commit in which all tasks of its goals changed. */
  private commitsSince(seq: number): Commit {
    const events = [...this.log.events({ after: seq })];
    const goals = [...new Set(events.map(({ goal }) => goal))].flatMap(
      (id) => this.ledger.board.goal(id) ?? [],
    );
    const changed = goals.map(
      (goal) => [goal.id, { goal, tasks: new Set(goal.tasks.keys()) }] as const,
    );
    return { events, changed: new Map(changed) };
  }

  async holdFiles(project: string): Promise<void> {
    this.held.set(project, await this.stateWriter.hold(project));
  }

  releaseFiles(project: string): void {
    this.held.get(project)?.();
    this.held.delete(project);
  }

  async close(): Promise<void> {
    await unlessAway(this.connection.client, this.recorder.stop());
    await this.stateWriter.close();
    this.reader.disconnect();
    await this.connection.close();
    this.log.close();
  }
}

/** What the main thread has to know of a commit. */
function tellMain({ events, changed }: Commit): void {
  const began = claimedIn(events);
  const changes = [...changed].map(([id, { goal, tasks }]): [string, ChangedGoal] => [
    id,
    { state: goal.state, tasks: [...tasks], began: began.get(id) ?? [], merged: goal.merged },
  ]);
  void main.committed.asEvent(new Map(changes), events.at(-1)!.seq);
}

/** The tasks that were claimed, by goal. */
function claimedIn(events: readonly LoggedEvent[]): Map<string, string[]> {
  const claimed = new Map<string, string[]>();
  for (const { event, goal, task } of events) {
    if (event.type !== 'task.assigned' || task === undefined) continue;
    const known = claimed.get(goal);
    if (known) known.push(task);
    else claimed.set(goal, [task]);
  }
  return claimed;
}

const main = createBirpc<RecordingListener, RecordingCalls>(new Recording(), {
  post: (message) => port.postMessage(message),
  on: (listener) => port.on('message', listener),
  bind: 'functions',
  // Catching up after a long pause takes as long as it takes.
  timeout: -1,
});
