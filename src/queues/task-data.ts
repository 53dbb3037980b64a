/** What a task's job carries; part of the contract with workers that know nothing of Drover. */
import { z } from 'zod';
import { GATE_KINDS } from '../core/ids.js';
import type { Json, TaskSpec } from '../core/plan.js';

const taskIdSchema = z.object({ id: z.string(), name: z.string(), needs: z.array(z.string()) });

const taskDataSchema = z.object({
  goal: z.string(),
  /** The goal's title: part of what a task may see. */
  title: z.string(),
  project: z.string(),
  /** Checked when it was planned; checking it again would cost every claim a tenth of a millisecond. */
  task: z.custom<TaskSpec>((task) => taskIdSchema.safeParse(task).success),
  /** Names of the needs by id, as the plan's author wrote them. */
  names: z.record(z.string(), z.string()),
  /** Results of needs that were done before the job was made; the others are its children's values. */
  results: z.record(z.string(), z.custom<Json>()),
  /** The first claim of this job has the next number. */
  floor: z.int(),
  /** What a person who rejected it wants this attempt to know. */
  note: z.string().optional(),
  /** Data of the signals that came before the job was made, by name. */
  signals: z.record(z.string(), z.custom<Json>()).default({}),
  /** Gates that were closed when the job was made: it begins only once each of them has been answered. */
  gates: z.array(z.enum(GATE_KINDS)).optional(),
});
export type TaskData = z.infer<typeof taskDataSchema>;

/**
 * What a job carries, checked as far as a claim relies on it. Drover made it, and zod takes longer for all of it than
 * everything else that happens before the handler is called; it says what is wrong where something is.
 */
export function taskDataOf(data: unknown): TaskData {
  const { goal, title, project, task, names, results, floor } = data as Partial<TaskData>;
  const isWhole =
    typeof goal === 'string' &&
    typeof title === 'string' &&
    typeof project === 'string' &&
    typeof task?.id === 'string' &&
    typeof task.name === 'string' &&
    Array.isArray(task.needs) &&
    typeof names === 'object' &&
    typeof results === 'object' &&
    Number.isInteger(floor);
  return isWhole ? (data as TaskData) : taskDataSchema.parse(data);
}
