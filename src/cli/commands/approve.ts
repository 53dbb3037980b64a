/** `drover approve`, `drover reject`: a person's answer to what waits for one. */
import { ask } from '../asking.js';
import { defineDroverCommand } from '../command.js';

const id = { type: 'positional', description: 'Task or goal such as task-130 or goal-7' } as const;
const note = {
  type: 'string',
  valueHint: 'TEXT',
  description: 'Handed to the task that starts',
} as const;

export const approveCommand = defineDroverCommand({
  name: 'approve',
  description: 'Let a task, or the plan of a goal, start that waits for approval',
  args: { id, note },
  examples: [
    { run: 'drover approve task-130', what: 'Lets a task start, now or once its needs are done.' },
    { run: 'drover approve goal-7 --note "staging only"', what: 'Approves a plan, with a note.' },
  ],
  run: ({ args, globals }) =>
    ask(globals, async (desk) => {
      await desk.approve(args.id, args.note);
      return [{ approved: args.id }, `${args.id} is approved.`];
    }),
});

export const rejectCommand = defineDroverCommand({
  name: 'reject',
  description: 'Say no to a task or a plan: it starts with your note, or ends',
  args: { id, note, end: { type: 'boolean', description: 'It ends here' } },
  examples: [
    { run: 'drover reject task-130 --note "use the new API"', what: 'The attempt reads the note.' },
    { run: 'drover reject task-130 --end --note "not this week"', what: 'The task has failed.' },
  ],
  run: ({ args, globals }) =>
    ask(globals, async (desk) => {
      await desk.reject(args.id, args.note, { end: args.end });
      const what = args.end ? 'is ended' : 'starts with your note';
      return [{ rejected: args.id, ended: args.end }, `${args.id} ${what}.`];
    }),
});
