/**
 * The goal board: every goal and task as the log says they are. Goals that are not finished are held in
 * memory, because the recorder folds thousands of events a second into them; their rows in SQLite follow in
 * the transaction that appends the events. Those that have finished lately are held as well: an event is still to
 * come for each, that its jobs have left Redis, and folding it would read all of its tasks.
 *
 * Invariants kept here: 1 (the stored rows equal the fold at every commit: both come from `evolve`), 3 (rows
 * change in the transaction of their events; `reset` forgets what a rolled back one did in memory).
 */
import { and, asc, eq, getTableColumns, gte, type SQL, sql } from 'drizzle-orm';
import type { NewEvent } from '../core/events.js';
import { evolve } from '../core/evolve.js';
import { createGoal, type GoalView, type TaskView } from '../core/goal.js';
import { dependentsOf } from '../core/graph.js';
import { type GoalState, TASK_STATES, type TaskState } from '../core/task-state.js';
import type { Database } from '../log/database.js';
import { goals, tasks } from '../log/schema.js';
import { preparedOn, prepareChange, prepareRead, RowWriter } from '../log/statement.js';
import { goalOfTask } from './goal-list.js';
import { foldPause } from './pauses.js';

type TaskRow = typeof tasks.$inferInsert;
type GoalRow = typeof goals.$inferInsert;

interface Changes {
  readonly goal: GoalView;
  readonly tasks: Set<string>;
  /** True where specs or positions changed, not only states. */
  specs: boolean;
}

/** What folding one event did. */
export interface Folded {
  readonly goal: GoalView;
  readonly before: GoalState | undefined;
  readonly touched: ReadonlySet<string>;
}

/** Where a task belongs, and how often it was reopened. */
type TaskPlace = Pick<TaskView, 'generation'> & {
  readonly project: string;
  readonly goal: string;
};

/** Tasks of finished goals that are held at most; Redis keeps as many unless told otherwise. */
const FINISHED_TASKS = 5_000;

export class Board {
  private readonly goals = new Map<string, GoalView>();
  /** Those of them that are finished and still in Redis, in the order in which they finished. */
  private readonly finished = new Set<GoalView>();
  /** The goals that tasks belong to, of what is held. */
  private readonly homes = new Map<string, string>();
  /** Goals with changes that are not stored yet. */
  private readonly dirty = new Map<string, Changes>();
  /** Goals whose changes are stored and not yet committed. */
  private readonly stored = new Set<GoalView>();
  private readonly goalRows;
  private readonly upsertTask;
  private readonly updateTask;

  constructor(private readonly db: Database) {
    // Most events are of a task alone, and a goal of many would write its own row with each of them.
    this.goalRows = new RowWriter<GoalView>(
      db,
      db
        .insert(goals)
        .values(placeholders(getTableColumns(goals)) as GoalRow)
        .onConflictDoUpdate({ target: goals.id, set: excluded(getTableColumns(goals)) }),
      { number: numberOf },
    );
    this.upsertTask = prepareChange(
      db,
      db
        .insert(tasks)
        .values(placeholders(getTableColumns(tasks)) as TaskRow)
        .onConflictDoUpdate({ target: tasks.id, set: excluded(getTableColumns(tasks)) }),
    );
    // Specs are large and hardly ever change: most updates leave them alone.
    const {
      id,
      goal: _goal,
      spec: _spec,
      position: _position,
      batch: _batch,
      ...state
    } = getTableColumns(tasks);
    this.updateTask = prepareChange<TaskView>(
      db,
      db
        .update(tasks)
        .set(placeholders(state))
        .where(eq(id, sql.placeholder('id'))),
      { id: ({ spec }) => spec.id },
    );
  }

  /** A goal by id, from memory or from its rows; undefined where the log has none. */
  goal(id: string): GoalView | undefined {
    const held = this.goals.get(id);
    if (held) return held;
    const loaded = loadGoal(this.db, id);
    if (loaded && isOpen(loaded)) this.hold(loaded);
    return loaded;
  }

  /** The goal that a task belongs to. */
  goalOf(task: string): GoalView | undefined {
    const goal = this.homes.get(task) ?? goalOfTask(this.db, task);
    return goal === undefined ? undefined : this.goal(goal);
  }

  /**
   * Where a task belongs. Of a finished goal that is one row and not all of its tasks': what BullMQ tells of its jobs
   * as they leave Redis is an entry for each of them.
   */
  placeOf(task: string): TaskPlace | undefined {
    const goal = this.goals.get(this.homes.get(task) ?? '');
    if (!goal) return readsOf(this.db).place({ task })[0];
    const { generation } = goal.tasks.get(task)!;
    return { project: goal.project, goal: goal.id, generation };
  }

  fold(entry: NewEvent): Folded | undefined {
    if (entry.event.type === 'goal.created') {
      this.hold(createGoal({ ...entry, event: entry.event }));
    }
    if (entry.goal === '') foldPause(this.db, entry);
    const goal = this.goal(entry.goal);
    if (!goal) return undefined;
    // Also a finished one, until the commit: a batch may hold several events of it.
    if (!this.goals.has(goal.id)) this.hold(goal);
    const before = entry.event.type === 'goal.created' ? undefined : goal.state;
    const touched = evolve(goal, entry);
    const changes = this.dirty.get(goal.id) ?? { goal, tasks: new Set(), specs: false };
    for (const task of touched) {
      this.homes.set(task, goal.id);
      changes.tasks.add(task);
    }
    if (CHANGES_SPECS.has(entry.event.type)) changes.specs = true;
    this.dirty.set(goal.id, changes);
    return { goal, before, touched };
  }

