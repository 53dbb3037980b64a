/** What people and programs ask of goals and tasks, the same for whoever hands it in and wherever. */
import { isGoalId } from '../core/ids.js';
import type { AskedLimit, Limit } from '../core/limits.js';
import type { Json, PlannedTaskInput } from '../core/plan.js';
import type { DecisionOn, RequestInput, RequestName } from './decisions/decide.js';
import type { ScheduleRequest } from './decisions/schedule-add.js';

/** Requests that people make of what is under way. */
export type ControlName = Exclude<RequestName, 'enqueue' | 'grow' | 'gate' | 'scheduleFire'>;

/** Hands a request in and resolves with what was decided. */
export type Ask = <N extends ControlName>(
  name: N,
  input: RequestInput<N>,
) => Promise<DecisionOn<N>>;

/** What can be paused. */
export type PauseScope =
  | { readonly goal: string }
  | { readonly project: string }
  | { readonly capability: string };

/** Goals that begin again and again. */
export interface Schedules {
  /**
   * Adds a schedule. Its plan is kept as it is now.
   * @throws DroverError `bad-input` for times that make no sense, `conflict` where the name is taken
   */
  add(schedule: ScheduleRequest): Promise<void>;
  /**
   * Nothing is due until it is resumed, and what would have been is not made up for. What runs, or waits for the goal
   * before it, goes on.
   */
  pause(schedule: string, why?: string): Promise<void>;
  resume(schedule: string, why?: string): Promise<void>;
  /** What has begun goes on. */
  remove(schedule: string, why?: string): Promise<void>;
  /**
   * Begins now, besides its times and also while it is paused; resolves with the goals that began.
   * @throws DroverError `conflict` where the goal before is open and the schedule would skip
   */
  run(schedule: string, why?: string): Promise<readonly string[]>;
}

/** Every request is refused with a DroverError (`not-found`, `conflict`, `bad-input`) where it cannot be met. */
export interface Control {
  readonly schedules: Schedules;
  /**
   * Gives a goal or a task up; what runs gets its abort signal within a second.
   * @param options.dependents what becomes of the tasks that build on the task: `cancel` (the default), `block`, or
   *   `skip`, by which they go on with null
   * @returns the tasks that are given up, where it is a task
   */
  cancel(
    id: string,
    why?: string,
    options?: Pick<RequestInput<'cancelTask'>, 'dependents'>,
  ): Promise<readonly string[]>;
  /**
   * Gives a failed task all its attempts again; it goes on after its last finished step.
   * @param options.fromScratch its finished steps run again
   */
  retry(
    task: string,
    why?: string,
    options?: { readonly fromScratch?: boolean },
  ): Promise<DecisionOn<'retry'>>;
  /** Lets what builds on a failed or pending task go on with null in place of its result. */
  skip(task: string, why?: string): Promise<void>;
  /** Changes a task that has not begun. */
  edit(task: string, changes: RequestInput<'edit'>['changes'], why?: string): Promise<void>;
  /**
   * Lets a task begin again with everything that builds on it, in its goal or (`fork`) in a new goal that shares what
   * was finished. Resolves with the goal, the task and all tasks that begin again.
   */
  rerun(task: string, options?: Omit<RequestInput<'rerun'>, 'task'>): Promise<DecisionOn<'rerun'>>;
  /** Adds tasks to a goal that is under way; their needs name tasks of the goal, by name or by id. Resolves with ids by name. */
  addTasks(
    goal: string,
    tasks: readonly PlannedTaskInput[],
    options?: Pick<RequestInput<'add'>, 'key' | 'why'>,
  ): Promise<Readonly<Record<string, string>>>;
  /**
   * Moves a goal's branch back to a task's merge or a commit; what was merged since begins again with everything that
   * builds on it. Resolves with the commit and those tasks.
   */
  rollback(goal: string, to: string, why?: string): Promise<DecisionOn<'rollback'>>;
  /** Lets a task, or the plan of a goal, start that waits for approval; lets a finished goal land. */
  approve(id: string, note?: string): Promise<void>;
  /**
   * Says no to a task or a plan that waits for approval: it starts with the note, or ends (`end`).
   */
  reject(id: string, note?: string, options?: { readonly end?: boolean }): Promise<void>;
  /** Lets tasks of a goal go on that wait for this signal, now or later. */
  signal(goal: string, name: string, data?: Json): Promise<void>;
  /** Lets nothing begin of a goal, of a project, or of what needs a capability; what runs goes on. */
  pause(scope: PauseScope, why?: string): Promise<void>;
  resume(scope: PauseScope, why?: string): Promise<void>;
  /**
   * Sets how much of a capability's or a project's work is done at once, for what begins from now on. What is not named
   * stays as it is, null takes it away. Resolves with what holds now.
   */
  limit(limit: AskedLimit, why?: string): Promise<Limit>;
}

export const controlBy = (ask: Ask): Control => ({
  schedules: {
    async add(schedule) {
      await ask('scheduleAdd', schedule);
    },
    async pause(schedule, why) {
      await ask('schedulePause', { schedule, why });
    },
    async resume(schedule, why) {
      await ask('scheduleResume', { schedule, why });
    },
    async remove(schedule, why) {
      await ask('scheduleRemove', { schedule, why });
    },
    async run(schedule, why) {
      return (await ask('scheduleRun', { schedule, why })).created;
    },
  },
  async cancel(id, why, { dependents } = {}) {
    if (!isGoalId(id)) return (await ask('cancelTask', { task: id, why, dependents })).tasks;
    await ask('cancel', { goal: id, why });
    return [];
  },
  retry: (task, why, { fromScratch } = {}) => ask('retry', { task, why, fromScratch }),
  async skip(task, why) {
    await ask('skip', { task, why });
  },
  async edit(task, changes, why) {
    await ask('edit', { task, changes, why });
  },
  rerun: (task, options = {}) => ask('rerun', { task, ...options }),
  async addTasks(goal, tasks, options = {}) {
    return (await ask('add', { goal, tasks: [...tasks], ...options })).added;
  },
  rollback: (goal, to, why) => ask('rollback', { goal, to, why }),
  async approve(id, note) {
    await ask('approve', { id, note });
  },
  async reject(id, note, { end } = {}) {
    await ask('reject', { id, note, end });
  },
  async signal(goal, name, data) {
    await ask('signal', { goal, name, data });
  },
  async pause(scope, why) {
    await ask('pause', { ...scope, why });
  },
  async resume(scope, why) {
    await ask('resume', { ...scope, why });
  },
  async limit(limit, why) {
    return (await ask('limit', { limit, why })).limit;
  },
});
