/** `drover down`: stops the supervisor of a data directory. */
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { listProcesses } from '../../agents/process-table.js';
import { DroverError } from '../../core/errors.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import type { Globals } from '../globals.js';
import { print, printJson, remark } from '../output.js';
import { type RunningSupervisor, runningSupervisor } from '../presence.js';

/** Milliseconds between two looks at whether it has gone. */
const LOOK_EVERY = 50;
/** Milliseconds of draining after which the way out is named. */
const HINT_AFTER = 2_000;

export const downCommand = defineDroverCommand({
  name: 'down',
  description: 'Stop the supervisor of the data directory, and its Redis if that is its own',
  args: {
    now: {
      type: 'boolean',
      description: 'Stop what runs instead of letting it end; it goes on at the next start',
    },
  },
  examples: [
    { run: 'drover down', what: 'Lets running tasks end, then stops.' },
    { run: 'drover down --now', what: 'Stops at once; nothing is lost.' },
    { run: 'drover down --data /srv/drover', what: 'Stops the one of another data directory.' },
  ],
  async run({ args, globals }) {
    const supervisor = runningSupervisor(globals.dataDir);
    if (!supervisor) {
      const text = `No supervisor runs on ${globals.dataDir}.`;
      if (globals.json) printJson({ stopped: false, pid: null });
      else print(text);
      return EXIT.done;
    }
    const { pid } = supervisor.holder;
    requireOurs(supervisor, globals);
    process.kill(pid, 'SIGTERM');
    // A different signal, because the same one again could be the same Ctrl-C.
    if (args.now) process.kill(pid, 'SIGINT');
    await untilGone(pid, globals, args.now);
    if (globals.json) printJson({ stopped: true, pid });
    else print(`Stopped (process ${pid}).`);
    return EXIT.done;
  },
});

function requireOurs({ holder, presence }: RunningSupervisor, { dataDir }: Globals): void {
  if (holder.host !== hostname()) {
    throw new DroverError(
      'no-supervisor',
      `The supervisor of ${dataDir} runs on ${holder.host} (process ${holder.pid}).`,
      'Run `drover down` there.',
    );
  }
  if (presence) return;
  throw new DroverError(
    'conflict',
    `Process ${holder.pid} holds ${dataDir}, and it is no \`drover up\`.`,
    'Stop that program itself.',
  );
}

async function untilGone(pid: number, { dataDir, json }: Globals, now: boolean): Promise<void> {
  const began = performance.now();
  let hinted = now || json;
  for (;;) {
    const held = runningSupervisor(dataDir)?.holder.pid === pid;
    const alive = held || (await listProcesses()).some((entry) => entry.pid === pid);
    if (!alive) return;
    if (!hinted && performance.now() - began > HINT_AFTER) {
      hinted = true;
      remark('Running tasks are let to their end; `drover down --now` does not wait for them.');
    }
    await delay(LOOK_EVERY);
  }
}
