/** `drover pause`, `drover resume`: a goal, a project or a capability stands still. */
import { DroverError } from '../../core/errors.js';
import { isGoalId } from '../../core/ids.js';
import type { PauseScope } from '../../engine/control.js';
import { ask, WHY } from '../asking.js';
import type { Globals } from '../globals.js';
import { defineDroverCommand } from '../command.js';
import { unknownName } from '../unknown-name.js';

const args = {
  goal: { type: 'positional', required: false, description: 'Goal such as goal-7' },
  project: { type: 'string', valueHint: 'NAME', description: 'All goals of a project' },
  capability: {
    type: 'string',
    valueHint: 'NAME',
    description: 'All tasks that need a capability',
  },
  why: WHY,
} as const;

export const pauseCommand = defineDroverCommand({
  name: 'pause',
  description: 'Let nothing begin of a goal, a project or a capability; what runs goes on',
  args,
  examples: [
    { run: 'drover pause goal-7', what: 'Begins nothing more of a goal.' },
    { run: 'drover pause --project shop --why "release week"', what: 'The same for a project.' },
    { run: 'drover pause --capability deployer', what: 'The same for every task of a kind.' },
  ],
  run: ({ args: values, globals }) =>
    ask(globals, async (desk) => {
      const [scope, name] = scopeOf(values);
      await desk.pause(scope, values.why);
      // Pausing beforehand is fine; so nothing but a word is said where the name may be a slip.
      const warning = await warningOf(scope, globals);
      const text = `${name} is paused.${warning === undefined ? '' : `\n${warning}`}`;
      return [{ paused: scope, warning: warning ?? null }, text];
    }),
});

export const resumeCommand = defineDroverCommand({
  name: 'resume',
  description: 'Let a goal, a project or a capability go on',
  args,
  examples: [
    { run: 'drover resume goal-7', what: 'What was put aside is taken up again.' },
    { run: 'drover resume --project shop', what: 'The same for a project.' },
  ],
  run: ({ args: values, globals }) =>
    ask(globals, async (desk) => {
      const [scope, name] = scopeOf(values);
      await desk.resume(scope, values.why);
      return [{ resumed: scope }, `${name} goes on.`];
    }),
});

async function warningOf(scope: PauseScope, globals: Globals): Promise<string | undefined> {
  if ('project' in scope) return unknownName({ kind: 'project', name: scope.project }, globals);
  if ('capability' in scope)
    return unknownName({ kind: 'capability', name: scope.capability }, globals);
  return undefined;
}

function scopeOf({
  goal,
  project,
  capability,
}: {
  readonly goal: string | undefined;
  readonly project: string | undefined;
  readonly capability: string | undefined;
}): [PauseScope, string] {
  const scopes: [PauseScope, string][] = [];
  if (goal !== undefined) scopes.push([{ goal }, goal]);
  if (project !== undefined) scopes.push([{ project }, `Project ${project}`]);
  if (capability !== undefined) scopes.push([{ capability }, `Capability ${capability}`]);
  const [only, ...others] = scopes;
  if (only && others.length === 0 && (goal === undefined || isGoalId(goal))) return only;
  throw new DroverError(
    'bad-input',
    'Name one goal, one project or one capability.',
    'Write for instance `drover pause goal-7` or `drover pause --project shop`.',
  );
}
