/**
 * What one project's STATE.yaml shows, held in memory so that a change costs no query: entries of finished
 * goals, and of open ones what was last described, with the tasks that have changed since.
 *
 * Invariants kept here: 1 (entries are computed from the fold; a start reads the same from the rows).
 */
import type { GoalView } from '../../core/goal.js';
import {
  finishedGoalsOf,
  openGoalsOf,
  SHOWN,
  SHOWN_FULL,
} from '../../projections/project-goals.js';
import { describeGoal, type GoalEntry, summariseGoal } from '../../projections/state-schema.js';
import type { Ledger } from '../recording/ledger.js';

interface OpenGoal {
  entry: GoalEntry | undefined;
  readonly changed: Set<string>;
}

export class ProjectState {
  private readonly open: Map<string, OpenGoal>;
  private finished: Map<string, GoalEntry>;
  /** Goals that have finished since the entries were made: of many, most will not be shown. */
  private ended = new Map<string, GoalView>();

  constructor(
    private readonly ledger: Ledger,
    project: string,
  ) {
    const { db } = ledger.log;
    const ids = openGoalsOf(db, project);
    this.open = new Map(ids.map((id) => [id, { entry: undefined, changed: new Set() }]));
    this.finished = finishedGoalsOf(db, project);
  }

  /** Takes note of a goal after a commit that changed it. */
  note(goal: GoalView, tasks: ReadonlySet<string>): void {
    const known = this.open.get(goal.id) ?? { entry: undefined, changed: new Set() };
    for (const task of tasks) known.changed.add(task);
    if (goal.state === 'OPEN' || goal.state === 'SETTLED') {
      this.open.set(goal.id, known);
      this.finished.delete(goal.id);
      this.ended.delete(goal.id);
    } else {
      this.open.delete(goal.id);
      this.ended.set(goal.id, goal);
      if (this.ended.size > 2 * SHOWN) this.ended = new Map(newestOf(this.ended));
    }
  }

  /** The entries as of now, in the order in which the goals were created. */
  entries(): Record<string, GoalEntry> {
    this.describeEnded();
    const all = new Map(this.finished);
    for (const [id, known] of this.open) {
      const goal = this.ledger.board.goal(id);
      if (!goal) continue;
      known.entry = describe(goal, known);
      known.changed.clear();
      all.set(id, known.entry);
    }
    return Object.fromEntries([...all].toSorted(([a], [b]) => numberOf(a) - numberOf(b)));
  }

  private describeEnded(): void {
    for (const [id, goal] of newestOf(this.ended)) this.finished.set(id, describeGoal(goal));
    this.ended.clear();
    const newestFirst = [...this.finished].toSorted(
      ([a, { finished: endOfA = '' }], [b, { finished: endOfB = '' }]) =>
        endOfA === endOfB ? numberOf(b) - numberOf(a) : endOfA < endOfB ? 1 : -1,
    );
    this.finished = new Map(
      newestFirst
        .slice(0, SHOWN)
        .map(([id, entry], index) => [
          id,
          index >= SHOWN_FULL && entry.tasks ? summariseGoal(entry) : entry,
        ]),
    );
  }
}

/** Those that finished last, as many as are shown. */
const newestOf = (goals: ReadonlyMap<string, GoalView>): [string, GoalView][] =>
  [...goals]
    .toSorted(([a, one], [b, other]) => {
      const later = (other.finishedAt ?? 0) - (one.finishedAt ?? 0);
      return later === 0 ? numberOf(b) - numberOf(a) : later;
    })
    .slice(0, SHOWN);

const describe = (goal: GoalView, { entry, changed }: OpenGoal): GoalEntry =>
  describeGoal(goal, entry && { entry, changed });

const numberOf = (id: string): number => Number(id.slice('goal-'.length));
