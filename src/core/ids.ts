/**
 * Readable ids. A job's id is the task's id, so a person finds in Bull Board what the log and STATE.yaml name.
 * BullMQ refuses custom ids that contain ':' or are integers; none of these can.
 */

export type GoalId = `goal-${number}`;
export type TaskId = `task-${number}`;

/** Queues of the engine itself; no capability may use these names. */
export const ENGINE_QUEUES = ['goals', 'relays', 'gates', 'commands'] as const;
export type EngineQueue = (typeof ENGINE_QUEUES)[number];

export const goalId = (number: number): GoalId => `goal-${number}`;
export const taskId = (number: number): TaskId => `task-${number}`;

export const isGoalId = (text: string): text is GoalId => /^goal-[1-9]\d*$/.test(text);
export const isTaskId = (text: string): text is TaskId => /^task-[1-9]\d*$/.test(text);

/** The relay that passes a task's completion on to its several dependents. */
export const relayJobId = (task: string): string => `${task}.relay`;

/** The gate that holds `dependent` until `need` is done. */
export const gateJobId = (dependent: string, need: string): string => `${dependent}.needs.${need}`;

/**
 * Names that become queues, folders and Redis keys: a letter, then letters, digits, '-' or '_', 64 at most.
 * No dot, slash or colon, so such a name is never a path and never splits a key.
 */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
export const NAME_RULE = "a letter, then letters, digits, '-' or '_', 64 characters at most";

export const isName = (text: string): boolean => NAME.test(text);

export const isEngineQueue = (text: string): text is EngineQueue =>
  (ENGINE_QUEUES as readonly string[]).includes(text);
