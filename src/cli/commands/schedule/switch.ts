/** `drover schedule run|pause|resume|remove`: what is done to one schedule. */
import { ask, WHY } from '../../asking.js';
import { defineDroverCommand } from '../../command.js';

const schedule = {
  type: 'positional',
  description: 'Name of the schedule; `drover schedule list` shows them',
} as const;
const why = WHY;

export const runCommand = defineDroverCommand({
  name: 'run',
  description: 'Begin now, besides the times, by the same rule for what is still open',
  args: { schedule, why },
  examples: [{ run: 'drover schedule run nightly', what: 'Runs the flow once more, now.' }],
  run: ({ args: { schedule: name, why: reason }, globals }) =>
    ask(globals, async (desk) => {
      const goals = await desk.schedules.run(name, reason);
      const text =
        goals.length > 0 ? `${goals.join(', ')} begins.` : 'It waits for the goal before.';
      return [{ schedule: name, goals }, text];
    }),
});

export const pauseCommand = defineDroverCommand({
  name: 'pause',
  description: 'Let nothing be due until it is resumed; what runs or waits already goes on',
  args: { schedule, why },
  examples: [
    { run: 'drover schedule pause nightly --why "release week"', what: 'Notes the reason.' },
  ],
  run: ({ args, globals }) =>
    ask(globals, async (desk) => {
      await desk.schedules.pause(args.schedule, args.why);
      return [{ paused: args.schedule }, `${args.schedule} is paused.`];
    }),
});

export const resumeCommand = defineDroverCommand({
  name: 'resume',
  description: 'Let it begin again, from its next time on',
  args: { schedule, why },
  examples: [{ run: 'drover schedule resume nightly', what: 'Goes on with the next time.' }],
  run: ({ args, globals }) =>
    ask(globals, async (desk) => {
      await desk.schedules.resume(args.schedule, args.why);
      return [{ resumed: args.schedule }, `${args.schedule} goes on.`];
    }),
});

export const removeCommand = defineDroverCommand({
  name: 'remove',
  description: 'Remove it; its goals, and what the log says of it, stay',
  args: { schedule, why },
  examples: [{ run: 'drover schedule remove nightly', what: 'Ends it; what runs goes on.' }],
  run: ({ args, globals }) =>
    ask(globals, async (desk) => {
      await desk.schedules.remove(args.schedule, args.why);
      return [{ removed: args.schedule }, `${args.schedule} is removed.`];
    }),
});
