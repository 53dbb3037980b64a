/** `drover log`: the log as a file, and back. */
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { defineCommand } from 'citty';
import { counted } from '../../core/counted.js';
import { DroverError, messageOf } from '../../core/errors.js';
import { exportLog, type ExportTrailer } from '../../engine/history/export.js';
import { importLog } from '../../engine/history/import.js';
import { Log } from '../../log/log.js';
import { defineDroverCommand } from '../command.js';
import { EXIT } from '../exit.js';
import { outputGone, print, printJson } from '../output.js';

/** In place of a file: standard output or input. */
const STANDARD = '-';

const exportCommand = defineDroverCommand({
  name: 'export',
  description: 'Write the log as JSON Lines (the plan of one goal: `drover export`)',
  args: {
    file: {
      type: 'positional',
      required: false,
      description: 'File to write; standard output unless given, or where it is -',
    },
  },
  examples: [
    { run: 'drover log export drover.jsonl', what: 'Writes everything that is recorded by now.' },
    { run: 'drover log export | gzip > drover.jsonl.gz', what: 'Compresses it on the way.' },
  ],
  async run({ args: { file }, globals }) {
    using log = Log.read(globals.dataDir);
    if (file === undefined || file === STANDARD) {
      await exportLog(log, process.stdout).catch((error: unknown) => {
        if (!outputGone.aborted) throw error;
      });
      return EXIT.done;
    }
    const { events, commands, sha256 } = await exportTo(file, log);
    if (globals.json) printJson({ file, events, commands, sha256 });
    else print(`${counted(events, 'event is', 'events are')} in ${file}.`);
    return EXIT.done;
  },
});

const importCommand = defineDroverCommand({
  name: 'import',
  description:
    'Rebuild the log in an empty data directory from an export (a plan of another system: `drover import`)',
  args: {
    file: {
      type: 'positional',
      required: true,
      description: 'File that `drover log export` wrote; - for standard input',
    },
    move: {
      type: 'boolean',
      description: 'Take the place of the exported log: keep its name and go on with its Redis',
    },
  },
  examples: [
    {
      run: 'drover log import drover.jsonl --data copy',
      what: 'Makes a copy, which rebuilds its open goals on a Redis of its own.',
    },
    {
      run: 'gunzip -c drover.jsonl.gz | drover log import - --data copy',
      what: 'The same from a compressed export.',
    },
    {
      run: 'drover log import drover.jsonl --data /srv/drover --move --redis redis://db:6379',
      what: 'Moves the log; the old one must not be used any more. Copy its folder `results` as well.',
    },
  ],
  async run({ args: { file, move }, globals }) {
    const { events, goals, logId } = await importLog(globals.dataDir, await openExport(file), {
      move,
    });
    if (globals.json) printJson({ dataDir: globals.dataDir, events, goals, logId });
    else
      print(
        `${counted(events, 'event')} of ${counted(goals, 'goal')} are in ${globals.dataDir}; \`drover up\` goes on with them.`,
      );
    return EXIT.done;
  },
});

export const logCommand = defineCommand({
  meta: { name: 'log', description: 'Export the log, or rebuild it from an export' },
  subCommands: { export: exportCommand, import: importCommand },
});

/** Under another name until it is whole. */
async function exportTo(file: string, log: Log): Promise<ExportTrailer> {
  const unfinished = `${file}.${process.pid}.part`;
  const output = createWriteStream(unfinished, { mode: 0o600, flush: true });
  try {
    const trailer = await exportLog(log, output);
    output.end();
    await finished(output);
    await rename(unfinished, file);
    return trailer;
  } catch (error) {
    output.destroy();
    await rm(unfinished, { force: true });
    if (!isSystemError(error)) throw error;
    throw new DroverError(
      'bad-input',
      `${file} cannot be written: ${messageOf(error)}.`,
      'Name a file in a folder that this user may write to.',
      { cause: error },
    );
  }
}

async function openExport(file: string): Promise<AsyncIterable<Uint8Array>> {
  if (file === STANDARD) return process.stdin;
  try {
    const handle = await open(file);
    if (!(await handle.stat()).isDirectory()) return handle.createReadStream();
    await handle.close();
  } catch (error) {
    throw unreadable(file, messageOf(error), error);
  }
  throw unreadable(file, 'it is a folder');
}

const unreadable = (file: string, reason: string, cause?: unknown): DroverError =>
  new DroverError(
    'bad-input',
    `${file} cannot be read: ${reason}.`,
    'Name a file that `drover log export` wrote.',
    { cause },
  );

const isSystemError = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && 'code' in error;
