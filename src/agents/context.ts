/**
 * What an agent's handler gets: the task, what the task may see, and the only ways to write.
 *
 * Invariants kept here: 4 (a journaled step runs once), 5 (all writes go through the claim, which refuses them
 * once it lost the task), 9 (nothing is handed out but the goal, the task and its needs' results).
 */
import { counted } from '../core/counted.js';
import { DroverError } from '../core/errors.js';
import { leftBySteps, WORK_STEP } from '../core/events.js';
import { writeJson } from '../core/json.js';
import { type Json, labelSchema, type PlannedTaskInput } from '../core/plan.js';
import type { Claim } from '../queues/claim.js';
import type { Opened } from '../queues/opened.js';
import type { Write } from '../queues/writes.js';
import type { Files, Workspace } from './files.js';
import { checkSize, loadResult } from './results.js';
import { UnderWay } from './under-way.js';

export interface AddTasksOptions {
  /**
   * True: resolves with the new tasks' results by name. The task holds no worker meanwhile and its handler
   * runs again from the top when they are done, so work before this call belongs into steps.
   */
  readonly wait?: boolean;
}

/** A request for new tasks in a running goal; the supervisor answers with their ids by name. */
export interface GrowthRequest {
  readonly goal: string;
  readonly task: string;
  readonly claim: number;
  /** Which of the handler's calls this is; a repeated request is one request. */
  readonly call: number;
  readonly awaited: boolean;
  readonly tasks: readonly PlannedTaskInput[];
}
export type Grow = (request: GrowthRequest) => Promise<Record<string, string>>;

/** The handler's view of its task. */
export interface TaskContext {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly goal: { readonly id: string; readonly title: string };
  readonly project: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Number of the claim under which this attempt writes. */
  readonly claim: number;
  /** Why the attempt before this one failed. */
  readonly lastError: string | undefined;
  /** The task's command, where it has one. */
  readonly run: string | undefined;
  /** The task's input. */
  readonly with: Readonly<Record<string, Json>>;
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables to take from the agent's own environment. */
  readonly secrets: readonly string[];
  /**
   * Results of the needs, by their names; null for an optional one that failed. A promise, because the handler
   * is called while they are still on their way.
   */
  needs(): Promise<Readonly<Record<string, Json>>>;
  /** Data of the signals that the task waited for, by name. */
  signals(): Promise<Readonly<Record<string, Json>>>;
  /** What the person wrote who approved or rejected the task; undefined where nobody did. */
  note(): Promise<string | undefined>;
  /** Aborts on timeout, on cancel and when the claim lost the task. */
  readonly signal: AbortSignal;
  /**
   * A worktree of the task's own, on its branch, created at the first call from the goal's branch as it is then.
   * What the handler leaves there is committed when it returns, checked together with what others have merged
   * meanwhile, and merged into the goal's branch; a task that never asks for it has nothing to do with git.
   * Where steps of the task are finished, an attempt begins with the files as they were at the end of the last one. What was done
   * to them before, outside of steps, is there as well, and done again.
   * @throws DroverError `bad-input` where this Drover has no projects
   */
  workspace(): Promise<Workspace>;
  /** Adds a line to the job's log in Bull Board. */
  log(line: string): void;
  /**
   * Runs `work` once in the task's life: after a crash or a failed attempt the journaled result is returned
   * instead. What it returns has to be JSON, as a task's result, and comes back as JSON has it: undefined is null. Names are unique within a task, of 1 to 200 characters
   * and without control characters. An attempt ends when all steps that it began have ended.
   */
  step<T>(name: string, work: () => Promise<T> | T): Promise<T>;
  /** Shows how far the task is; any JSON of 64 KiB at most, for instance a percentage. */
  progress(value: Json): Promise<void>;
  /**
   * Adds tasks to the running goal. Resolves with their ids by name, or their results where it waits. A handler that runs
   * again has to add the same tasks in the same order.
   */
  addTasks(
    tasks: readonly PlannedTaskInput[],
    options?: AddTasksOptions,
  ): Promise<Record<string, Json>>;
  /** Gives the task back without using an attempt. */
  decline(reason: string): never;
}

/** Lines of log that wait to be sent at most. */
const MAX_UNSENT = 1_000;

/** Thrown by `decline`. */
export class Declined extends Error {
  override name = 'Declined';
}

/** Thrown by `addTasks` where it has to wait; ends the attempt. */
class Suspended extends Error {
  override name = 'Suspended';
}

