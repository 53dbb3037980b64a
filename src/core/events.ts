/**
 * The log's events: a closed union in the past tense, one schema each. A payload's meaning never changes; a
 * new meaning is a new version (`EVENT_VERSION`) with an upcast where the log is read.
 *
 * Invariants kept here: 1 (whatever a projection shows must be computable from these), 5 (what an agent says
 * carries its claim).
 */
import { z } from 'zod';
import { GATE_KINDS } from './ids.js';
import {
  approvalSchema,
  type Json,
  jsonSchema,
  prioritySchema,
  retryChangesSchema,
  retrySchema,
  taskSpecSchema,
} from './plan.js';
import { scheduleEventSchema } from './schedule-events.js';
import { limitSchema } from './limits.js';

export const EVENT_VERSION = 1;

/** In place of a goal's id: events on settings belong to none. */
export const SETTINGS = '';

const text = z.string();
const count = z.int().min(0);

/**
 * The step under which work is journaled that is finished and not merged yet, so that a claim after a crash merges it
 * instead of making it again. Its result says besides what finished steps have left of it, `{ left: COMMIT }`, and nothing
 * else before that and where it has to be made again; null where they left nothing. No step of a handler has its name.
 */
export const WORK_STEP = 'drover.work';

const leftSchema = z.object({ left: z.string() });

/**
 * The commit of the files as finished steps left them; undefined where they left nothing.
 * @param result of the step `WORK_STEP`
 */
export const leftBySteps = (result: unknown): string | undefined =>
  leftSchema.safeParse(result).data?.left;

/** @param result of the step `WORK_STEP` */
export const isFinishedWork = (result: Json): boolean =>
  typeof result === 'object' && result !== null && 'work' in result;

/** How somebody's answer came: by a command, by Bull Board's own button, or by the time. */
const viaSchema = z.enum(['person', 'board', 'time']);

/** What can change about a task that has not begun. */
export const taskChangesSchema = z.strictObject({
  title: z.string().min(1).max(1_000).exactOptional(),
  run: z.string().min(1).exactOptional(),
  with: z.record(text, jsonSchema).exactOptional(),
  retry: retrySchema.exactOptional(),
  priority: prioritySchema.exactOptional(),
});
export type TaskChanges = z.infer<typeof taskChangesSchema>;

/** The same as somebody asks for it, who names only what changes. */
export const askedChangesSchema = taskChangesSchema.extend({
  retry: retryChangesSchema.exactOptional(),
});
export type AskedChanges = z.infer<typeof askedChangesSchema>;

/** What agents publish into their queue's stream; everything in it is checked when it is recorded. */
export const agentEventSchema = z.discriminatedUnion('type', [
  /** Observe: what the task saw. Needs are named by id; their results stand in the log already. */
  z.object({
    type: z.literal('context.built'),
    needs: z.array(text),
    /** The failure of the claim before, handed to this one as context. */
    lastError: text.optional(),
  }),
  /** Decide: the agent will not take the task; it goes back without using an attempt. */
  z.object({ type: z.literal('task.declined'), agent: text, reason: text }),
  /** Act: the agent's run has begun. */
  z.object({ type: z.literal('task.active'), agent: text, attempt: count }),
  z.object({ type: z.literal('task.progressed'), progress: jsonSchema }),
  z.object({ type: z.literal('step.done'), step: text, result: jsonSchema }),
  /** The task has a worktree of its own, on `branch`, started from the commit `base`. */
  z.object({ type: z.literal('workspace.opened'), branch: text, base: text }),
  /** Check: the engine's proof (invariant 7). Of no task where it is that of a landing. */
  z.object({
    type: z.literal('check.finished'),
    command: text,
    /** The commit whose tree was checked; none where the task has no files. */
    commit: text.optional(),
    /** Null where the command was ended by a signal or could not be started. */
    exitCode: z.int().nullable(),
    output: text,
    durationMs: count,
    passed: z.boolean(),
  }),
  /** The task's work is in its goal's branch, by the merge `commit`; `together` names the tasks of the same train. */
  z.object({
    type: z.literal('task.merged'),
    commit: text,
    branch: text,
    together: z.array(text),
  }),
  z.object({
    type: z.literal('attempt.failed'),
    error: text,
    final: z.boolean(),
  }),
  /**
   * What is in its repository otherwise than when the task began, and nobody can tell who did it: what git would run, and a
   * base branch that lacks what it had. A null value is gone.
   */
  z.object({
    type: z.literal('outside.changed'),
    changes: z.array(
      z.object({
        kind: z.enum(['setting', 'hook', 'branch']),
        name: text,
        value: text.nullable(),
        /** The branch's commit before. */
        was: text.optional(),
      }),
    ),
  }),
  /** Something that is nobody's fault is in the way of its files; the attempt goes on when it is gone. */
  z.object({ type: z.literal('attempt.hindered'), reason: text }),
  /** Put aside without using an attempt: until what is paused goes on, or a slot of this limit is free. */
  z.object({ type: z.literal('task.held'), until: text.optional() }),
]);
export type AgentEvent = z.input<typeof agentEventSchema>;

