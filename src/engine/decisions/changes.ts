/** What `edit` and `rerun` change about a task, as it is recorded. */
import { DroverError } from '../../core/errors.js';
import type { AskedChanges, TaskChanges } from '../../core/events.js';
import type { TaskSpec } from '../../core/plan.js';

/** @throws DroverError `bad-input` for a command where the task is none, or input where it is one */
export function changesTo(
  { id, run, with: input, retry }: TaskSpec,
  asked: AskedChanges,
): TaskChanges {
  if (asked.run !== undefined && run === undefined) {
    throw new DroverError(
      'bad-input',
      `${id} is no shell command: its agent reads its input.`,
      'Change its input (--with).',
    );
  }
  if (asked.with !== undefined && run !== undefined && input === undefined) {
    throw new DroverError(
      'bad-input',
      `${id} is a shell command, which reads no input.`,
      'Change its command (--run).',
    );
  }
  const { retry: policy, ...changes } = asked;
  return policy === undefined ? changes : { ...changes, retry: { ...retry, ...policy } };
}
