/**
 * Real processes for the crash tests: Redis, supervisors and agents, each of which a test can kill alone.
 * Everything lies in a folder of the test's own, and whatever still runs after a test is killed by its id.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterEach } from 'vitest';
import { Log } from '../../src/log/log.js';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** Where a process is to die; see `fixtures/crash-at.mjs`. */
export interface CrashPlan {
  readonly point: `${'before' | 'after'}:${string}`;
  readonly skip?: number;
  readonly matching?: string;
  /** `SIGSTOP`: it is stopped there, once, and goes on from there when it is continued; it is killed unless given. */
  readonly signal?: 'SIGSTOP';
}

export interface Line {
  readonly ask?: number;
  readonly ok?: unknown;
  readonly failed?: string;
  readonly ready?: number;
  readonly refused?: string;
  readonly message?: string;
  readonly remedy?: string;
  readonly trouble?: string | null;
  readonly error?: string;
  readonly ended?: string;
  readonly state?: string;
}

/** What `fixtures/work.mjs` writes. */
export interface Trace {
  readonly what: 'run' | 'begin' | 'journaled' | 'returning';
  readonly task: string;
  readonly name: string;
  readonly claim: number;
  readonly pid: number;
  readonly time: number;
  readonly step?: string;
}

/** Shorter than the defaults, so that many rounds fit into a test. */
export const QUICK = { lockDuration: 1_000, stalledInterval: 500 };
/** For an agent that takes over and lives: it looks as often, and loses no lock where the machine is held up. */
export const HEIR = { ...QUICK, lockDuration: 10_000 };

export class Child {
  readonly lines: Line[] = [];
  readonly exited: Promise<void>;
  private readonly waiting = new Set<() => void>();
  private asked = 0;
  /** Whether it has ended and all that it wrote has been read. */
  private isOver = false;
  private stderr = '';

  constructor(private readonly process: ChildProcess) {
    createInterface({ input: process.stdout! }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
      for (const wake of this.waiting) wake();
    });
    process.stderr!.on('data', (data: Buffer) => (this.stderr += data.toString()));
    process.stdin!.on('error', () => undefined);
    this.exited = this.exit();
  }

  private async exit(): Promise<void> {
    await once(this.process, 'close');
    this.isOver = true;
    for (const wake of this.waiting) wake();
  }

  get pid(): number {
    return this.process.pid!;
  }
  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }
  get exitCode(): number | null {
    return this.process.exitCode;
  }
  get signalCode(): NodeJS.Signals | null {
    return this.process.signalCode;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  /** Ends as it would by itself: its input is closed. */
  async end(): Promise<void> {
    this.process.stdin!.end();
    await this.exited;
  }

  /** The first line that matches, as soon as there is one; fails where the process ends before. */
  async line(matches: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const found = this.lines.find(matches);
      if (found) return found;
      if (this.isOver) throw new Error(`The process ended first: ${this.account()}`);
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake);
          resolve();
        };
        this.waiting.add(wake);
      });
    }
  }

  send(line: object): void {
    this.process.stdin!.write(`${JSON.stringify(line)}\n`);
  }

  /** Asks a supervisor; answers with its line, also where it refused. */
  async ask(action: string, input?: unknown): Promise<Line> {
    this.asked += 1;
    const ask = this.asked;
    this.send({ ask, action, input });
    return this.line((line) => line.ask === ask);
  }

  /** What it said at last, for failures. */
  account(): string {
    const { exitCode, signalCode } = this.process;
    const said = this.lines.slice(-5).map((line) => JSON.stringify(line));
    return `exit ${exitCode ?? signalCode}; ${said.join(' ')} ${this.stderr.slice(-1_000)}`;
  }
}

export class RedisChild {
  readonly socket: string;
  private server: ChildProcess | undefined;

  constructor(private readonly dir: string) {
    this.socket = join(dir, 'redis.sock');
  }

  get pid(): number {
    return this.server!.pid!;
  }

  /** Starts it, or starts it again from its append-only file. */
  async start(): Promise<void> {
    await rm(this.socket, { force: true });
    this.server = spawn(
      'redis-server',
      ['--port', '0', '--unixsocket', this.socket, '--dir', this.dir, '--save', '']
        .concat(['--appendonly', 'yes', '--appendfsync', 'everysec'])
        .concat(['--maxmemory-policy', 'noeviction']),
      { stdio: 'ignore' },
    );
    await this.use(async () => undefined);
  }

  async kill(): Promise<void> {
    const { server } = this;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  }