export class Context implements TaskContext {
  /** True once the attempt has to wait for tasks that it added. */
  suspended = false;
  private readonly steps = new Set<string>();
  private readonly lines: Write[] = [];
  private leftOut = 0;
  private flushing: Promise<void> = Promise.resolve();
  private growths = 0;
  /** What the steps of this attempt have left so far; undefined where none had files. */
  private left: { readonly left: string } | null | undefined;
  private committing: Promise<void> = Promise.resolve();
  /** Steps and additions of tasks. */
  readonly underWay = new UnderWay();

  constructor(
    private readonly held: Claim,
    private readonly opened: () => Promise<Opened>,
    private readonly results: string | undefined,
    readonly signal: AbortSignal,
    private readonly grow: Grow,
    private readonly files: Files,
    private readonly abort: (reason: Error) => void,
  ) {}

  private get task() {
    return this.held.data.task;
  }
  get id() {
    return this.task.id;
  }
  get name() {
    return this.task.name;
  }
  get title() {
    return this.task.title ?? this.task.name;
  }
  get goal() {
    return { id: this.held.data.goal, title: this.held.data.title };
  }
  get project() {
    return this.held.data.project;
  }
  get attempt() {
    return this.held.attemptsMade + 1;
  }
  get claim() {
    return this.held.number;
  }
  get lastError() {
    return this.held.lastError;
  }
  get run() {
    return this.task.run;
  }
  get with() {
    return this.task.with ?? {};
  }
  get env() {
    return this.task.env;
  }
  get secrets() {
    return this.task.secrets;
  }

  async needs(): Promise<Readonly<Record<string, Json>>> {
    const { task, names } = this.held.data;
    const { results } = await this.opened();
    const written = task.needs.filter((id) => names[id] !== undefined);
    const entries = written.map(async (id): Promise<[string, Json]> => [
      names[id]!,
      await loadResult(results[id] ?? null, this.results),
    ]);
    return Object.fromEntries(await Promise.all(entries));
  }

  async signals(): Promise<Readonly<Record<string, Json>>> {
    return (await this.opened()).signals;
  }

  async note(): Promise<string | undefined> {
    return (await this.opened()).note;
  }

  async workspace(): Promise<Workspace> {
    // Under a claim that turns out to be refused nothing is touched.
    await this.opened();
    this.signal.throwIfAborted();
    const isFirst = !this.files.opened;
    // Finished steps are not run again, so what they left in the worktree has to be there.
    const workspace = await this.files.open(await this.leftBySteps());
    if (isFirst) {
      const { branch, base } = workspace;
      await this.write([{ event: { type: 'workspace.opened', branch, base } }]);
    }
    return workspace;
  }

  log(line: string): void {
    // A command may write lines faster than Redis takes them; those are left out, and the log says how many.
    if (this.lines.length >= MAX_UNSENT) {
      this.leftOut += 1;
      return;
    }
    this.lines.push({ log: line });
    if (this.lines.length > 1) return;
    // A task with lines to write is not completed before them; `write` says where they are refused.
    this.opened().catch(() => undefined);
    this.flushing = this.flushing.then(() => this.flushSoon());
  }

