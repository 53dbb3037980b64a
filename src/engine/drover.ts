/**
 * The composition root: wires the parts, starts them in an order in which nothing is lost, and stops them in
 * the reverse one.
 */
import { setMaxListeners } from 'node:events';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { GrowthRequest } from '../agents/context.js';
import { resultsIn } from '../agents/results.js';
import type { Handler } from '../agents/loop.js';
import { endOrphans } from '../agents/orphans.js';
import { readConfig } from '../config.js';
import { unwrap } from '../core/answer.js';
import { messageOf } from '../core/errors.js';

import type { Json } from '../core/plan.js';
import { makeDataDir } from '../log/data-dir.js';
import { acquireWriterLock } from '../log/writer-lock.js';
import { followAway, saysAway } from '../queues/away.js';
import { CommandSender } from '../queues/commands.js';
import { connect, type Connection, unlessAway } from '../queues/connection.js';
import type { RedisSource } from '../queues/redis-source.js';
import { checkRedis } from '../queues/redis-check.js';
import { redisSocketOf } from '../queues/redis-process.js';
import { startRedisServer } from '../queues/redis-server.js';
import { noteTrouble, type Trouble } from '../queues/troubles.js';
import { timingOf, type WorkerTiming } from '../queues/timing.js';
import { AgentHost, type AgentOptions } from './agent-host.js';
import { type Ask, type Control, controlBy } from './control.js';
import type { DecisionOn } from './decisions/decide.js';
import { noGoal } from './decisions/rule.js';
import { closedError } from './closed.js';
import { GoalHandle, type GoalSources } from './goal-handle.js';
import { Recording, type Records } from './recording/recording.js';
import type { Enqueued, GoalRequest } from './decisions/enqueue.js';
import { DEFAULT_RETENTION, type RetentionPolicy } from './retention.js';
import { Supervisor } from './supervisor.js';
import { Projects } from './workspaces/projects.js';
import { Workspaces } from './workspaces/workspaces.js';

export interface DroverOptions {
  /**
   * URL, ioredis options or an instance (it is copied and never closed; no cluster, no `keyPrefix`). Default: `REDIS_URL`, else a Redis of
   * Drover's own below the data directory.
   */
  readonly redis?: RedisSource;
  /** First part of all keys in Redis; default `drover`. */
  readonly prefix?: string;
  /** Folder of the log; default `DROVER_DATA`, else `.drover`. */
  readonly dataDir?: string;
  /**
   * Folder of the projects; default `DROVER_PROJECTS`, else `projects`. Null: no STATE.yaml and no task pages,
   * and commands have no folder to run in.
   */
  readonly projectsDir?: string | null;
  /** How soon the work of a process that was killed is taken up; within 10 s unless given. */
  readonly timing?: Partial<WorkerTiming>;
  /** How long the jobs of ended goals stay in Redis, where Bull Board shows them: an hour by default. The log keeps them. */
  readonly retention?: Partial<RetentionPolicy>;
  /**
   * Something stands still for this reason; null when it goes on. `about` says what: everything that needs Redis, recording, or
   * the projects' files. Default: a line on standard error.
   */
  readonly onTrouble?: (reason: string | null, about: 'redis' | Trouble['about']) => void;
  /** Errors that nobody awaits; not those of a Redis that is away. Default: a line on standard error. */
  readonly onError?: (error: Error) => void;
}

/** Options with their defaults, resolved once. */
interface Settings {
  readonly redis: RedisSource | undefined;
  readonly prefix: string;
  readonly dataDir: string;
  readonly projectsDir: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timing: WorkerTiming;
  readonly retention: RetentionPolicy;
  readonly onTrouble: Required<DroverOptions>['onTrouble'];
  readonly onError: (error: Error) => void;
}

/** What a process with a supervisor and one without have in common. */
interface Common extends Control {
  /**
   * Offers a capability in this process: a function, or `'shell'` for tasks that are commands. Resolves once tasks are taken.
   * @throws DroverError `bad-input`; `conflict` once closed
   */
  agent(capability: string, handler: Handler | 'shell', options?: AgentOptions): Promise<void>;
  /** Takes nothing new and waits for what runs; with `force` what runs is aborted and left to the next start. */
  close(options?: { readonly force?: boolean }): Promise<void>;
}

