/** The fold of what becomes of a goal's branch: merges, landings, rollbacks; `evolve.ts` says what every rule here keeps. */
import type { Event } from './events.js';
import type { GoalView } from './goal.js';

/**
 * Folds an event about the goal's branch.
 * @returns false where it is none
 */
export function evolveBranch(goal: GoalView, event: Event, touched: Set<string>): boolean {
  switch (event.type) {
    case 'landing.approved':
      goal.approved = true;
      goal.landingTrouble = null;
      return true;
    case 'goal.landed':
      goal.landed = event.commit;
      goal.landingTrouble = null;
      return true;
    case 'landing.hindered':
      // Where nobody is asked it counts as approved from here on: so it differs from what waits for a person.
      goal.approved = true;
      goal.landingTrouble = event.reason;
      return true;
    case 'landing.refused':
      // Tried again when a person says so: what is in the way is hardly gone by itself.
      goal.approved = false;
      goal.landingTrouble = event.reason;
      return true;
    case 'goal.pushed':
      goal.pushed = event.commit;
      return true;
    case 'goal.rolled-back':
      goal.rollback = event.commit;
      forgetLanding(goal);
      for (const id of event.tasks) {
        goal.tasks.get(id)!.commit = null;
        touched.add(id);
      }
      return true;
    case 'branch.moved':
      goal.rollback = null;
      return true;
    default:
      return false;
  }
}

/** Its branch has other work now, of which nothing has landed. */
export function forgetLanding(goal: GoalView): void {
  goal.approved = false;
  goal.pushed = null;
  goal.landed = null;
  goal.landingTrouble = null;
}