  /** Writes the rows of everything folded since the last call; to be called inside the transaction. */
  store(): void {
    for (const { goal, tasks: changed, specs } of this.dirty.values()) {
      this.goalRows.write(goal.id, goal);
      const positions = specs
        ? new Map([...goal.tasks.keys()].map((id, index) => [id, index]))
        : null;
      for (const id of changed) {
        const task = goal.tasks.get(id)!;
        if (positions) {
          this.upsertTask({ ...task, id, goal: goal.id, position: positions.get(id)! });
        } else this.updateTask(task);
      }
      this.stored.add(goal);
    }
    this.dirty.clear();
  }

  /** After the commit: lets go of what is finished and gone, so that memory follows the open work. */
  committed(): void {
    for (const goal of this.stored) {
      if (isOpen(goal)) this.finished.delete(goal);
      else if (goal.evicted) this.letGo(goal);
      else this.finished.add(goal);
    }
    this.stored.clear();
    let held = 0;
    for (const goal of this.finished) held += goal.tasks.size;
    for (const goal of this.finished) {
      if (held <= FINISHED_TASKS) break;
      held -= goal.tasks.size;
      this.letGo(goal);
    }
  }

  /** After a rollback: forgets everything in memory; the rows tell what is true. */
  reset(): void {
    this.goals.clear();
    this.finished.clear();
    this.homes.clear();
    this.dirty.clear();
    this.stored.clear();
    this.goalRows.forgetAll();
  }

  private letGo(goal: GoalView): void {
    this.goals.delete(goal.id);
    this.finished.delete(goal);
    this.goalRows.forget(goal.id);
    for (const task of goal.tasks.keys()) this.homes.delete(task);
  }

  private hold(goal: GoalView): void {
    this.goals.set(goal.id, goal);
    for (const task of goal.tasks.keys()) this.homes.set(task, goal.id);
  }
}

const CHANGES_SPECS: ReadonlySet<string> = new Set<NewEvent['event']['type']>([
  'goal.planned',
  'plan.grown',
  'task.edited',
  'tasks.reopened',
]);

const isOpen = ({ state }: GoalView): boolean => state === 'OPEN' || state === 'SETTLED';

/** The columns that are the views' own. */
const { number: _number, ...goalColumns } = getTableColumns(goals);
const { id: _id, goal: _goal, position: _position, ...taskColumns } = getTableColumns(tasks);

const placeColumns = { project: goals.project, goal: tasks.goal, generation: tasks.generation };

const readsOf = preparedOn((db) => {
  const id = sql.placeholder('id');
  return {
    goal: prepareRead(db, goalColumns, db.select(goalColumns).from(goals).where(eq(goals.id, id))),
    place: prepareRead(
      db,
      placeColumns,
      db
        .select(placeColumns)
        .from(tasks)
        .innerJoin(goals, eq(goals.id, tasks.goal))
        .where(eq(tasks.id, sql.placeholder('task'))),
    ),
    tasks: prepareRead(
      db,
      taskColumns,
      db
        .select(taskColumns)
        .from(tasks)
        .where(and(eq(tasks.goal, id), gte(tasks.position, sql.placeholder('from'))))
        .orderBy(asc(tasks.position))
        .limit(sql.placeholder('limit')),
    ),
  };
});

/** A goal as its stored rows show it. */
export function loadGoal(db: Database, id: string): GoalView | undefined {
  const goal = loadGoalRow(db, id);
  return goal && viewOfRows(goal, loadTaskRows(db, id));
}

type StoredGoal = Omit<GoalView, 'tasks' | 'dependents' | 'counts'>;

export const loadGoalRow = (db: Database, id: string): StoredGoal | undefined =>
  readsOf(db).goal({ id })[0];

/** Rows of a goal's tasks in the order of its plan, all of them unless told otherwise. @param from place in the plan */
export const loadTaskRows = (db: Database, id: string, from = 0, limit = -1): TaskView[] =>
  readsOf(db).tasks({ id, from, limit });

export function viewOfRows(goal: StoredGoal, rows: readonly TaskView[]): GoalView {
  const counts = Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<
    TaskState,
    number
  >;
  for (const task of rows) counts[task.state] += 1;
  return {
    ...goal,
    tasks: new Map(rows.map((task) => [task.spec.id, task])),
    dependents: dependentsOf(rows.map((task) => task.spec)),
    counts,
  };
}

const numberOf = ({ id }: GoalView): number => Number(id.slice('goal-'.length));

const placeholders = (columns: object): Record<string, unknown> =>
  Object.fromEntries(Object.keys(columns).map((name) => [name, sql.placeholder(name)]));

const excluded = (columns: Record<string, { readonly name: string }>): Record<string, SQL> =>
  Object.fromEntries(
    Object.entries(columns).map(([key, { name }]) => [key, sql.raw(`excluded."${name}"`)]),
  );
