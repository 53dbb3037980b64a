/** What a person sees of a goal that lands: what would change, which checks were passed, and what came of it. */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { GoalView } from '../core/goal.js';
import { isGoalId } from '../core/ids.js';
import {
  goalLine,
  landingAlone,
  type LandingPreview,
  previewLanding,
} from '../engine/workspaces/looking.js';
import type { GoalLine } from '../workspace/line.js';
import { logFile } from '../log/database.js';
import { Log } from '../log/log.js';
import { loadGoal } from '../projections/board.js';
import { unlandedGoals } from '../projections/goal-queries.js';
import type { Globals } from './globals.js';
import { goalsPlaceOf, projectsOf } from './projects.js';
import { readLog } from './reading.js';
import { renderStat } from './render/diff.js';
import { oneLine } from './render/text.js';

export interface LandingShown extends LandingPreview {
  /** Checks of tasks, passed when they were merged. */
  readonly checks: readonly { readonly task: string; readonly check: string }[];
  /** Commands that passed on the branch as it is, the project's checks among them. */
  readonly passed: readonly string[];
  /** What a person has to see to before they approve it. */
  readonly trouble: string | null;
}

/** Undefined where the id is not a done goal that has work to land. */
export async function landingOf(id: string, globals: Globals): Promise<LandingShown | undefined> {
  const goal = goalIn(globals, id);
  if (goal?.state !== 'DONE' || !goal.merged || goal.landed !== null) return undefined;
  const place = readLog(globals, (log) => goalsPlaceOf(globals, log));
  const [preview, line] = [await previewLanding(place, goal), await goalLine(place, goal)];
  const { landingTrouble: trouble } = goal;
  return { ...preview, checks: checksOf(line), passed: passedOn(goal, globals), trouble };
}

/** What the log says of the goal's last merge. */
function passedOn({ id, tasks }: GoalView, globals: Globals): string[] {
  return readLog(globals, (log) => {
    const commits = new Set([...tasks.values()].map(({ commit }) => commit));
    const passed = [...log.events({ goal: id, types: ['check.finished'] })].flatMap(({ event }) =>
      event.type === 'check.finished' && event.passed && event.commit ? [event] : [],
    );
    const last = passed.findLast(({ commit }) => commits.has(commit!))?.commit;
    return [
      ...new Set(passed.filter(({ commit }) => commit === last).map(({ command }) => command)),
    ];
  });
}

const checksOf = ({ commits }: GoalLine): LandingShown['checks'] =>
  commits.flatMap(({ merge }) =>
    merge?.check === undefined ? [] : [{ task: merge.task, check: merge.check }],
  );

export function renderLanding(
  id: string,
  { base, diff, obstacle, checks, passed, trouble }: LandingShown,
): string[] {
  if (!diff) return [`${id} cannot land in ${base} as things are: ${oneLine(obstacle ?? '')}`];
  return [
    `${id} brings to ${base}:`,
    ...renderStat(diff.files),
    checks.length === 0
      ? 'No task had a check of its own.'
      : `Checks passed on what was merged: ${checks.map(({ task, check }) => `${task} (${oneLine(check)})`).join(', ')}`,
    ...(passed.length === 0
      ? []
      : [`Passed on its last merge: ${passed.map((command) => oneLine(command)).join(', ')}`]),
    ...(trouble === null ? [] : [`It did not land so far: ${trouble}`]),
  ];
}

/** What came of an approval, where it is known already. */
export function outcomeOf(
  id: string,
  globals: Globals,
): { landed: string | null; trouble: string | null } {
  const goal = goalIn(globals, id);
  return { landed: goal?.landed ?? null, trouble: goal?.landingTrouble ?? null };
}

/** Milliseconds for which a landing is waited for; where the base branch has moved, checks take as long as they take. */
const PATIENCE = 10_000;
/** Milliseconds between two looks at it. */
const LOOK_EVERY = 50;

/** Resolves when a goal that lands without being asked about has landed or cannot land, or when that takes long. */
export async function untilLanded(id: string, globals: Globals, stop: AbortSignal): Promise<void> {
  using log = Log.read(globals.dataDir);
  const underWay = (): string | undefined =>
    unlandedGoals(log.db).find((goal) => goal.id === id && goal.trouble === null)?.project;
  const project = underWay();
  if (project === undefined) return;
  const alone = await landingAlone(projectsOf(globals), [project]);
  const end = performance.now() + PATIENCE;
  while (alone.has(project) && !stop.aborted && performance.now() < end && underWay()) {
    await delay(LOOK_EVERY, undefined, { signal: stop }).catch(() => undefined);
  }
}

function goalIn({ dataDir }: Globals, id: string): GoalView | undefined {
  // A supervisor elsewhere has the log.
  if (!isGoalId(id) || !existsSync(logFile(dataDir))) return undefined;
  return readLog({ dataDir }, (log) =>
    log.db.transaction(() => loadGoal(log.db, id), { behavior: 'deferred' }),
  );
}