/** A supervisor with its log, and agents of the same process. */
export interface Drover extends Common {
  /**
   * Records a goal with its plan, 64 MiB of JSON at most, and submits it.
   * @throws DroverError `bad-input` or `bad-plan` with everything that is wrong; `too-large`; `log-unwritable`; `conflict`
   *   once closed
   */
  enqueue(goal: GoalRequest): Promise<GoalHandle & Pick<Enqueued, 'created' | 'waitingFor'>>;
  /** @throws DroverError `not-found` */
  goal(id: string): GoalHandle;
  /** Names of all queues, the engine's first. */
  queues(): string[];
  /** First part of all its keys in Redis, for BullMQ's own queues and workers beside it. */
  readonly prefix: string;
  /** @internal What is recorded, to read. */
  readonly ledger: Records;
  /** @internal */
  readonly connection: Connection;
}

/** Agents, or a program that gives commands, beside a supervisor in another process. */
export interface DroverClient extends Common {
  /**
   * Hands a goal with its plan, 64 MiB of JSON at most, to the supervisor and waits for its answer. There is no handle of it
   * here, because the log may be on another machine: `drover status GOAL --json` reports it there.
   * @param options.timeout milliseconds to wait for the answer; default 10,000
   * @throws DroverError as the supervisor's own `enqueue` does; `no-supervisor` where nobody answers in time (what was
   *   asked stays in its queue)
   */
  enqueue(goal: GoalRequest, options?: { readonly timeout?: number }): Promise<Enqueued>;
  /** @internal */
  readonly connection: Connection;
}

/**
 * Starts a supervisor on the data directory, with a Redis of its own where none is given.
 * @throws DroverError `log-locked`, `log-newer`, `log-unwritable`, `redis-unreachable`, `redis-unsuitable`, `bad-input`
 */
