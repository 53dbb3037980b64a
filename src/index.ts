/** The published API. */
export {
  type Drover,
  type DroverClient,
  type DroverOptions,
  connectDrover,
  createDrover,
} from './engine/drover.js';
export type { AgentOptions } from './engine/agent-host.js';
export type { Schedules } from './engine/control.js';
export type { ScheduleRequest } from './engine/decisions/schedule-add.js';
export type { GoalHandle } from './engine/goal-handle.js';
export type { Enqueued, GoalRequest } from './engine/decisions/enqueue.js';
export type { TaskContext } from './agents/context.js';
export type { Handler } from './agents/loop.js';
export type { Estimate } from './projections/estimate.js';
export type { GoalReport, TaskReport } from './projections/report.js';
export type { Wait } from './projections/waits.js';
export { type Flow, type FlowOptions, type ParsedFlow, readFlow } from './plan/flow-file.js';
export { exportFlow } from './plan/export-flow.js';
export { type ImportedPlan, type ImportOptions, importPlan } from './plan/import/import-plan.js';
export type { Finding } from './plan/import/item.js';
export { FlowProblems, type Problem } from './plan/problems.js';
export type { Event, LoggedEvent } from './core/events.js';
export type { Json, PlannedTaskInput, Priority } from './core/plan.js';
export type { GoalState, TaskState } from './core/task-state.js';
export { DroverError, type ErrorCode } from './core/errors.js';
