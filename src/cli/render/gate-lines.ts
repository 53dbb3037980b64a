/** What a line of progress says of tasks that nothing but a person, a signal or a time keeps any more. */
import { gateText } from '../../core/gates.js';
import type { GateView, GoalView } from '../../core/goal.js';
import type { Folded } from '../../engine/history/goal-fold.js';
import { formatDateTime, formatTime } from './duration.js';
import { paint } from './paint.js';
import { forWords } from './task-row.js';
import { oneLine } from './text.js';

/** @param told what was said already; grows */
export function gateLines({ goal, touched }: Folded, time: number, told: Set<string>): string[] {
  const lines: string[] = [];
  for (const id of touched) {
    const { spec, gates } = goal.tasks.get(id)!;
    for (const gate of gates) {
      if (gate.open || gate.since === null) continue;
      const who = gate.kind === 'plan' ? goal.id : `${id} ${oneLine(spec.name)}`;
      const what = `${who} ${gate.kind} ${gate.since}`;
      if (told.has(what)) continue;
      told.add(what);
      const waits = forWords(gateText(gate, formatDateTime));
      lines.push(
        `${paint('gray', formatTime(time))}  ${who}: ${paint('yellow', `waits ${waits}`)}${answer(goal, id, gate)}`,
      );
    }
  }
  return lines;
}

/** How a person opens it. */
function answer(goal: GoalView, task: string, { kind, name }: GateView): string {
  switch (kind) {
    case 'plan':
      return `; \`drover approve ${goal.id}\``;
    case 'approval':
      return `; \`drover approve ${task}\``;
    case 'signal':
      return `; \`drover signal ${goal.id} ${name}\``;
    case 'timer':
      return '';
    default:
      return kind satisfies never;
  }
}