export async function createDrover(options: DroverOptions = {}): Promise<Drover> {
  const settings = resolveSettings(options);
  const undo: (() => Promise<void> | void)[] = [];
  const unwind = async (): Promise<void> => {
    const errors: unknown[] = [];
    for (const step of undo.toReversed()) {
      // One that fails must not keep the others from stopping what they started.
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  };
  try {
    const lock = acquireWriterLock(settings.dataDir);
    undo.push(() => lock.release());
    await endOrphans(settings.dataDir);
    const source = settings.redis ?? (await ownRedis(settings, undo));
    const connection = await connect(source);
    undo.push(() => connection.close());
    const { warnings } = await checkRedis(connection.client);
    for (const warning of settings.redis === undefined ? [] : warnings)
      settings.onError(new Error(warning));
    const { prefix, dataDir, projectsDir, environment, retention, timing, onTrouble, onError } =
      settings;
    const recording = await Recording.open({
      dataDir,
      projectsDir,
      prefix,
      redis: source,
      environment: { PATH: environment['PATH'], HOME: environment['HOME'] },
      onTrouble: (about, reason) => {
        onTrouble(reason, about);
        noteTrouble(connection.client, prefix, about, reason).catch(onError);
      },
      onError,
    });
    undo.push(() => recording.close());
    const projects = new Projects({ projectsDir, dataDir, environment });
    const supervisor = new Supervisor({
      connection,
      redis: source,
      prefix,
      dataDir,
      recording,
      projects,
      shell: { environment, dataDir },
      retention,
      timing,
      onTrouble: (reason) => onTrouble(reason, 'redis'),
      onError,
    });
    let force = false;
    undo.push(() => supervisor.close(force));
    await supervisor.start();
    // As a command, so that a handler that runs again after a crash gets the first answer.
    const host = startHost(settings, connection, projects, async (request) =>
      unwrap(await supervisor.carryOut(growthId(request), 'grow', request, request.task)),
    );
    undo.push(() => host.close(force));
    const closed = new AbortController();
    // Every handle that is waited for listens.
    setMaxListeners(0, closed.signal);
    const sources: GoalSources = {
      ledger: recording,
      survey: (capabilities) => supervisor.survey(capabilities),
      results: resultsIn(dataDir),
      closed: closed.signal,
    };
    let closing: Promise<void> | undefined;
    const by = userInfo().username;
    return {
      ...controlBy((name, input) => supervisor.request(name, input, by)),
      ledger: recording,
      connection,
      prefix,
      agent: (capability, handler, agentOptions) => host.start(capability, handler, agentOptions),
      async enqueue(goal) {
        const { goal: id, created, waitingFor } = await supervisor.enqueue(goal, by);
        return Object.assign(new GoalHandle(id, sources), { created, waitingFor });
      },
      goal(id) {
        if (!recording.board.goal(id)) throw noGoal(id);
        return new GoalHandle(id, sources);
      },
      queues: () => supervisor.queues(),
      async close({ force: now = false } = {}) {
        force ||= now;
        closed.abort();
        closing ??= unwind();
        // Told to hurry while it drains: what it waits for is aborted.
        if (now) await host.close(true);
        await closing;
      },
    };
  } catch (error) {
    await unwind();
    throw error;
  }
}

/**
 * Joins a running Drover: by Redis alone, from any machine that reaches it.
 * @throws DroverError `redis-unreachable`, `redis-unsuitable`, `bad-input`
 */
export async function connectDrover(options: DroverOptions = {}): Promise<DroverClient> {
  const settings = resolveSettings(options);
  await endOrphans(settings.dataDir);
  const connection = await connect(settings.redis ?? { path: redisSocketOf(settings.dataDir) });
  await checkRedis(connection.client);
  const unfollow = followAway(connection.client, {
    gone: (reason) => settings.onTrouble(reason, 'redis'),
    back: () => settings.onTrouble(null, 'redis'),
  });
  const sender = new CommandSender(connection.client, settings.prefix, userInfo().username);
  let isClosed = false;
  const send: typeof sender.send = async (...request) => {
    if (isClosed) throw closedError();
    return await sender.send(...request);
  };
  // What the supervisor answers was decided by the rule of this name.
  const ask: Ask = async (name, input) =>
    (await send(name, input)) as unknown as DecisionOn<typeof name>;
  const { projectsDir, dataDir, environment } = settings;
  const projects = new Projects({ projectsDir, dataDir, environment });
  const host = startHost(settings, connection, projects, (request) =>
    sender.send('grow', request, { id: growthId(request), timeout: 60_000 }),
  );
  return {
    ...controlBy(ask),
    connection,
    async agent(capability, handler, agentOptions) {
      // What runs is noted there; a task must not be the first to find out that it cannot be.
      makeDataDir(dataDir);
      await host.start(capability, handler, agentOptions);
    },
    async enqueue(goal, sending = {}) {
      return (await send('enqueue', goal, sending)) as unknown as Enqueued;
    },
    async close({ force = false } = {}) {
      isClosed = true;
      await host.close(force);
      await unlessAway(connection.client, sender.close());
      unfollow();
      await connection.close();
    },
  };
}

/** What is said by default when something goes on that stood still. */
const GOES_ON = {
  redis: 'Redis answers again; everything goes on',
  log: 'the log can be written again; recording goes on',
  files: 'the files of projects are written again',
} as const;

function resolveSettings(options: DroverOptions): Settings {
  const config = readConfig();
  const report = (text: string): void => void process.stderr.write(`drover: ${text}\n`);
  const { onError = (error: Error) => report(messageOf(error)) } = options;
  const { projectsDir = config.projectsDir } = options;
  return {
    redis: options.redis ?? config.redisUrl,
    prefix: options.prefix ?? config.prefix,
    // Commands and git run in folders of their own, where a relative path would mean another place.
    dataDir: resolve(options.dataDir ?? config.dataDir),
    projectsDir: projectsDir === null ? null : resolve(projectsDir),
    environment: config.environment,
    timing: timingOf(options.timing),
    retention: { ...DEFAULT_RETENTION, ...options.retention },
    onTrouble: options.onTrouble ?? ((reason, about) => report(reason ?? GOES_ON[about])),
    onError: (error) => {
      if (!saysAway(error)) onError(error);
    },
  };
}

async function ownRedis(
  settings: Settings,
  undo: (() => Promise<void> | void)[],
): Promise<RedisSource> {
  const server = await startRedisServer({ dir: settings.dataDir });
  undo.push(() => server.stop());
  return server.connection;
}

function startHost(
  settings: Settings,
  connection: Connection,
  projects: Projects,
  grow: (request: GrowthRequest) => Promise<Json>,
): AgentHost {
  const { prefix, timing, environment, dataDir, onError } = settings;
  const shell = { environment, dataDir };
  return new AgentHost({
    connection,
    prefix,
    timing,
    results: resultsIn(dataDir),
    shell,
    workspaces: new Workspaces({ client: connection.client, prefix, projects, shell }),
    grow,
    onError,
  });
}

/** A claim's own: a refusal that one claim got is not the next one's answer. */
const growthId = ({ task, call, claim }: GrowthRequest): string => `${task}.add.${call}.${claim}`;
