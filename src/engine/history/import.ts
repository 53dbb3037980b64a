/**
 * Rebuilds a log from an export. The projections are folded anew, by the code that folds them in operation.
 *
 * Invariants kept here: 1 (a file that is cut, changed or of a newer Drover makes no log), 3 (numbers without
 * gaps, entries once), 6 (the writer's lock is held meanwhile).
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { counted } from '../../core/counted.js';
import { DroverError, messageOf } from '../../core/errors.js';
import { type LoggedEvent, SETTINGS } from '../../core/events.js';
import { scheduleOf } from '../../core/schedule.js';
import { buildLog, contentsOf } from '../../log/build.js';
import { makeDataDir } from '../../log/data-dir.js';
import { lastEntries, leaveOrigins } from '../../log/integrity.js';
import type { Log } from '../../log/log.js';
import {
  commandRowSchema,
  eventOf,
  type EventRow,
  eventRowSchema,
  insertRow,
  knowsVersion,
} from '../../log/rows.js';
import { acquireWriterLock } from '../../log/writer-lock.js';
import { Board } from '../../projections/board.js';
import { foldSchedule } from '../../projections/schedules.js';
import { EXPORT_VERSION, type ExportHeader, headerSchema, trailerSchema } from './export.js';
import { type Line, readLines } from './lines.js';

export interface ImportOptions {
  /**
   * The new log takes the place of the exported one: it keeps its name and its cursors, and goes on with the
   * same Redis. Otherwise it is a copy with a name of its own, and a Redis that it starts with anew: cursors
   * from another Redis, whose clock may have been ahead, could hide entries of this one.
   */
  readonly move?: boolean;
}

export interface Imported {
  readonly events: number;
  readonly goals: number;
  readonly logId: string;
}

/** Events stored in one transaction. */
const BATCH = 1_000;

/** What may lie in a data directory before there is a log; large results belong to the log and are copied. */
const ALLOWED = /^(writer\.(lock|lock-journal|json)|results)$/;

/**
 * @param input the file's bytes
 * @throws DroverError `conflict` where the data directory is not empty, `bad-input` with the line's number where
 *   the file is damaged, `log-newer`, `log-locked`; there is no log then.
 */
export async function importLog(
  dataDir: string,
  input: AsyncIterable<Uint8Array>,
  { move = false }: ImportOptions = {},
): Promise<Imported> {
  makeDataDir(dataDir);
  refuseContents(dataDir);
  const lock = acquireWriterLock(dataDir);
  try {
    return await buildLog(dataDir, (log) => new Import(log, move).run(input));
  } finally {
    lock.release();
  }
}

function refuseContents(dataDir: string): void {
  const others = contentsOf(dataDir).filter((name) => !ALLOWED.test(name));
  if (others.length === 0) return;
  throw new DroverError(
    'conflict',
    `The data directory ${dataDir} is not empty: it has ${others.slice(0, 5).join(', ')}.`,
    'Import into an empty directory (--data); nothing is ever merged or overwritten.',
  );
}

class Import {
  private readonly board: Board;
  private readonly digest = createHash('sha256');
  private batch: { line: number; row: EventRow; event: LoggedEvent }[] = [];
  private events = 0;
  private commands = 0;
  private goals = 0;

  constructor(
    private readonly log: Log,
    private readonly move: boolean,
  ) {
    this.board = new Board(log.db);
  }

  async run(input: AsyncIterable<Uint8Array>): Promise<Imported> {
    let header: ExportHeader | undefined;
    let isWhole = false;
    for await (const line of readLines(input)) {
      if (isWhole) throw damaged(line.number, 'stands behind the end of the export');
      const value = parse(line);
      if (!header) header = readHeader(value);
      else if ('drover' in value) {
        this.checkTrailer(line, value, header);
        isWhole = true;
      } else if ('command' in value) this.addCommand(line, value);
      else this.addEvent(line, value);
      this.digest.update(line.bytes);
    }
    if (!header) throw damaged(1, 'is missing: the file is empty');
    if (!isWhole) {
      throw new DroverError(
        'bad-input',
        `The export is cut off: it has ${this.events} of ${counted(header.lastSeq, 'event')} and no end.`,
        'Export the log again; nothing was imported.',
      );
    }
    this.finish(header);
    return { events: this.events, goals: this.goals, logId: this.log.id() };
  }

