/** `drover up`: a supervisor that stays, with agents and Bull Board. */
import { counted } from '../../core/counted.js';
import { checkExposure } from '../../http/door.js';
import { startHttp } from '../../http/server.js';
import { createDrover } from '../../engine/drover.js';
import { describeRedis } from '../../queues/connection.js';
import { wholeNumber } from '../arguments.js';
import { defineDroverCommand } from '../command.js';
import { detach } from '../detach.js';
import { EXIT } from '../exit.js';
import { print, printJson } from '../output.js';
import { removePresence, writePresence } from '../presence.js';
import { readRecovery, RECOVERY } from '../recovery.js';
import { waitForRedis } from '../redis-wait.js';
import { parseCapabilities, serve, USUAL_CAPABILITIES } from '../serving.js';
import { closeInTwoSteps, stopInTwoSteps } from '../signals.js';

export const upCommand = defineDroverCommand({
  name: 'up',
  description: 'Start a supervisor that stays, with agents and Bull Board',
  args: {
    agents: {
      type: 'string',
      valueHint: 'LIST',
      default: USUAL_CAPABILITIES.join(','),
      description: 'Capabilities to offer in this process',
    },
    concurrency: {
      type: 'string',
      valueHint: 'N',
      description: 'Tasks of each capability at a time; 4 unless given',
    },
    recovery: RECOVERY,
    host: {
      type: 'string',
      valueHint: 'HOST',
      default: '127.0.0.1',
      description: 'Address to listen on; anything but loopback needs DROVER_TOKEN',
    },
    port: {
      type: 'string',
      valueHint: 'PORT',
      default: '4400',
      description: 'Port of Bull Board; 0 takes any free one',
    },
    'board-write': {
      type: 'boolean',
      description: 'Let Bull Board retry, edit and remove jobs; it only shows them unless given',
    },
    detach: {
      type: 'boolean',
      description: 'Run in the background, with its output in up.log of the data directory',
    },
  },
  examples: [
    { run: 'drover up', what: 'Runs until Ctrl-C; Bull Board answers at localhost:4400/queues.' },
    { run: 'drover up --detach', what: 'Runs in the background until `drover down`.' },
    {
      run: 'drover up --agents developer --port 0',
      what: 'Offers developer alone, on a free port.',
    },
  ],
  async run({ args, globals }) {
    const { dataDir, projectsDir, redis, prefix, json, token } = globals;
    const { host } = args;
    const capabilities = parseCapabilities('agents', args.agents);
    const concurrency = wholeNumber('concurrency', args.concurrency, [1, 1_000]);
    const recovery = readRecovery(args.recovery);
    const port = wholeNumber('port', args.port, [0, 65_535])!;
    checkExposure(host, token);
    await waitForRedis(redis);
    if (args.detach) {
      const { pid, presence, logFile } = await detach(dataDir);
      if (json) printJson({ ...presence, log: logFile });
      else {
        print(`The supervisor runs in the background (process ${pid}); \`drover down\` stops it.`);
        print(`Bull Board: ${presence.url}/queues    Output: ${logFile}`);
      }
      return EXIT.done;
    }
    using stopping = stopInTwoSteps();
    const drover = await createDrover({
      dataDir,
      projectsDir,
      prefix,
      ...(redis !== undefined && { redis }),
      ...recovery,
    });
    const undo: (() => Promise<void> | void)[] = [];
    const close = async (options?: { readonly force?: boolean }): Promise<void> => {
      removePresence(dataDir);
      for (const step of undo.splice(0)) await step();
      await drover.close(options);
    };
    let serving = false;
    try {
      for (const capability of capabilities) {
        await drover.agent(capability, 'shell', {
          ...(concurrency !== undefined && { concurrency }),
        });
      }
      const { client } = drover.connection;
      const http = await startHttp({
        client,
        prefix,
        queues: () => drover.queues(),
        host,
        port,
        token,
        boardWrite: args['board-write'],
      });
      undo.push(() => http.close());
      const presence = {
        pid: process.pid,
        command: 'up',
        prefix,
        redis: redis === undefined ? null : describeRedis(client),
        agents: capabilities,
        url: http.url,
      } as const;
      writePresence(dataDir, presence);
      const waiting = drover.ledger.board.inState('OPEN').length;
      serving = true;
      return await serve(
        { close },
        {
          text: [
            `Supervisor with agents for ${capabilities.join(', ')} on ${dataDir} (process ${process.pid})`,
            `Bull Board: ${http.url}/queues`,
            ...(waiting > 0 ? [`Goes on with ${counted(waiting, 'open goal')}.`] : []),
          ],
          json: { ...presence, data: dataDir },
        },
        json,
        stopping,
      );
    } finally {
      if (!serving) await closeInTwoSteps({ close }, stopping);
    }
  },
});
