/** A flow file and options from the command line, as a request for a goal. */
import { relative } from 'node:path';
import { DroverError } from '../core/errors.js';
import { isName, NAME_RULE } from '../core/ids.js';
import { PRIORITIES, type Priority } from '../core/plan.js';
import type { GoalRequest } from '../engine/decisions/enqueue.js';
import { type Flow, readFlow } from '../plan/flow-file.js';
import { problemLines } from '../plan/problems.js';
import { parsePairs } from './arguments.js';
import { remark } from './output.js';

/** Arguments of the commands that take a flow. */
export const FLOW_ARGS = {
  flow: { type: 'positional', description: 'Flow file in YAML' },
  param: {
    type: 'string',
    valueHint: 'NAME=VALUE',
    description: 'Value of a parameter of the flow; may be given several times',
  },
  project: {
    type: 'string',
    valueHint: 'NAME',
    description: "Project of the goal; else the flow's own, else default",
  },
  priority: {
    type: 'string',
    valueHint: PRIORITIES.join('|'),
    description: "How urgent the goal is; else the flow's own",
  },
  key: {
    type: 'string',
    valueHint: 'KEY',
    description: 'A second goal with the same key in the same project is the first one again',
  },
} as const;

export interface FlowValues {
  readonly flow: string;
  readonly project: string | undefined;
  readonly priority: string | undefined;
  readonly key: string | undefined;
}

/** @throws FlowProblems; DroverError `bad-input`, `not-found`, `too-large` */
export async function readGoal(
  { flow: path, project, priority, key }: FlowValues,
  params: readonly string[],
): Promise<GoalRequest> {
  const choices = readChoices({ project, priority });
  const { flow, warnings } = await readFlow(path, { parameters: parsePairs('param', params) });
  for (const warning of problemLines(warnings)) remark(`warning: ${warning}`);
  return goalOf({ ...flow, ...choices }, path, key);
}

/** Whatever a flow says of its whole plan holds for the goal, whichever command hands it in. */
export const goalOf = (flow: Flow, path: string, key: string | undefined): GoalRequest => ({
  ...flow,
  source: relative('.', path),
  ...(key !== undefined && { key }),
});

/**
 * The project and priority that somebody chose.
 * @throws DroverError `bad-input`
 */
export function readChoices({ project, priority }: Pick<FlowValues, 'project' | 'priority'>): {
  readonly project?: string;
  readonly priority?: Priority;
} {
  if (project !== undefined && !isName(project)) {
    throw new DroverError('bad-input', `The project ‘${project}’ must be ${NAME_RULE}.`);
  }
  if (priority !== undefined && !isPriority(priority)) {
    throw new DroverError(
      'bad-input',
      `‘${priority}’ is no priority.`,
      `Choose one of ${PRIORITIES.join(', ')}.`,
    );
  }
  return { ...(project !== undefined && { project }), ...(priority !== undefined && { priority }) };
}

const isPriority = (text: string): text is Priority => PRIORITIES.some((known) => known === text);

export const capabilitiesOf = ({ tasks }: GoalRequest): string[] => [
  ...new Set(tasks.map(({ capability }) => capability)),
];
