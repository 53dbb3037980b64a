/** Goals as their stored rows show them, for readers beside the writer. */
import { asc, eq, inArray, sql } from 'drizzle-orm';
import type { GoalView } from '../core/goal.js';
import type { GoalState } from '../core/task-state.js';
import type { Database } from '../log/database.js';
import { goals } from '../log/schema.js';
import { prepareRead } from '../log/statement.js';
import { loadGoal } from './board.js';
import { goalOfTask } from './goal-list.js';

export class GoalReader {
  private readonly load;
  private readonly row;

  constructor(private readonly db: Database) {
    // One transaction, so that goal and tasks are of one moment.
    this.load = db.$client.transaction((id: string) => loadGoal(db, id));
    const { state } = goals;
    const row = db
      .select({ state })
      .from(goals)
      .where(eq(goals.id, sql.placeholder('id')));
    this.row = prepareRead(db, { state }, row);
  }

  /** A goal by id, or undefined where the log has none. */
  goal(id: string): GoalView | undefined {
    return this.load.deferred(id);
  }

  /** Its state alone, which costs less than its tasks. */
  state(id: string): GoalState | undefined {
    return this.row({ id })[0]?.state;
  }

  /** The goal that a task belongs to. */
  goalOf(task: string): GoalView | undefined {
    const goal = goalOfTask(this.db, task);
    return goal === undefined ? undefined : this.goal(goal);
  }

  /** Goals in these states, oldest first. */
  inState(...states: GoalState[]): GoalView[] {
    const rows = this.db
      .select({ id: goals.id })
      .from(goals)
      .where(inArray(goals.state, states))
      .orderBy(asc(goals.number))
      .all();
    return rows.map((row) => this.goal(row.id)!);
  }
}
