/**
 * Readable ids. A job's id is the task's id, so a person finds in Bull Board what the log and STATE.yaml name.
 * BullMQ refuses custom ids that contain ':' or are integers; none of these can.
 */

export type GoalId = `goal-${number}`;
export type TaskId = `task-${number}`;

/** Queues of the engine itself; no capability may use these names. */
export const ENGINE_QUEUES = ['goals', 'relays', 'gates', 'schedules', 'commands'] as const;
export type EngineQueue = (typeof ENGINE_QUEUES)[number];

export const goalId = (number: number): GoalId => `goal-${number}`;
export const taskId = (number: number): TaskId => `task-${number}`;

export const isGoalId = (text: string): text is GoalId => /^goal-[1-9]\d*$/.test(text);
export const isTaskId = (text: string): text is TaskId => /^task-[1-9]\d*$/.test(text);

/**
 * The job of a task or of a goal. What is reopened gets a job of its own, of the next generation, because Redis may
 * still hold the one before.
 */
export const jobId = (id: string, generation: number): string =>
  generation === 1 ? id : `${id}.r${generation}`;

/** The task or goal that a job is of, a relay's and a gate's included. */
export function ownerOf(job: string): { readonly id: string; readonly generation: number } {
  const [id = '', second] = job.split('.');
  const generation = /^r([1-9]\d*)$/.exec(second ?? '')?.[1];
  return { id, generation: generation === undefined ? 1 : Number(generation) };
}

/** The relay that passes the completion of a task's job on to its several dependents. */
export const relayJobId = (job: string): string => `${job}.relay`;

/** The gate that holds the job of a dependent until the task `need` is done. */
export const gateJobId = (dependent: string, need: string): string => `${dependent}.needs.${need}`;

/** What a task may wait for besides its needs. */
export const GATE_KINDS = ['plan', 'approval', 'signal', 'timer'] as const;
export type GateKind = (typeof GATE_KINDS)[number];

/** The gate that holds a task's job until a person, a signal or a timer opens it: `task-130.approval`. */
export const heldJobId = (job: string, kind: GateKind): string => `${job}.${kind}`;

/**
 * Names that become queues, folders and Redis keys: a letter, then letters, digits, '-' or '_', 64 at most.
 * No dot, slash or colon, so such a name is never a path and never splits a key.
 */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
export const NAME_RULE = "a letter, then letters, digits, '-' or '_', 64 characters at most";

export const isName = (text: string): boolean => NAME.test(text);

export const isEngineQueue = (text: string): text is EngineQueue =>
  (ENGINE_QUEUES as readonly string[]).includes(text);
