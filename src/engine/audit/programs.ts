/**
 * Asks the repositories for settings and hooks by which a person's git would run what a task wrote. Drover's own git runs
 * none of it, so nothing else here would notice.
 */
import { goalIds } from '../../log/integrity.js';
import type { Log } from '../../log/log.js';
import { loadGoal } from '../../projections/board.js';
import { programSettings } from '../../workspace/programs.js';
import { standingChanges, standingText } from '../workspaces/standing-changes.js';
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
    for (const change of await standingChanges(log, opened.repository, { project })) {
      const { goal, tasks, name, value } = change;
      found.push({
        witnesses: ['log', 'git'],
        goal,
        task: tasks[0]!,
        field: name,
        values: { log: null, git: value },
        explanation: standingText(opened.repository, [change]),
      });
    }
  }
  return found;
}
