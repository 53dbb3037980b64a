// Runs a command as Drover does, from the built package, in a process that a test can kill.
// Arguments: the folder, the command, and `exit` (leave at once, with 7) or `wait`.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { runCommand } from '../../dist/agents/process.js';

const [, , cwd, command, then] = process.argv;
const registry = { dir: cwd, task: 'task-1', claim: 2 };
const running = runCommand({ command, cwd, env: { PATH: process.env.PATH }, registry });
if (then === 'exit') {
  while (!existsSync(join(cwd, 'pids'))) await sleep(10);
  process.exit(7);
}
await running;
