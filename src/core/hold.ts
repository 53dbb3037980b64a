/** What keeps a task that could begin otherwise: a pause, or a limit that is used up. Pure. */
import type { GoalView, TaskView } from './goal.js';

export interface Hold {
  readonly kind: 'pause' | 'limit';
  /** `goal-7`, `project shop`, `capability developer`, `key db`. */
  readonly of: string;
}

/** A project or a capability that is paused. */
export interface PausedPlace {
  readonly kind: 'project' | 'capability';
  readonly name: string;
}

/**
 * @param pauses projects and capabilities that are paused; where they are not known, what the log says of the task
 *   itself counts
 */
export function holdOf(
  goal: GoalView,
  task: TaskView,
  pauses?: readonly PausedPlace[],
): Hold | null {
  if (task.state !== 'PENDING') return null;
  if (goal.paused) return { kind: 'pause', of: goal.id };
  const place = pauses?.find(({ kind, name }) =>
    kind === 'project' ? name === goal.project : name === task.spec.capability,
  );
  if (place) return { kind: 'pause', of: `${place.kind} ${place.name}` };
  const held = task.held === null ? null : heldBy(task.held);
  // Where no pause is left, what was paused goes on: it is taken up again in a moment.
  return held?.kind === 'pause' && pauses ? null : held;
}

/** What a job was put aside for, as `task.held` names it: `paused:goal-7`, `paused:project:shop`, `key:db`. */
export function heldBy(until: string): Hold {
  const [, paused, scope, name] = /^(paused:)?(?:(project|key):)?(.*)$/s.exec(until)!;
  const of = scope === undefined ? name! : `${scope} ${name}`;
  return { kind: paused === undefined ? 'limit' : 'pause', of };
}

/** `goal-7 is paused`, `the limit of key db is used up` */
export const holdText = ({ kind, of }: Hold): string =>
  kind === 'pause' ? `${of} is paused` : `the limit of ${of} is used up`;
