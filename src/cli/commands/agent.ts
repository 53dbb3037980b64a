/** `drover agent`: one more process that works. */
import { hostname } from 'node:os';
import { capabilitySchema } from '../../core/plan.js';
import { DroverError } from '../../core/errors.js';
import { wholeNumber } from '../arguments.js';
import { defineDroverCommand } from '../command.js';
import { join } from '../desk.js';
import { runningSupervisor } from '../presence.js';
import { readRecovery, RECOVERY } from '../recovery.js';
import { waitForRedis } from '../redis-wait.js';
import { serve } from '../serving.js';
import { closeInTwoSteps, stopInTwoSteps } from '../signals.js';

export const agentCommand = defineDroverCommand({
  name: 'agent',
  description: 'Start one more agent, on any machine that reaches Redis; it runs commands',
  variadic: true,
  args: {
    capability: { type: 'positional', description: 'Capability to offer; several may follow' },
    concurrency: {
      type: 'string',
      valueHint: 'N',
      description: 'Tasks of each capability at a time; 4 unless given',
    },
    recovery: RECOVERY,
    name: {
      type: 'string',
      valueHint: 'NAME',
      description: 'Name in the log and in Bull Board; made of user and process unless given',
    },
  },
  examples: [
    { run: 'drover agent tester', what: 'Offers tester to the supervisor of this data directory.' },
    {
      run: 'drover agent developer tester --concurrency 2 --redis redis://10.0.0.5:6379',
      what: 'Joins from another machine.',
    },
  ],
  async run({ args, globals, words }) {
    const concurrency = wholeNumber('concurrency', args.concurrency, [1, 1_000]);
    const recovery = readRecovery(args.recovery);
    const capabilities = [...new Set(words)];
    for (const capability of capabilities) checkCapability(capability);
    await waitForRedis(globals.redis);
    using stopping = stopInTwoSteps();
    const client = await join(globals, runningSupervisor(globals.dataDir), recovery);
    let serving = false;
    try {
      for (const capability of capabilities) {
        await client.agent(capability, 'shell', {
          ...(concurrency !== undefined && { concurrency }),
          ...(args.name !== undefined && { name: args.name }),
        });
      }
      const offered = capabilities.join(', ');
      serving = true;
      return await serve(
        client,
        {
          text: [`Offers ${offered} (process ${process.pid} on ${hostname()}); Ctrl-C stops it.`],
          json: { pid: process.pid, capabilities, concurrency: concurrency ?? 4 },
        },
        globals.json,
        stopping,
      );
    } finally {
      if (!serving) await closeInTwoSteps(client, stopping);
    }
  },
});

function checkCapability(capability: string): void {
  const { error } = capabilitySchema.safeParse(capability);
  if (!error) return;
  const [issue] = error.issues;
  throw new DroverError('bad-input', `The capability ‘${capability}’ ${issue!.message}.`);
}
