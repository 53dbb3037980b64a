/**
 * Whether an agent's project is the supervisor's. An agent elsewhere that made a repository of its own would merge into that
 * one, and its tasks would be done without their work (invariant 7).
 */
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { DroverError } from '../../core/errors.js';
import type { Place } from '../../queues/places.js';
import type { Projects } from './projects.js';

/** @throws DroverError `hindered` where it is not, as far as that can be known before anything is made */
export async function requireSamePlace(
  projects: Projects,
  name: string,
  there: Place | undefined,
): Promise<void> {
  if (there === undefined || (!there.registered && projects.isHere(name, there))) return;
  const here = await projects.placeOf(name);
  if (here === undefined) return;
  if (there.registered && here.registered) return;
  if (there.registered) {
    throw new DroverError(
      'hindered',
      `The project ${name} is registered where the supervisor runs, and not for this agent on ${hostname()}.`,
      `Register it there with \`drover project add URL --name ${name}\`, or start the agent with --projects and the supervisor's folder.`,
    );
  }
  const its = `a repository of Drover's own in ${there.dir} on ${there.host}`;
  if (here.registered) {
    throw new DroverError(
      'hindered',
      `The project ${name} is registered for this agent on ${hostname()}, and not where the supervisor runs: there it is ${its}.`,
      `Let \`drover project remove ${name}\` forget it here, or begin the goal anew in a project that is registered on both.`,
    );
  }
  // A folder that several machines share may have another name on each of them.
  if (await projects.exists(name)) return;
  throw new DroverError(
    'hindered',
    `The project ${name} is ${its}, and this agent would make another one in ${here.dir} on ${here.host}.`,
    `Start the agent with \`--projects ${dirname(there.dir)}\` where it has that folder, or register a repository for both.`,
  );
}
