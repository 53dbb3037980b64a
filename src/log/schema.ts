/**
 * The tables: the append-only `events`, the streams' `cursors`, what commands have done, and the projections.
 * Migrations in `drizzle/` are generated from this file; the triggers that make `events` append-only are
 * written by hand in the first one.
 */
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';
import type { Event } from '../core/events.js';
import type { GateView } from '../core/goal.js';
import { type Approval, type Json, PRIORITIES, type TaskSpec } from '../core/plan.js';
import { CATCH_UPS, OVERLAPS } from '../core/schedule-events.js';
import { GOAL_STATES, TASK_STATES } from '../core/task-state.js';

const PAUSE_KINDS = ['project', 'capability'] as const;
export type PauseKind = (typeof PAUSE_KINDS)[number];

export const events = sqliteTable(
  'events',
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    /** Epoch milliseconds. */
    time: integer().notNull(),
    project: text().notNull(),
    goal: text().notNull(),
    task: text(),
    claim: integer(),
    by: text(),
    type: text().notNull().$type<Event['type']>(),
    version: integer().notNull(),
    /** The stream entry it was read from. */
    queue: text(),
    entry: text(),
    payload: text({ mode: 'json' }).notNull().$type<Record<string, unknown>>(),
  },
  (table) => [
    index('events_goal').on(table.goal),
    index('events_task').on(table.task),
    uniqueIndex('events_origin').on(table.queue, table.entry),
  ],
);

/** The last entry of each stream whose events are in the log. */
export const cursors = sqliteTable('cursors', {
  queue: text().primaryKey(),
  entry: text().notNull(),
});

/** Outcomes of commands, so that one that is delivered twice is carried out once. */
export const commands = sqliteTable('commands', {
  id: text().primaryKey(),
  outcome: text({ mode: 'json' }).notNull().$type<Json>(),
});

export const meta = sqliteTable('meta', {
  key: text().primaryKey(),
  value: text().notNull(),
});

/** Projection: one row a goal. */
export const goals = sqliteTable(
  'goals',
  {
    id: text().primaryKey(),
    number: integer().notNull(),
    project: text().notNull(),
    title: text().notNull(),
    priority: text({ enum: PRIORITIES }).notNull(),
    key: text(),
    source: text(),
    by: text(),
    state: text({ enum: GOAL_STATES }).notNull(),
    generation: integer().notNull(),
    paused: integer({ mode: 'boolean' }).notNull(),
    signals: text({ mode: 'json' }).notNull().$type<Record<string, Json>>(),
    approve: text({ mode: 'json' }).$type<Approval>(),
    submitted: integer({ mode: 'boolean' }).notNull(),
    evicted: integer({ mode: 'boolean' }).notNull(),
    floor: integer().notNull(),
    createdAt: integer('created_at').notNull(),
    finishedAt: integer('finished_at'),
    merged: integer({ mode: 'boolean' }).notNull(),
    approved: integer({ mode: 'boolean' }).notNull(),
    pushed: text(),
    landed: text(),
    landingTrouble: text('landing_trouble'),
    rollback: text(),
  },
  (table) => [
    index('goals_state').on(table.state),
    uniqueIndex('goals_key').on(table.project, table.key),
  ],
);

/** Projection: what is paused besides goals. */
export const pauses = sqliteTable(
  'pauses',
  {
    kind: text({ enum: PAUSE_KINDS }).notNull(),
    name: text().notNull(),
    time: integer().notNull(),
    by: text(),
    why: text(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.name] })],
);

/** Projection: one row a task. */
export const tasks = sqliteTable(
  'tasks',
  {
    id: text().primaryKey(),
    goal: text().notNull(),
    /** Place in the plan. */
    position: integer().notNull(),
    spec: text({ mode: 'json' }).notNull().$type<TaskSpec>(),
    batch: integer().notNull(),
    state: text({ enum: TASK_STATES }).notNull(),
    generation: integer().notNull(),
    openNeeds: integer('open_needs').notNull(),
    gates: text({ mode: 'json' }).notNull().$type<GateView[]>(),
    held: text(),
    edits: integer().notNull(),
    released: integer({ mode: 'boolean' }).notNull(),
    claims: integer().notNull(),
    failures: integer().notNull(),
    declines: integer().notNull(),
    stalls: integer().notNull(),
    failedClaim: integer('failed_claim').notNull(),
    provenClaim: integer('proven_claim').notNull(),
    agent: text(),
    queuedAt: integer('queued_at'),
    assignedAt: integer('assigned_at'),
    activeAt: integer('active_at'),
    finishedAt: integer('finished_at'),
    retryAt: integer('retry_at'),
    progress: text({ mode: 'json' }).$type<Json>(),
    result: text({ mode: 'json' }).$type<Json>(),
    error: text(),
    commit: text(),
  },
  (table) => [index('tasks_goal').on(table.goal, table.position)],
);

/** Projection: one row a schedule that was not removed. */
export const schedules = sqliteTable('schedules', {
  name: text().primaryKey(),
  project: text().notNull(),
  by: text(),
  addedAt: integer('added_at').notNull(),
  cron: text().notNull(),
  tz: text().notNull(),
  overlap: text({ enum: OVERLAPS }).notNull(),
  catchUp: text('catch_up', { enum: CATCH_UPS }).notNull(),
  request: text({ mode: 'json' }).notNull().$type<Record<string, Json>>(),
  paused: integer({ mode: 'boolean' }).notNull(),
  accounted: integer().notNull(),
  queued: text({ mode: 'json' }).notNull().$type<(number | null)[]>(),
  lastGoal: text('last_goal'),
  lastFiredAt: integer('last_fired_at'),
  remark: text(),
});
