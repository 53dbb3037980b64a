/**
 * How long tasks take, learned from those that are done. What a plan was told is recorded with the plan, so
 * nothing folded depends on this memory: it may forget, and it begins with what the newest rows say.
 */
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import type { GoalView, TaskView } from '../core/goal.js';
import type { Database } from '../log/database.js';

/** Where a task that is being planned will belong. */
export interface Kind {
  readonly project: string;
  /** The file the plan comes from, or the goal's title where it comes from none. */
  readonly flow: string;
  readonly name: string;
  readonly capability: string;
}

export interface Learned {
  /** Milliseconds, the median. */
  readonly took: number;
  /** Runs that it is taken from. */
  readonly runs: number;
  /** True for runs of the same task of the same flow, false for others of its capability. */
  readonly isOfTask: boolean;
}

/** The median is taken of so many runs, the latest ones. */
const RUNS = 9;
/** Kinds of tasks remembered; those that were not seen for longest are forgotten first. */
const KINDS = 10_000;
/** Rows read at the first question, the newest first. */
const ROWS = 10_000;

const rowSchema = z.object({
  project: z.string(),
  flow: z.string(),
  name: z.string(),
  capability: z.string(),
  took: z.number(),
});

/** @internal */
export class Durations {
  private readonly runs = new Map<string, number[]>();
  private seeded = false;

  constructor(private readonly db: Database) {}

  /** Remembers a task that is done. */
  learn(goal: GoalView, task: TaskView): void {
    // What was done before the first question is read from the rows then.
    if (!this.seeded) return;
    const began = task.activeAt ?? task.assignedAt;
    if (began === null || task.finishedAt === null) return;
    this.remember(kindOf(goal, task.spec), Math.max(0, task.finishedAt - began));
  }

  /**
   * Milliseconds that such a task took: the median of runs of the same task of the same flow in its project, or
   * of its capability in the project, or of its capability anywhere; undefined where there was none.
   */
  expected(kind: Kind): number | undefined {
    return this.learned(kind)?.took;
  }

  /** The same with what it is taken from. */
  learned(kind: Kind): Learned | undefined {
    if (!this.seeded) this.seed();
    for (const [level, key] of keysOf(kind).entries()) {
      const runs = this.runs.get(key);
      if (!runs) continue;
      const took = runs.toSorted((a, b) => a - b)[runs.length >> 1]!;
      return { took, runs: runs.length, isOfTask: level === 0 };
    }
    return undefined;
  }

  private remember(kind: Kind, took: number): void {
    for (const key of keysOf(kind)) {
      const runs = this.runs.get(key) ?? [];
      runs.push(took);
      if (runs.length > RUNS) runs.shift();
      this.runs.delete(key);
      this.runs.set(key, runs);
    }
    for (const key of this.runs.keys()) {
      if (this.runs.size <= KINDS) return;
      this.runs.delete(key);
    }
  }

  private seed(): void {
    this.seeded = true;
    const rows = this.db.all(sql`
      SELECT g.project, coalesce(g.source, g.title) AS flow, t.spec ->> 'name' AS name,
        t.spec ->> 'capability' AS capability,
        max(0, t.finished_at - coalesce(t.active_at, t.assigned_at)) AS took
      FROM (SELECT * FROM tasks ORDER BY rowid DESC LIMIT ${ROWS}) t JOIN goals g ON g.id = t.goal
      WHERE t.state = 'DONE' AND coalesce(t.active_at, t.assigned_at) IS NOT NULL
      ORDER BY t.finished_at`);
    for (const { took, ...kind } of z.array(rowSchema).parse(rows)) this.remember(kind, took);
  }
}

export const kindOf = (
  { project, source, title }: Pick<GoalView, 'project' | 'source' | 'title'>,
  { name, capability }: { readonly name: string; readonly capability: string },
): Kind => ({ project, flow: source ?? title, name, capability });

/** The most telling first. None of the parts but the last can contain a line break. */
const keysOf = ({ project, flow, name, capability }: Kind): [string, string, string] => [
  `${project}\n${name}\n${flow}`,
  `${project}\n${capability}`,
  capability,
];
