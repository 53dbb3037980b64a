/** One recording thread, from its start to its end: how it is asked, and why it ended. */
import { Worker } from 'node:worker_threads';
import { type BirpcReturn, createBirpc } from 'birpc';
import { unwrap } from '../../core/answer.js';
import { asError, DroverError } from '../../core/errors.js';
import type { RecordingCalls, RecordingData, RecordingListener } from './recording-thread.js';

/** Source files are run by the tests only, which have built the project: a thread cannot load TypeScript. */
const THREAD = new URL(
  import.meta.url.endsWith('.ts')
    ? '../../../dist/engine/recording/recording-thread.js'
    : './recording-thread.js',
  import.meta.url,
);

/**
 * Recording makes much that is soon forgotten. V8's default of 48 MB has it look twice as often for what is not yet,
 * which costs more the less of it there is to find.
 */
const YOUNG = { maxYoungGenerationSizeMb: 96 };

export class LiveThread {
  readonly calls: BirpcReturn<RecordingCalls, RecordingListener>;
  /** What those are told who wait for an answer when it ends by itself. */
  failure: DroverError | undefined;
  /** Resolves with the reason when it has ended by itself. */
  readonly failed: Promise<string>;
  private readonly worker: Worker;
  private closing = false;

  private constructor(
    workerData: RecordingData,
    listener: RecordingListener,
    onError: (error: Error) => void,
  ) {
    const worker = new Worker(THREAD, { workerData, resourceLimits: YOUNG });
    this.worker = worker;
    this.calls = createBirpc<RecordingCalls, RecordingListener>(listener, {
      post: (message) => worker.postMessage(message),
      on: (receive) => worker.on('message', receive),
      timeout: -1,
    });
    let cause: Error | undefined;
    worker.on('error', (error) => {
      cause = asError(error);
      onError(cause);
    });
    this.failed = new Promise((resolve) => {
      worker.on('exit', (code) => {
        if (this.closing) return;
        const reason = cause?.message ?? `exit code ${code}`;
        this.failure = new DroverError(
          'log-unwritable',
          `The recording thread ended (${reason}) before it answered.`,
          'See with `drover status` or `drover goals` whether this was recorded before you ask again.',
          { cause },
        );
        // Who waits for it would wait for ever.
        this.calls.$close(this.failure);
        resolve(reason);
      });
    });
  }

  /** @throws DroverError as opening the log or Redis throws it */
  static async start(
    data: RecordingData,
    listener: RecordingListener,
    onError: (error: Error) => void,
  ): Promise<LiveThread> {
    const thread = new LiveThread(data, listener, onError);
    try {
      unwrap(await thread.calls.open());
      return thread;
    } catch (error) {
      await thread.terminate();
      throw error;
    }
  }

  /** Ends after the batch in hand, with STATE.yaml written. */
  async close(): Promise<void> {
    await this.calls.close();
    await this.terminate();
  }

  async terminate(): Promise<void> {
    this.closing = true;
    this.calls.$close();
    await this.worker.terminate();
  }
}
