/** `drover approve`, `drover reject`: a person's answer to what waits for one. */
import { DroverError } from '../../core/errors.js';
import { ask } from '../asking.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { type LandingShown, landingOf, outcomeOf, renderLanding } from '../landing.js';
import { print, printJson, remark } from '../output.js';

const id = { type: 'positional', description: 'Task or goal such as task-130 or goal-7' } as const;
const note = {
  type: 'string',
  valueHint: 'TEXT',
  description: 'Handed to the task that starts',
} as const;

export const approveCommand = defineDroverCommand({
  name: 'approve',
  description: 'Let a task or a plan start that waits for approval, or a finished goal land',
  args: {
    id,
    note,
    'dry-run': { type: 'boolean', description: 'Only show what a finished goal would land' },
  },
  examples: [
    { run: 'drover approve task-130', what: 'Lets a task start, now or once its needs are done.' },
    { run: 'drover approve goal-7 --note "staging only"', what: 'Approves a plan, with a note.' },
    { run: 'drover approve goal-8', what: 'Lands a finished goal, and shows what changes.' },
  ],
  async run({ args: { id: target, note: said, 'dry-run': dry }, globals }) {
    const landing = await landingOf(target, globals).catch((error: unknown) => {
      if (dry || !(error instanceof DroverError)) throw error;
      // The supervisor may have the repository where this machine has not.
      remark(`What would land cannot be shown: ${error.message}`);
      return undefined;
    });
    if (landing && !globals.json) {
      for (const line of renderLanding(target, landing)) print(line);
    }
    if (dry) {
      if (!landing) throw nothingToLand(target);
      if (globals.json) printJson(plainLanding(target, landing));
      return EXIT.done;
    }
    return ask(globals, async (desk) => {
      await desk.approve(target, said);
      const { landed, trouble } = outcomeOf(target, globals);
      if (!landing) {
        return trouble === null
          ? [{ approved: target }, `${target} is approved.`]
          : [
              { approved: target, trouble },
              `${target} is approved, but did not land: ${trouble}`,
              EXIT.settled,
            ];
      }
      const answer = { approved: target, landed, trouble, ...plainLanding(target, landing) };
      const text = landedText(target, landing.base, landed, trouble);
      return [answer, text, trouble === null ? EXIT.done : EXIT.settled];
    });
  },
});

const plainLanding = (goal: string, { diff, ...rest }: LandingShown): object => ({
  goal,
  ...rest,
  files: diff?.files ?? [],
});

function landedText(
  goal: string,
  base: string,
  landed: string | null,
  trouble: string | null,
): string {
  if (landed !== null) return `${goal} has landed in ${base} as ${landed.slice(0, 12)}.`;
  if (trouble !== null) return `${goal} is approved, but did not land: ${trouble}`;
  return `${goal} is approved; it lands in ${base}.`;
}

const nothingToLand = (goal: string): DroverError =>
  new DroverError(
    'conflict',
    `${goal} is no finished goal with work to land.`,
    'See `drover inbox` for what waits, and `drover graph GOAL` for where a goal stands.',
  );

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
