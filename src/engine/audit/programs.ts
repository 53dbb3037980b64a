/**
 * Asks the repositories for settings and hooks by which a person's git would run what a task wrote. Drover's own git runs
 * none of it, so nothing else here would notice.
 */
import { goalIds } from '../../log/integrity.js';
import type { Log } from '../../log/log.js';
import { loadGoal } from '../../projections/board.js';
import { programSettings, readPrograms } from '../../workspace/programs.js';
import type { Projects } from '../workspaces/projects.js';
import type { Disagreement } from './disagreement.js';

export async function auditPrograms(log: Log, projects: Projects): Promise<Disagreement[]> {
  const found: Disagreement[] = [];
  const names = new Set(goalIds(log.db).flatMap((id) => loadGoal(log.db, id)?.project ?? []));
  for (const project of names) {
    if (!(await projects.exists(project))) continue;
    // One that cannot be reached is noted where its branches are asked for.
    const opened = await projects.open(project).catch(() => undefined);
    if (!opened) continue;
    const { gitDir, worktreesDir } = opened.repository;
    const settings = await programSettings(opened.repository);
    const { hooks } = await readPrograms(opened.repository);
    for (const [name, value] of settings) {
      if (!value.includes(worktreesDir)) continue;
      found.push({
        witnesses: ['git'],
        goal: null,
        task: null,
        field: name,
        values: { git: value },
        explanation: `The setting ${name} in ${gitDir}/config names what lies in a task's worktree.`,
      });
    }
    for (const { goal, task, kind, name, value } of changesIn(log, project)) {
      const now = (kind === 'hook' ? hooks : settings).get(name) ?? null;
      if (value === null || now !== value) continue;
      const what = kind === 'hook' ? `hook ${name}` : `setting ${name}`;
      found.push({
        witnesses: ['log', 'git'],
        goal,
        task,
        field: name,
        values: { log: null, git: value },
        explanation: `While it ran, the ${what} in ${gitDir} was written, and it is still there.`,
      });
    }
  }
  return found;
}

/** What attempts were refused for, of tasks that no person has let pass with it since. */
function* changesIn(log: Log, project: string) {
  for (const entry of log.events({ types: ['attempt.failed'] })) {
    const { event, goal, task } = entry;
    if (event.type !== 'attempt.failed' || !event.outside || entry.project !== project) continue;
    if (task === undefined || loadGoal(log.db, goal)?.tasks.get(task)?.state === 'DONE') continue;
    for (const change of event.outside) yield { goal, task, ...change };
  }
}
