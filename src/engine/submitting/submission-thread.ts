/** Submits one goal: reads it from the log, compiles it and hands it to Redis, then ends. */
import { workerData } from 'node:worker_threads';
import { compile } from '../../compile/compile.js';
import { isFinal } from '../../core/task-state.js';
import { Log } from '../../log/log.js';
import { GoalReader } from '../../projections/goal-reader.js';
import { connect } from '../../queues/connection.js';
import type { portableSource } from '../../queues/redis-source.js';
import { Flows } from '../../queues/flows.js';

export interface SubmissionData {
  readonly goal: string;
  readonly missing: ReadonlySet<string>;
  readonly priorities: ReadonlyMap<string, number>;
  readonly withRoot: boolean;
  readonly dataDir: string;
  readonly prefix: string;
  readonly redis: ReturnType<typeof portableSource>;
}

const { goal, missing, priorities, withRoot, dataDir, prefix, redis } =
  workerData as SubmissionData;

const connection = await connect(redis);
using log = Log.read(dataDir);
const flows = new Flows(connection.client, prefix);
try {
  // The goal may have gone on since it was found to lack jobs: what is newer is as good, or better.
  const view = new GoalReader(log.db).goal(goal)!;
  const trees = compile(view, missing, priorities, withRoot);
  // What is added to jobs that are there could let those begin in between.
  const isWhole =
    withRoot && [...view.tasks].every(([id, { state }]) => missing.has(id) || isFinal(state));
  await (isWhole ? flows.submitInParts(trees) : flows.submit(trees));
} finally {
  await connection.close();
}
