/** `pause`, `resume`: nothing of a goal or a project begins, or nothing that needs a capability. */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import type { Event, NewEvent } from '../../core/events.js';
import { capabilitySchema, nameSchema } from '../../core/plan.js';
import {
  because,
  type Decided,
  type Decision,
  defineRule,
  eventOn,
  goalIdSchema,
  type Situation,
  whySchema,
} from './rule.js';

const scopeSchema = z.union([
  z.strictObject({ goal: goalIdSchema, why: whySchema }),
  z.strictObject({ project: nameSchema, why: whySchema }),
  z.strictObject({ capability: capabilitySchema, why: whySchema }),
]);
type Scope = z.output<typeof scopeSchema>;

/** `goal` is empty for a project or a capability. */
export interface PauseDecision extends Decision {
  readonly project?: string;
  readonly capability?: string;
}

export const pauseRule = defineRule({
  schema: scopeSchema,
  decide: (scope, situation) => change(scope, true, situation),
});

export const resumeRule = defineRule({
  schema: scopeSchema,
  decide: (scope, situation) => change(scope, false, situation),
});

/** Somebody has paused a capability's queue itself, as Bull Board does, or let it go on. */
export const switchedRule = defineRule({
  schema: z.strictObject({ capability: capabilitySchema, paused: z.boolean() }),
  decide({ capability, paused }, situation) {
    const decision: PauseDecision = { goal: '', capability };
    if (situation.isPaused('capability', capability) === paused) return { events: [], decision };
    const event = {
      type: `capability.${paused ? 'paused' : 'resumed'}`,
      capability,
      why: 'in Bull Board, or by another program',
    } as const;
    return { events: [engineEvent('', event, situation)], decision };
  },
});

function change(scope: Scope, paused: boolean, situation: Situation): Decided<PauseDecision> {
  const why = because(scope.why);
  const verb = paused ? 'paused' : 'resumed';
  if ('goal' in scope) {
    const goal = situation.goal(scope.goal);
    if (goal.state === 'DONE' || goal.state === 'CANCELLED') {
      throw new DroverError('conflict', `${goal.id} is ${goal.state.toLowerCase()} already.`);
    }
    refuseRepetition(goal.id, goal.paused, paused);
    const event = { type: `goal.${verb}`, ...why } as const;
    return { events: [eventOn(goal, situation, event)], decision: { goal: goal.id } };
  }
  if ('project' in scope) {
    const { project } = scope;
    refuseRepetition(`Project ${project}`, situation.isPaused('project', project), paused);
    const event = { type: `project.${verb}`, ...why } as const;
    return { events: [engineEvent(project, event, situation)], decision: { goal: '', project } };
  }
  const { capability } = scope;
  refuseRepetition(
    `Capability ${capability}`,
    situation.isPaused('capability', capability),
    paused,
  );
  const event = { type: `capability.${verb}`, capability, ...why } as const;
  return { events: [engineEvent('', event, situation)], decision: { goal: '', capability } };
}

/** An event of no goal. */
const engineEvent = (project: string, event: Event, { now, by }: Situation): NewEvent => ({
  time: now,
  project,
  goal: '',
  by,
  event,
});

function refuseRepetition(what: string, is: boolean, wanted: boolean): void {
  if (is !== wanted) return;
  throw new DroverError('conflict', `${what} is ${wanted ? 'paused already' : 'not paused'}.`);
}
