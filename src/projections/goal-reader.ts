/** Goals as their stored rows show them, for readers beside the writer. */
import { setImmediate as giveWay } from 'node:timers/promises';
import { asc, eq, inArray, max, sql } from 'drizzle-orm';
import type { GoalView, TaskView } from '../core/goal.js';
import type { GoalState } from '../core/task-state.js';
import type { Database } from '../log/database.js';
import { events, goals, tasks } from '../log/schema.js';
import { prepareRead } from '../log/statement.js';
import { loadGoal, loadGoalRow, loadTaskRows, viewOfRows } from './board.js';
import { goalOfTask } from './goal-list.js';

/** What a goal's jobs are named by. */
export type GoalJobs = Pick<GoalView, 'id' | 'project' | 'state' | 'generation'> & {
  readonly tasks: ReadonlyMap<string, Pick<TaskView, 'spec' | 'generation' | 'gates'>>;
};

/** Tasks read at a time where others are given way to. */
const PAGE = 500;

export class GoalReader {
  private readonly load;
  private readonly begin;
  private readonly row;
  private readonly jobs;

  constructor(private readonly db: Database) {
    // One transaction, so that goal and tasks are of one moment.
    this.load = db.$client.transaction((id: string) => loadGoal(db, id));
    this.begin = db.$client.transaction((id: string) => {
      const goal = loadGoalRow(db, id);
      if (!goal) return undefined;
      const page = loadTaskRows(db, id, 0, PAGE);
      return { goal, page, seq: page.length < PAGE ? 0 : this.lastEvent(id) };
    });
    const { state } = goals;
    const row = db
      .select({ state })
      .from(goals)
      .where(eq(goals.id, sql.placeholder('id')));
    this.row = prepareRead(db, { state }, row);
    const { spec, generation, gates } = tasks;
    const columns = { spec, generation, gates };
    const jobs = db
      .select(columns)
      .from(tasks)
      .where(eq(tasks.goal, sql.placeholder('id')))
      .orderBy(asc(tasks.position));
    this.jobs = prepareRead(db, columns, jobs);
  }

  /** A goal by id, or undefined where the log has none. */
  goal(id: string): GoalView | undefined {
    return this.load.deferred(id);
  }

  /** The same, giving way to other work in between: reading 10,000 tasks takes a quarter of a second. */
  async goalInPages(id: string): Promise<GoalView | undefined> {
    const begun = this.begin.deferred(id);
    if (!begun) return undefined;
    const { goal, page, seq } = begun;
    if (page.length < PAGE) return viewOfRows(goal, page);
    const rows = page;
    for (let last = PAGE; last === PAGE;) {
      await giveWay();
      // Places in a plan are counted from 0, without holes.
      const next = loadTaskRows(this.db, id, rows.length, PAGE);
      rows.push(...next);
      last = next.length;
    }
    // Pages are to be of one moment: where something was recorded meanwhile, all is read at once.
    if (this.lastEvent(id) !== seq) return this.goal(id);
    const view = viewOfRows(goal, rows);
    await giveWay();
    return view;
  }

  /** Its state alone, which costs less than its tasks. */
  state(id: string): GoalState | undefined {
    return this.row({ id })[0]?.state;
  }

  /** What a goal's jobs are named by, which costs half of what all of it does. */
  jobsOf(id: string): GoalJobs | undefined {
    const goal = loadGoalRow(this.db, id);
    return goal && { ...goal, tasks: new Map(this.jobs({ id }).map((row) => [row.spec.id, row])) };
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

  private lastEvent(goal: string): number {
    const last = this.db
      .select({ seq: max(events.seq) })
      .from(events)
      .where(eq(events.goal, goal));
    return last.get()?.seq ?? 0;
  }
}
