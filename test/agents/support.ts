import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { onTestFinished } from 'vitest';

import { runCommand, type CommandOptions, type CommandResult } from '../../src/agents/process.js';
import { findProcess, listProcesses } from '../../src/agents/process-table.js';

export const PATH = '/usr/local/bin:/usr/bin:/bin';

/** An empty folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'drover-agents-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}

/** Runs a command in a folder of its own, with nothing but PATH and whatever else `options` say. */
export function run(
  command: string,
  options: Partial<CommandOptions> = {},
): Promise<CommandResult> {
  return runCommand({ command, cwd: temporaryFolder(), env: { PATH }, ...options });
}

export async function isAlive(pid: number): Promise<boolean> {
  return (await listProcesses()).some((entry) => entry.pid === pid);
}

/** Ends a process after the test, should the test have failed to see to it, but never another one. */
export async function endAfterTest(pid: number): Promise<void> {
  const before = await findProcess(pid);
  onTestFinished(async () => {
    const now = await findProcess(pid);
    if (before === undefined || now?.started !== before.started) return;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended in between.
    }
  });
}

/** Waits for what other processes bring about; the test's own time limit ends a wait in vain. */
export async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(10);
  }
}
