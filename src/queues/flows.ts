/**
 * Submits job trees. Adding one whose ids Redis already holds changes nothing, so a submission may be
 * repeated (invariant 2).
 *
 * One script adds the jobs of a submission, each as BullMQ's own script does. BullMQ's FlowProducer leaves the same in
 * Redis (test/queues/flows.test.ts), but makes an object, a promise and a command of each job, which takes twice as
 * long (docs/benchmarks.md). Its recursion is overflowed by a chain of 9,000.
 */
import type { Redis } from 'ioredis';
import { answersOf } from './answers.js';
import { ADD } from './bullmq-script.js';
import { chunks } from './chunks.js';
import type { JobOptions } from './job-options.js';
import type { JobRef } from './jobs.js';
import { metaKey } from './keys.js';
import { defineScript, scriptOn } from './script.js';

/** A job with the jobs it waits for; what the compiler makes of a plan. */
export interface JobTree {
  readonly queue: string;
  readonly id: string;
  /** What Bull Board shows as the job's name. */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly options: JobOptions;
  readonly children: JobTree[];
  /** A job that is in Redis already and is to wait for this one; for roots only. */
  readonly parent?: JobRef;
  /** True where it, and so a job that waits for it, may begin as soon as it is there: no other of its plan comes first. */
  readonly isFirst?: boolean;
}

/**
 * Streams are never cut by BullMQ: the recorder trims what is recorded. BullMQ's own limit of 10,000 entries
 * would lose events while the recorder is down.
 */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

/** Tells BullMQ not to cut these queues' event streams. To be called before a queue's first use. */
export async function keepStreams(
  client: Redis,
  prefix: string,
  queues: Iterable<string>,
): Promise<void> {
  const pipeline = client.pipeline();
  for (const queue of queues) pipeline.hset(metaKey(prefix, queue), 'opts.maxLenEvents', UNLIMITED);
  await answersOf(pipeline);
}

/** Jobs added at a time where others are to have their turn in between; Redis takes some 40 ms for them. */
const PART = 500;

/**
 * Jobs that one script adds at most, in half a second. Where a script runs for more than five seconds, Redis refuses
 * whatever others ask meanwhile; behind a transaction of several they wait.
 */
const LONGEST = 10_000;

/** ARGV prefix, time, then triples: what a job is as JSON, its name, its data. */
const ADD_JOBS = `${ADD}
local prefix, time = ARGV[1], tonumber(ARGV[2])
local adding = {parent = addParent, delayed = addDelayed, prioritized = addPrioritized}
for i = 3, #ARGV, 3 do
  local job = cjson.decode(ARGV[i])
  local options = job.options
  -- 10 is that no parent is looked at here, whether all of its children are done: there are none such.
  local args = {prefix .. ':' .. job.queue .. ':', job.id, ARGV[i + 1], time, [10] = 1}
  if job.parent then
    local queue = prefix .. ':' .. job.parent.queue
    args[5] = queue .. ':' .. job.parent.id
    args[6] = args[5] .. ':dependencies'
    args[7] = {id = job.parent.id, queueKey = queue, idof = options.idof}
    options.parent = {id = job.parent.id, queue = queue}
  end
  adding[job.kind](args[1], args, ARGV[i + 2], options)
end
`;

/** A job on its way. */
interface Entry {
  readonly tree: JobTree;
  readonly parent: JobRef | undefined;
  /** True where it may begin at once, or hangs on what may. */
  readonly isFirst: boolean;
}

export class Flows {
  private readonly addJobs;

  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
  ) {
    this.addJobs = defineScript(client, 'droverAddJobs', 0, ADD_JOBS);
  }

  /**
   * Adds the trees without a pause: all of their jobs are there afterwards, or none.
   * @throws Error of Redis: where it refuses, nothing is there; where a key is of another type, what came before that is
   */
  async submit(trees: readonly JobTree[]): Promise<void> {
    await this.addTogether(entriesOf(trees));
  }

  /**
   * The same for a whole plan in many scripts: one of 25,000 jobs would keep Redis from everybody else for
   * seconds. Nothing of it begins before the last one, because the jobs that may begin are all in that. Where
   * that is missing, the rest has to be submitted again as a whole.
   */
  async submitInParts(trees: readonly JobTree[]): Promise<void> {
    const entries = entriesOf(trees);
    const others = entries.filter(({ isFirst }) => !isFirst);
    for (const part of chunks(others, PART)) await this.add(part);
    await this.addTogether(entries.filter(({ isFirst }) => isFirst));
  }

  private async addTogether(entries: readonly Entry[]): Promise<void> {
    if (entries.length <= LONGEST) return this.add(entries);
    const transaction = this.client.multi();
    const addJobs = scriptOn(transaction, 'droverAddJobs');
    for (const part of chunks(entries, LONGEST)) void addJobs(...this.argumentsOf(part));
    await answersOf(transaction);
  }

  private async add(entries: readonly Entry[]): Promise<void> {
    await this.addJobs(...this.argumentsOf(entries));
  }

  private argumentsOf(entries: readonly Entry[]): [string, number, string[]] {
    const jobs = entries.flatMap(({ tree, parent }) => {
      const { queue, id, name, data } = tree;
      const job = { kind: kindOf(tree), queue, id, parent, options: optionsOf(tree) };
      return [JSON.stringify(job), name, JSON.stringify(data)];
    });
    // As a list: there are more of them than a call may have arguments.
    return [this.prefix, Date.now(), jobs];
  }
}

/** Dependents stand before their needs, so every job finds its parent. Iterative, because a chain of 5,000 is as deep. */
function entriesOf(trees: readonly JobTree[]): Entry[] {
  const entries = trees.map((tree): Entry => ({
    tree,
    parent: tree.parent,
    isFirst: tree.isFirst === true,
  }));
  // It grows while it is walked.
  for (const { tree, isFirst } of entries) {
    const parent = { queue: tree.queue, id: tree.id };
    for (const child of tree.children) {
      entries.push({ tree: child, parent, isFirst: isFirst || child.isFirst === true });
    }
  }
  return entries;
}

function kindOf({ children, options }: JobTree): 'parent' | 'delayed' | 'prioritized' {
  if (children.length > 0) return 'parent';
  return options.delay ? 'delayed' : 'prioritized';
}

/** As BullMQ stores them with a job. */
function optionsOf({ id, options }: JobTree): Readonly<Record<string, unknown>> {
  const { ignoreDependencyOnFailure, ...rest } = options;
  return {
    attempts: 0,
    ...rest,
    idof: ignoreDependencyOnFailure,
    jobId: id,
    // Jobs stay until their goal is finished and its retention has passed; the supervisor removes them.
    removeOnComplete: false,
    removeOnFail: false,
  };
}
