/** Shows a goal while somebody waits for it: the graph, drawn again and again, or a line for each change. */
import { createLogUpdate } from 'log-update';
import type { LoggedEvent } from '../core/events.js';
import { GoalFold } from '../engine/history/goal-fold.js';
import { print } from './output.js';
import type { WatchedGoal } from './reading.js';
import { progressLine } from './render/event-line.js';
import { gateLines } from './render/gate-lines.js';
import { renderGraph } from './render/graph.js';
import { namesOf } from './render/task-row.js';

export interface Progress {
  readonly show: (event: LoggedEvent) => void;
  /** A remark that stays. */
  readonly say: (line: string) => void;
  /** Leaves the last picture on the screen. */
  readonly end: () => void;
}

/** Milliseconds between two pictures: durations and backoffs count on while nothing happens. */
const REDRAW_EVERY = 200;

export function showProgress(goal: WatchedGoal, json: boolean): Progress {
  if (json) return { show: () => undefined, say: () => undefined, end: () => undefined };
  const { isTTY, rows, columns } = process.stdout;
  // A terminal that does not know its size can show lines only.
  return isTTY && rows > 0 && columns > 0 ? drawLive(goal) : printLines(goal);
}

function drawLive(goal: WatchedGoal): Progress {
  const update = createLogUpdate(process.stdout);
  let report = goal.report();
  let changed = false;
  const draw = (): void => {
    if (changed) report = goal.report();
    changed = false;
    const { columns, rows } = process.stdout;
    // The cursor stands below the picture, in a line of its own.
    const size = { width: columns - 1, height: rows - 1 };
    update(renderGraph(report, Date.now(), size).join('\n'));
  };
  draw();
  const timer = setInterval(draw, REDRAW_EVERY);
  return {
    show: () => {
      changed = true;
    },
    say: (line) => update.persist(line),
    end() {
      clearInterval(timer);
      changed = true;
      draw();
      update.done();
    },
  };
}

function printLines(goal: WatchedGoal): Progress {
  let nameOf = namesOf(goal.report());
  const fold = new GoalFold();
  const told = new Set<string>();
  return {
    show(event) {
      // Tasks that joined later have names of their own.
      if (event.event.type === 'plan.grown') nameOf = namesOf(goal.report());
      const folded = fold.fold(event);
      const line = progressLine(event, nameOf, folded?.move);
      if (line !== undefined) print(line);
      if (folded) for (const gate of gateLines(folded, event.time, told)) print(gate);
    },
    say: print,
    end: () => undefined,
  };
}
