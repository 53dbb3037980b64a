/**
 * What changed beside tasks while they ran: settings and hooks by which a person's git would run what they name (Drover's own
 * runs none of it), and a base branch that lost what it had.
 *
 * Kept here: invariant 8. Nobody can tell whether a task or a person beside it changed them, so a person sees to it: what
 * is still there keeps the goal from landing until somebody approves that.
 */
import type { Event } from '../../core/events.js';
import type { Log } from '../../log/log.js';
import { branchRef } from '../../workspace/branches.js';
import { programSettings, readPrograms } from '../../workspace/programs.js';
import { readRefs } from '../../workspace/refs.js';
import type { UnclearChange } from './outside-changes.js';
import type { Repository } from '../../workspace/repository.js';

export interface StandingChange extends UnclearChange {
  readonly goal: string;
  /** The tasks that ran. */
  readonly tasks: readonly string[];
}

type Of = { readonly goal: string } | { readonly project: string };

/** What was told of tasks, is as it was told, and has not been approved since. @param of one goal, or all of a project's */
export async function standingChanges(
  log: Log,
  repository: Repository,
  of: Of,
): Promise<StandingChange[]> {
  const told = toldChanges(log, of);
  if (told.length === 0) return [];
  const settings = await programSettings(repository);
  const { hooks } = await readPrograms(repository);
  const refs = await readRefs(repository, [branchRef(repository.base)]);
  const branches = new Map([[repository.base, refs.get(branchRef(repository.base))]]);
  const now = { setting: settings, hook: hooks, branch: branches };
  return told.filter(({ kind, name, value }) => (now[kind].get(name) ?? null) === value);
}

function toldChanges(log: Log, of: Of): StandingChange[] {
  const types: Event['type'][] = ['outside.changed', 'landing.approved'];
  const found = new Map<string, StandingChange>();
  for (const { event, goal, task } of log.events({ ...of, types })) {
    if (event.type === 'landing.approved') {
      for (const [key, change] of found) if (change.goal === goal) found.delete(key);
    }
    if (event.type !== 'outside.changed') continue;
    for (const change of event.changes) {
      const key = JSON.stringify([goal, change.kind, change.name]);
      const tasks = [...new Set([...(found.get(key)?.tasks ?? []), task ?? goal])];
      found.set(key, { ...change, goal, tasks });
    }
  }
  return [...found.values()];
}

/** What to see to, in sentences. */
export function standingText({ gitDir }: Repository, changes: readonly StandingChange[]): string {
  return changes.map((change) => changeText(gitDir, change)).join(' ');
}

function changeText(gitDir: string, change: StandingChange): string {
  const { kind, name, value, was = '', tasks } = change;
  const ran = `While ${tasks.join(', ')} ran,`;
  if (kind === 'branch')
    return value === null
      ? `${ran} the branch ${name} went away; if that was not you, put it back with \`git branch ${name} ${was}\`.`
      : `${ran} the branch ${name} was moved to ${value.slice(0, 12)}, which lacks what it had; if that was not you, put it back with \`git branch -f ${name} ${was}\`.`;
  if (kind === 'hook')
    return value === null
      ? `${ran} the hook ${name} in ${gitDir}/hooks went away; if that was not you, put it back.`
      : `${ran} the hook ${name} in ${gitDir}/hooks was written; read it, and remove it if it is not yours.`;
  const config = `git config --file ${gitDir}/config`;
  return value === null
    ? `${ran} the setting ${name} in ${gitDir}/config went away; if that was not you, put it back.`
    : `${ran} the setting ${name} in ${gitDir}/config became ${JSON.stringify(value)}; if that was not you, take it out with \`${config} --unset-all ${name}\`.`;
}
