/**
 * The log as JSON Lines: a header, every event, what commands led to, and a trailer that tells whether a file
 * is whole.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { z } from 'zod';
import { EVENT_VERSION } from '../../core/events.js';
import { snapshot } from '../../log/integrity.js';
import type { Log } from '../../log/log.js';
import { commandRows, eventRows } from '../../log/rows.js';

/** Version of the file's shape; events have versions of their own. */
export const EXPORT_VERSION = 1;

export const headerSchema = z.strictObject({
  drover: z.literal('log'),
  version: z.literal(EXPORT_VERSION),
  /** Highest version of an event that may occur. */
  schema: z.int().min(1),
  /** Null where no supervisor has used the log. */
  logId: z.string().min(1).nullable(),
  exportedAt: z.iso.datetime(),
  lastSeq: z.int().min(0),
});
export type ExportHeader = z.infer<typeof headerSchema>;

export const trailerSchema = z.strictObject({
  drover: z.literal('end'),
  events: z.int().min(0),
  commands: z.int().min(0),
  /** Of all lines before this one, with their line ends. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ExportTrailer = z.infer<typeof trailerSchema>;

/**
 * Writes everything that is recorded at the moment; what is recorded meanwhile is left out. The stream is not
 * ended.
 */
export async function exportLog(
  log: Log,
  output: Writable,
  now = new Date(),
): Promise<ExportTrailer> {
  // A command without its events would count as carried out; so both are taken at one moment.
  const { lastSeq, commands } = snapshot(log.db, () => ({
    lastSeq: log.lastSeq(),
    commands: commandRows(log.db),
  }));
  const header: ExportHeader = {
    drover: 'log',
    version: EXPORT_VERSION,
    schema: EVENT_VERSION,
    logId: log.knownId() ?? null,
    exportedAt: now.toISOString(),
    lastSeq,
  };
  const digest = createHash('sha256');
  const write = async (line: object): Promise<void> => {
    const text = `${JSON.stringify(line)}\n`;
    digest.update(text);
    if (!output.write(text)) await once(output, 'drain');
  };
  await write(header);
  let events = 0;
  for (const row of eventRows(log.db, lastSeq)) {
    await write(row);
    events += 1;
  }
  for (const row of commands) await write(row);
  const sha256 = digest.copy().digest('hex');
  const trailer: ExportTrailer = { drover: 'end', events, commands: commands.length, sha256 };
  await write(trailer);
  return trailer;
}
