/**
 * Submits job trees. Adding one whose ids Redis already holds changes nothing, so a submission may be
 * repeated (invariant 2).
 */
import { FlowProducer, type FlowJob } from 'bullmq';
import type { Redis } from 'ioredis';
import { metaKey } from './keys.js';

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
  readonly parent?: { readonly queue: string; readonly id: string };
  /** True where it, and so a job that waits for it, may begin as soon as it is there: no other of its plan comes first. */
  readonly isFirst?: boolean;
}

export interface JobOptions {
  /** 1 is taken first. */
  readonly priority: number;
  readonly attempts?: number;
  readonly backoff?: { type: 'fixed' | 'exponential'; delay: number; jitter: number };
  /** Milliseconds until it leaves the delayed set by itself. */
  readonly delay?: number;
  /** Its parent goes on when it fails. */
  readonly ignoreDependencyOnFailure?: boolean;
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
  await pipeline.exec();
}

/** Jobs added at a time where others are to have their turn in between; Redis takes some 40 ms for them. */
const PART = 500;

/** What BullMQ makes of a job before it is sent. */
type Entry = Parameters<ReturnType<FlowProducer['getBackend']>['addFlow']>[0][number];

export class Flows {
  private readonly producer: FlowProducer;

  constructor(
    client: Redis,
    private readonly prefix: string,
  ) {
    this.producer = new FlowProducer({ connection: client, prefix });
    this.producer.on('error', () => undefined);
    Object.assign(this.producer, {
      // It looks for deduplication, which is never asked for here, by a recursion that a chain of 9,000 tasks
      // overflows.
      validateFlowJobs: () => undefined,
      queueFromNode: rememberQueues(this.producer),
    });
    const backend = this.producer.getBackend();
    const addFlow = backend.addFlow.bind(backend);
    backend.addFlow = (entries) => addFlow(entries.map(withNewChildren));
  }

  /** Adds the trees in one transaction: all of their jobs are there afterwards, or none. */
  async submit(trees: readonly JobTree[]): Promise<void> {
    await this.producer.addBulk(trees.map((tree) => this.flowOf(tree)));
  }

  /**
   * The same for a whole plan in many transactions: one of 25,000 jobs would keep Redis from everybody else for
   * seconds. Nothing of it begins before the last one, because the jobs that may begin are all in that. Where
   * that is missing, the rest has to be submitted again as a whole.
   */
  async submitInParts(trees: readonly JobTree[]): Promise<void> {
    const first = keysOfFirst(trees);
    const backend = this.producer.getBackend();
    const addFlow = backend.addFlow.bind(backend);
    backend.addFlow = async (entries) => {
      const isFirst = ({ queueName, jobId }: Entry): boolean => first.has(`${queueName}:${jobId}`);
      const others = entries.filter((entry) => !isFirst(entry));
      // Dependents stand before their needs, so every job finds its parent.
      for (let start = 0; start < others.length; start += PART) {
        await addFlow(others.slice(start, start + PART));
      }
      return addFlow(entries.filter(isFirst));
    };
    try {
      await this.submit(trees);
    } finally {
      backend.addFlow = addFlow;
    }
  }

  async close(): Promise<void> {
    await this.producer.close();
  }

  /** Iterative, because a chain of 5,000 tasks is a tree 5,000 deep. */
  private flowOf(root: JobTree): FlowJob {
    const top = this.nodeOf(root);
    const open: [JobTree, FlowJob][] = [[root, top]];
    for (let next = open.pop(); next; next = open.pop()) {
      const [tree, flow] = next;
      if (tree.children.length === 0) continue;
      flow.children = tree.children.map((child) => {
        const node = this.nodeOf(child);
        open.push([child, node]);
        return node;
      });
    }
    return top;
  }

  private nodeOf({ queue, id, name, data, options, parent }: JobTree): FlowJob {
    return {
      queueName: queue,
      name,
      data,
      prefix: this.prefix,
      opts: {
        ...options,
        jobId: id,
        // Jobs stay until their goal is finished and its retention has passed; the supervisor removes them.
        removeOnComplete: false,
        removeOnFail: false,
        ...(parent && { parent: { id: parent.id, queue: `${this.prefix}:${parent.queue}` } }),
      },
    };
  }
}

/** BullMQ makes an object of all of a queue's keys for each job that it adds; one for each queue does as well. */
function rememberQueues(producer: FlowProducer): (node: FlowJob, prefix: string) => unknown {
  const { queueFromNode } = producer as unknown as {
    queueFromNode: (node: FlowJob, prefix: string) => unknown;
  };
  const known = new Map<string, unknown>();
  return (node, prefix) => {
    const queue = known.get(node.queueName) ?? queueFromNode.call(producer, node, prefix);
    known.set(node.queueName, queue);
    return queue;
  };
}

/**
 * Keeps BullMQ from looking, with a call for each parent that a flow names, whether all of its children were done
 * before. Here none was: what Redis holds already is not submitted.
 */
function withNewChildren({ parentKeyOpts, ...entry }: Entry): Entry {
  const { parentKey: _parentKey, ...options } = parentKeyOpts ?? {};
  return { ...entry, parentKeyOpts: options };
}

/** Jobs that may begin at once, with what hangs on them. */
function keysOfFirst(trees: readonly JobTree[]): Set<string> {
  const keys = new Set<string>();
  const open = trees.map((tree) => ({ tree, isFirst: tree.isFirst === true }));
  for (let next = open.pop(); next; next = open.pop()) {
    const { tree, isFirst } = next;
    if (isFirst) keys.add(`${tree.queue}:${tree.id}`);
    for (const child of tree.children) {
      open.push({ tree: child, isFirst: isFirst || child.isFirst === true });
    }
  }
  return keys;
}