  step<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    return this.underWay.add(this.runStep(name, work));
  }

  private async runStep<T>(name: string, run: () => Promise<T> | T): Promise<T> {
    if (!labelSchema.safeParse(name).success) {
      throw new DroverError(
        'bad-input',
        `A step of ${this.id} cannot be named ${shown(name)}.`,
        'Give it a name of 1 to 200 characters, none of them a control character.',
      );
    }
    if (typeof run !== 'function') {
      throw new DroverError(
        'bad-input',
        `Step ‘${name}’ of ${this.id} has no function to run.`,
        'Write step(name, () => …).',
      );
    }
    if (this.steps.has(name) || name === WORK_STEP) {
      throw new DroverError(
        'bad-input',
        `Two steps of ${this.id} are named ‘${name}’.`,
        'Give each step a name of its own, for instance with the index of the loop in it.',
      );
    }
    this.steps.add(name);
    // The journal holds what this very step returned before, so it has the step's type.
    const { journal } = await this.opened();
    if (journal.has(name)) return journal.get(name) as T;
    // A process that stood still goes on with its handler before it hears that another has the task, and may have
    // finished this step: work must not begin then.
    if (this.held.doubtful) await this.write([]);
    this.signal.throwIfAborted();
    const what = `The result of step ‘${name}’ of ${this.id}`;
    const written = writeJson(await run(), what);
    checkSize(written, what);
    // Before the journal says that it is done.
    if (this.files.opened) await this.commitStep(name);
    const left: Write[] = this.left === undefined ? [] : [{ step: WORK_STEP, result: this.left }];
    await this.write([...left, { step: name, result: written.value }]);
    return written.value as T;
  }

  /** One after the other, so that what the journal names last has the files of all steps that it says are done. */
  private async commitStep(name: string): Promise<void> {
    const before = this.committing;
    const committed = (async () => {
      await before;
      const work = await this.files.commit(`${this.id}: ${name}`);
      this.left = work && { left: work.head };
    })();
    this.committing = committed.catch(() => undefined);
    await committed;
  }

  /** The commit of the files as finished steps left them; undefined where they left nothing. */
  async leftBySteps(): Promise<string | undefined> {
    const { journal } = await this.opened();
    return leftBySteps(this.left === undefined ? journal.get(WORK_STEP) : this.left);
  }

  progress(value: Json): Promise<void> {
    const written = this.writeProgress(value);
    // Handlers hardly wait for it, and a refusal that nobody handles would end the process.
    written.catch(() => undefined);
    return written;
  }

  private async writeProgress(value: Json): Promise<void> {
    const what = `The progress of ${this.id}`;
    const written = writeJson(value, what);
    checkSize(written, what);
    await this.write([{ progress: written.value }]);
  }

  addTasks(
    tasks: readonly PlannedTaskInput[],
    { wait = false }: AddTasksOptions = {},
  ): Promise<Record<string, Json>> {
    // Counted at once: calls that run side by side keep the order in which the handler makes them.
    this.growths += 1;
    return this.underWay.add(this.growBy(tasks, wait, this.growths));
  }

  private async growBy(
    tasks: readonly PlannedTaskInput[],
    wait: boolean,
    call: number,
  ): Promise<Record<string, Json>> {
    if (!Array.isArray(tasks)) {
      throw new DroverError(
        'bad-input',
        `${this.id} adds tasks that are no list.`,
        'Write addTasks([{ name, capability }]).',
      );
    }
    // The log learns a moment later that another claim has begun; Redis knows at once.
    await this.write([]);
    if (tasks.length === 0) return {};
    const ids = await this.grow({
      goal: this.goal.id,
      task: this.id,
      claim: this.claim,
      call,
      awaited: wait,
      tasks,
    });
    const others = tasks.filter(({ name }) => ids[name] === undefined);
    if (others.length > 0) {
      throw new DroverError(
        'conflict',
        `Call ${call} of addTasks in ${this.id} added other tasks when it ran before; ‘${others[0]!.name}’ is not among them.`,
        'Let the handler add the same tasks in the same order each time it runs; put what varies into a step.',
      );
    }
    if (!wait) return ids;
    const { results } = await this.opened();
    if (Object.values(ids).some((id) => !(id in results))) {
      this.suspended = true;
      throw new Suspended(`${this.id} waits for the tasks that it added.`);
    }
    return Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, results[id]!]));
  }

  decline(reason: string): never {
    throw new Declined(reason);
  }

  /** Writes under the claim; a claim that lost its task aborts the attempt. */
  async write(writes: readonly Write[]): Promise<void> {
    // Nothing is written before the claim is open, which may have to wait for the supervisor.
    await this.opened();
    try {
      await this.held.write(writes);
    } catch (error) {
      if (error instanceof DroverError && error.code === 'stale-claim') this.abort(error);
      throw error;
    }
  }

  /** Waits until all lines are in the job's log. */
  async flush(): Promise<void> {
    await this.flushing;
  }

  /** Lines go in batches, so that a talkative command costs one round trip per batch and not per line. */
  private async flushSoon(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    const batch = this.lines.splice(0);
    if (this.leftOut > 0)
      batch.push({ log: `(${counted(this.leftOut, 'line was', 'lines were')} left out)` });
    this.leftOut = 0;
    // A refused line needs no handling of its own: `write` has aborted the attempt.
    await this.write(batch).catch(() => undefined);
  }
}

/** A name that was refused, as text on one line. */
const shown = (name: unknown): string =>
  typeof name === 'string' ? JSON.stringify(name.slice(0, 80)) : `with a ${typeof name}`;