/** What the supervisor reads off BullMQ's own stream entries. */
const queueEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('task.queued'), from: text.optional() }),
  z.object({ type: z.literal('task.assigned') }),
  /** Back in the queue after a failed attempt; `until` is the end of the backoff in epoch milliseconds. */
  z.object({ type: z.literal('task.retrying'), until: count }),
  z.object({ type: z.literal('task.stalled') }),
  /** The task waits for tasks that it added, and holds no worker meanwhile. */
  z.object({ type: z.literal('task.suspended') }),
  z.object({ type: z.literal('task.completed'), result: jsonSchema }),
  z.object({ type: z.literal('task.failed'), reason: text }),
]);

/** What the supervisor decides; appended before the effect (invariant 2). */
const supervisorEventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('goal.created'),
    title: text,
    priority: prioritySchema,
    key: text.optional(),
    /** The file the plan came from, where there is one. */
    source: text.optional(),
    /** A person has to agree before the plan starts. */
    approve: approvalSchema.optional(),
    /** It shares what was finished in another goal, and begins again with this task of it. */
    forkOf: z.object({ goal: text, task: text }).optional(),
    why: text.optional(),
  }),
  z.object({ type: z.literal('goal.planned'), tasks: z.array(taskSpecSchema) }),
  z.object({
    type: z.literal('plan.grown'),
    tasks: z.array(taskSpecSchema),
    /** The task that added them. */
    addedBy: text.optional(),
    /** True where that task waits for them and gets their results. */
    awaited: z.boolean().default(false),
    why: text.optional(),
  }),
  /** Redis had lost the goal; claims go on above `floor`, so that no older claim is mistaken for a new one. */
  z.object({ type: z.literal('goal.resubmitted'), floor: count }),
  /** Redis had lost its last writes: these tasks were done already, and there they are completed once more. */
  z.object({ type: z.literal('goal.repaired'), tasks: z.array(text) }),
  z.object({
    type: z.literal('task.retried'),
    why: text.optional(),
    /** True where its finished steps are to run again. */
    fromScratch: z.boolean().optional(),
  }),
  /** What was finished, or on its way, begins again: each gets a job of the next generation. */
  z.object({
    type: z.literal('tasks.reopened'),
    tasks: z.array(text),
    why: text.optional(),
    /** True where finished steps of theirs do not run again. */
    keepSteps: z.boolean().optional(),
    /** What changes about the first of them. */
    changes: taskChangesSchema.optional(),
  }),
  /** A fork shares what was finished in the goal it was made of. */
  z.object({
    type: z.literal('tasks.inherited'),
    from: text,
    tasks: z.array(z.object({ task: text, of: text, result: jsonSchema })),
  }),
  z.object({ type: z.literal('task.edited'), changes: taskChangesSchema, why: text.optional() }),
  z.object({ type: z.literal('tasks.cancelled'), tasks: z.array(text), why: text.optional() }),
  /** Its dependents go on with null. */
  z.object({ type: z.literal('task.skipped'), why: text.optional() }),
  z.object({ type: z.literal('task.approved'), note: text.optional(), via: viaSchema }),
  z.object({
    type: z.literal('task.rejected'),
    note: text.optional(),
    /** False: the task starts nevertheless, and is told the note. */
    end: z.boolean(),
    via: viaSchema,
  }),
  z.object({ type: z.literal('goal.approved'), note: text.optional(), via: viaSchema }),
  z.object({
    type: z.literal('goal.rejected'),
    note: text.optional(),
    end: z.boolean(),
    via: viaSchema,
  }),
  z.object({ type: z.literal('goal.signalled'), name: text, data: jsonSchema }),
  /** A timer has ended, or somebody opened the gate by hand. */
  z.object({ type: z.literal('gate.opened'), gate: z.enum(GATE_KINDS), via: viaSchema }),
  /** Of no goal: its envelope names the project. */
  z.object({ type: z.literal('project.paused'), why: text.optional() }),
  z.object({ type: z.literal('project.resumed'), why: text.optional() }),
  /** Of no goal and no project. */
  z.object({ type: z.literal('capability.paused'), capability: text, why: text.optional() }),
  z.object({ type: z.literal('capability.resumed'), capability: text, why: text.optional() }),
  z.object({ type: z.literal('goal.paused'), why: text.optional() }),
  z.object({ type: z.literal('goal.resumed'), why: text.optional() }),
  z.object({ type: z.literal('goal.cancelled'), why: text.optional() }),
  /** Recorded with the event that caused it, in one transaction. */
  z.object({ type: z.literal('goal.settled') }),
  z.object({ type: z.literal('goal.completed') }),
  z.object({ type: z.literal('goal.reopened') }),
  /** A person agrees that the goal's branch is merged into its base. */
  z.object({ type: z.literal('landing.approved'), note: text.optional() }),
  /**
   * The goal's branch is in the base branch, which stands at `commit` since, and so do the files of its checkouts.
   * `behind` is in older logs alone, where it says which of them had the files of the commit before, and why.
   */
  z.object({
    type: z.literal('goal.landed'),
    base: text,
    commit: text,
    behind: z.array(text).optional(),
  }),
  /** The goal's branch could not be merged into its base; a person has to see to it and approve again. */
  z.object({ type: z.literal('landing.refused'), reason: text }),
  /** Something that passes is in the way of a landing that is wanted: it is tried again until it is gone. */
  z.object({ type: z.literal('landing.hindered'), reason: text }),
  /** The goal's branch goes back to `commit`, without the merges of these tasks; they are reopened with it. */
  z.object({
    type: z.literal('goal.rolled-back'),
    commit: text,
    tasks: z.array(text),
    why: text.optional(),
  }),
  /** What was decided of the goal's branch is done: it stands at `commit`, and `kept` names where it stood. */
  z.object({ type: z.literal('branch.moved'), commit: text, kept: text.optional() }),
  /** The goal's branch was pushed to `branch` elsewhere, for a pull request. */
  /** Told before it is done: where the commit is found there later, it was Drover that pushed it. */
  z.object({ type: z.literal('push.begun'), branch: text, commit: text }),
  z.object({ type: z.literal('goal.pushed'), branch: text, commit: text }),
  /** The finished goal's jobs have left Redis; its history is here. */
  z.object({ type: z.literal('goal.evicted') }),
  /** Entries of the goal's streams were lost before they were read; states were taken from the jobs instead. */
  z.object({ type: z.literal('stream.gap'), queue: text, after: text }),
  /** How much of a capability's or a project's work may be done at once from now on. */
  z.object({ type: z.literal('limit.set'), limit: limitSchema, why: text.optional() }),
]);

export const eventSchema = z.discriminatedUnion(
  'type',
  [agentEventSchema, queueEventSchema, supervisorEventSchema, scheduleEventSchema],
  // In place of all sixty types that there are.
  { error: 'no such type of event' },
);
export type Event = z.infer<typeof eventSchema>;

/** Where an event belongs, and when it happened. */
export interface Envelope {
  /** Epoch milliseconds: Redis' clock for queue and agent events, the supervisor's for its own. */
  readonly time: number;
  readonly project: string;
  /** A goal's id, a schedule (`scheduleSubject`), or empty for what belongs to neither. */
  readonly goal: string;
  readonly task?: string;
  readonly claim?: number;
  /** Who asked for it, where a person or a program did. */
  readonly by?: string;
}

/** An event on its way into the log. */
export interface NewEvent extends Envelope {
  readonly event: Event;
  /** The stream entry it was read from; the pair is unique in the log (invariant 3). */
  readonly origin?: { readonly queue: string; readonly entry: string };
}

/** An event in the log. */
export interface LoggedEvent extends NewEvent {
  /** Global sequence number, from 1, without gaps. */
  readonly seq: number;
}
