/**
 * `gate`: a gate has opened in Redis that nobody had opened by a request: its time has come, or somebody promoted it
 * in Bull Board. Either is an answer like any other.
 */
import { z } from 'zod';
import { defaultOf } from '../../core/gates.js';
import { GATE_KINDS } from '../../core/ids.js';
import { defineRule, eventOn, goalIdSchema, taskIdSchema } from './rule.js';

/** Milliseconds by which two clocks of one machine may seem to differ. */
const SLACK = 1_000;

export const gateRule = defineRule({
  schema: z.strictObject({ goal: goalIdSchema, task: taskIdSchema, gate: z.enum(GATE_KINDS) }),
  decide({ task: id, gate: kind }, situation) {
    const { goal, task } = situation.task(id);
    const decision = { goal: goal.id, task: id, gate: kind };
    const gate = task.gates.find((one) => one.kind === kind);
    if (!gate || gate.open) return { events: [], decision };
    const isTime = gate.due !== null && gate.due <= situation.now + SLACK;
    const via = isTime ? 'time' : 'board';
    const by = isTime ? 'deadline' : 'Bull Board';
    if (kind === 'signal' || kind === 'timer') {
      const opened = { type: 'gate.opened', gate: kind, via } as const;
      return { events: [eventOn(goal, { ...situation, by }, opened, id)], decision };
    }
    const approved = !isTime || defaultOf(goal, task.spec, kind) === 'approve';
    const about = kind === 'plan' ? 'goal' : 'task';
    const event = approved
      ? ({ type: `${about}.approved`, via } as const)
      : ({ type: `${about}.rejected`, end: true, via } as const);
    const on = kind === 'plan' ? undefined : id;
    return { events: [eventOn(goal, { ...situation, by }, event, on)], decision };
  },
});