  signal(signal: NodeJS.Signals): void {
    this.server!.kill(signal);
  }

  /** Bytes that are in the append-only file by now. */
  async written(): Promise<number> {
    return (await stat(await this.appendOnlyFile())).size;
  }

  /** What a power cut does that comes before the last writes reached the disk. */
  async loseAfter(bytes: number): Promise<void> {
    await truncate(await this.appendOnlyFile(), bytes);
  }

  /** A connection of the test's own, for as long as `work` runs. */
  async use<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis({
      path: this.socket,
      maxRetriesPerRequest: null,
      protocol: 2,
      replyMapping: 'legacy',
      retryStrategy: () => 20,
    });
    client.on('error', () => undefined);
    try {
      await client.ping();
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  private async appendOnlyFile(): Promise<string> {
    const folder = join(this.dir, 'appendonlydir');
    const files = await readdir(folder);
    return join(
      folder,
      files.find((name) => name.endsWith('.incr.aof'))!,
    );
  }
}

export interface Settings {
  /** The log's folder; the test's own unless given. */
  readonly dataDir?: string;
  readonly agents?: {
    readonly concurrency?: number;
    readonly capabilities?: readonly string[];
    /** Capabilities whose tasks are commands. */
    readonly shells?: readonly string[];
  };
  readonly timing?: { readonly lockDuration: number; readonly stalledInterval: number };
  readonly crash?: CrashPlan;
  /** The folder of projects, of an agent that registers them otherwise than the supervisor does. */
  readonly projectsDir?: string;
  /** Variables besides `PATH`. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Scene {
  readonly dir: string;
  readonly dataDir: string;
  readonly redis: RedisChild;
  /** Starts one and waits until it is ready or has refused. */
  readonly supervisor: (settings?: Settings) => Promise<Child>;
  readonly agent: (settings?: Settings) => Promise<Child>;
  /** Starts a process without waiting for anything. */
  readonly launch: (kind: 'supervisor' | 'agent', settings?: Settings) => Child;
  readonly traces: () => Trace[];
}

export const PREFIX = 'crash';

/** To be called once in a test file; the function it returns sets one test's scene. */
export function stage(): (options?: { redis?: boolean }) => Promise<Scene> {
  const undo: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of undo.splice(0).toReversed()) await step();
  });
  return async ({ redis: withRedis = true } = {}) => {
    const dir = mkdtempSync(join(tmpdir(), 'drover-crash-'));
    // What a killed process had started may still be writing there.
    undo.push(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }));
    const redis = new RedisChild(dir);
    undo.push(() => redis.kill());
    if (withRedis) await redis.start();
    const dataDir = join(dir, 'data');
    const trace = join(dir, 'trace.jsonl');
    const launch: Scene['launch'] = (kind, settings = {}) => {
      const { crash, agents, timing, env, ...rest } = settings;
      const options = {
        redis: { path: redis.socket },
        prefix: PREFIX,
        dataDir: kind === 'supervisor' ? dataDir : join(dir, 'agents'),
        projectsDir: join(dir, 'projects'),
        ...(timing && { timing }),
        ...((agents || kind === 'agent') && { agents: { trace, ...agents } }),
        ...rest,
      };
      const child = new Child(
        spawn(
          process.execPath,
          ['--import', fixture('crash-at.mjs'), fixture(`${kind}.mjs`), JSON.stringify(options)],
          {
            stdio: 'pipe',
            cwd: dir,
            env: {
              PATH: process.env['PATH'],
              ...env,
              ...(crash && { CRASH_AT: JSON.stringify(crash) }),
            },
          },
        ),
      );
      undo.push(() => child.kill());
      return child;
    };
    const begin = async (kind: 'supervisor' | 'agent', settings?: Settings): Promise<Child> => {
      const child = launch(kind, settings);
      await child.line(({ ready, refused }) => ready !== undefined || refused !== undefined);
      return child;
    };
    return {
      dir,
      dataDir,
      redis,
      launch,
      supervisor: (settings) => begin('supervisor', settings),
      agent: (settings) => begin('agent', settings),
      traces() {
        try {
          const text = readFileSync(trace, 'utf8');
          return text
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line) as Trace);
        } catch {
          return [];
        }
      },
    };
  };
}

/** Waits until it holds; the test's own timeout is the limit. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await delay(10);
}

/** What the scene's log says at this moment. */
export function reading<T>({ dataDir }: Scene, read: (log: Log) => T): T {
  const log = Log.read(dataDir);
  try {
    return read(log);
  } finally {
    log.close();
  }
}
