/** A word of warning where a name is known to nobody: it may be meant for later, or be a slip. */
import { existsSync } from 'node:fs';
import { projectNames } from '../engine/workspaces/registering.js';
import { logFile } from '../log/database.js';
import { Log } from '../log/log.js';
import { nearest } from '../plan/suggest.js';
import { neededCapabilities, projectsWithGoals } from '../projections/goal-queries.js';
import type { Globals } from './globals.js';
import { runningSupervisor } from './presence.js';
import { agentsOffering } from './queues-now.js';
import { USUAL_CAPABILITIES } from './serving.js';

export interface Named {
  readonly kind: 'project' | 'capability';
  readonly name: string;
}

/** @returns undefined where somebody knows the name */
export async function unknownName(
  { kind, name }: Named,
  globals: Globals,
): Promise<string | undefined> {
  // The supervisor that was asked may have its log elsewhere.
  if (!existsSync(logFile(globals.dataDir))) return undefined;
  using log = Log.read(globals.dataDir);
  if (kind === 'project') {
    const known = [...(await projectNames(globals.projectsDir)), ...projectsWithGoals(log.db)];
    if (known.includes(name)) return undefined;
    return withLikely(`No project is called ‘${name}’ so far, and no goal is in it.`, name, known);
  }
  const needed = neededCapabilities(log.db);
  if (needed.has(name)) return undefined;
  const supervisor = runningSupervisor(globals.dataDir);
  const agents = await agentsOffering(new Set([name]), supervisor, globals);
  if ((agents?.get(name) ?? 0) > 0) return undefined;
  const known = [...needed, ...USUAL_CAPABILITIES];
  // Where no Redis can be asked, the usual agents may well be away only for now.
  if (!agents && USUAL_CAPABILITIES.includes(name)) return undefined;
  const nobody = agents ? ', and nobody offers it' : '';
  return withLikely(`No open task needs the capability ‘${name}’${nobody}.`, name, known);
}

function withLikely(text: string, name: string, known: readonly string[]): string {
  const likely = nearest(
    name,
    known.filter((one) => one !== name),
  );
  return likely === undefined ? text : `${text} Did you mean ‘${likely}’?`;
}