  private addEvent(line: Line, value: object): void {
    const row = check(line, eventRowSchema, value);
    if (row.seq !== this.events + 1) {
      throw damaged(line.number, `has event ${row.seq} where ${this.events + 1} is due`);
    }
    if (this.commands > 0) throw damaged(line.number, 'has an event behind the commands');
    if (!knowsVersion(row.version))
      throw newer(`Line ${line.number} has an event of version ${row.version}`);
    const event = attempt(line, () => eventOf(row));
    if (event.event.type === 'goal.created') this.goals += 1;
    this.batch.push({ line: line.number, row, event });
    this.events += 1;
    if (this.batch.length >= BATCH) this.store();
  }

  private store(): void {
    const { db } = this.log;
    this.log.transaction(() => {
      for (const { line, row, event } of this.batch) {
        attempt({ number: line }, () => {
          insertRow(db, row);
          if (scheduleOf(event.goal) !== undefined) foldSchedule(db, event);
          else if (!this.board.fold(event) && event.goal !== SETTINGS)
            throw new Error(`${event.goal} was not created before`);
        });
      }
      this.board.store();
    });
    this.board.committed();
    this.batch = [];
  }

  private addCommand(line: Line, value: object): void {
    const { command, outcome } = check(line, commandRowSchema, value);
    attempt(line, () => this.log.recordOutcome(command, outcome));
    this.commands += 1;
  }

  private checkTrailer(line: Line, value: object, header: ExportHeader): void {
    const { events, commands, sha256 } = check(line, trailerSchema, value);
    const counts = { events: this.events, commands: this.commands };
    if (events !== counts.events || events !== header.lastSeq || commands !== counts.commands) {
      throw damaged(
        line.number,
        `counts ${counted(events, 'event')} and ${counted(commands, 'command')}; the file has others`,
      );
    }
    if (sha256 !== this.digest.copy().digest('hex')) {
      throw damaged(
        line.number,
        'has another checksum than the lines before it: they were changed',
      );
    }
  }

  private finish({ logId }: ExportHeader): void {
    this.log.transaction(() => {
      if (this.batch.length > 0) this.store();
      if (this.move) {
        if (logId !== null) this.log.adoptId(logId);
        for (const [queue, entry] of lastEntries(this.log.db)) this.log.moveCursor(queue, entry);
      } else {
        leaveOrigins(this.log.db, this.events);
      }
    });
  }
}

function parse(line: Line): object {
  const value = attempt(line, (): unknown => JSON.parse(line.text.trimEnd()));
  if (typeof value === 'object' && value !== null) return value;
  throw damaged(line.number, 'is no JSON object');
}

function readHeader(value: object): ExportHeader {
  const version: unknown = 'version' in value ? value.version : undefined;
  const isNewer = 'drover' in value && typeof version === 'number' && version > EXPORT_VERSION;
  if (isNewer) throw newer(`The export has version ${version}`);
  const parsed = headerSchema.safeParse(value);
  if (!parsed.success) throw damaged(1, 'is no header of an export of `drover log export`');
  if (!knowsVersion(parsed.data.schema))
    throw newer(`The export has events of version ${parsed.data.schema}`);
  return parsed.data;
}

function check<T extends z.ZodType>(line: Line, schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw damaged(line.number, `cannot be read: ${z.prettifyError(parsed.error)}`);
}

/** Names the line at which something failed. */
function attempt<T>({ number }: Pick<Line, 'number'>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isRefusal(error)) throw error;
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw damaged(number, `cannot be taken over: ${why}`, error);
  }
}

/** Not the line is to blame, but the disk. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  /^SQLITE_(FULL|IOERR|READONLY)/.test(String(error.code));

const damaged = (line: number, what: string, cause?: unknown): DroverError =>
  new DroverError(
    'bad-input',
    `Line ${line} of the export ${what}.`,
    'Export the log again; nothing was imported.',
    { cause },
  );

const newer = (what: string): DroverError =>
  new DroverError(
    'log-newer',
    `${what}; this Drover knows up to ${EXPORT_VERSION}.`,
    'Install the version of Drover that wrote it, or a later one; nothing was imported.',
  );
