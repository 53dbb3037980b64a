/**
 * Reads objects through one `git cat-file` that goes on running, in place of a process for each.
 *
 * Kept here: answers come in the order of the questions, so each goes to whoever asked. The process keeps nobody
 * from ending: it is not waited for while nothing is asked, ends when nothing was asked for a while, and ends by
 * itself with its standard input, also where ours is killed.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Socket } from 'node:net';
import { DroverError } from '../core/errors.js';
import type { Git } from './git.js';

export interface GitObject {
  readonly type: string;
  readonly content: Buffer;
}

/** Milliseconds without a question after which the process ends. */
const IDLE = 2_000;
/** Milliseconds without a word of an answer after which it is taken for stuck. */
const PATIENCE = 60_000;

interface Question {
  readonly id: string;
  readonly resolve: (object: GitObject | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class ObjectReader {
  private running: Running | undefined;

  constructor(private readonly objects: Git) {}

  /** Undefined where there is no such object. @param id the whole of it, in hexadecimal digits */
  async read(id: string): Promise<GitObject | undefined> {
    if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(id)) throw new Error(`not an object's id: ${id}`);
    const reused = this.running?.isOpen === true;
    const found = await this.ask(id);
    if (found || !reused) return found;
    // A process that has run for a while does not look for object stores that were linked since.
    this.running?.end();
    return this.ask(id);
  }

  private ask(id: string): Promise<GitObject | undefined> {
    if (this.running?.isOpen !== true) this.running = new Running(this.objects);
    return this.running.ask(id);
  }
}

class Running {
  isOpen = true;
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly questions: Question[] = [];
  private chunks: Buffer[] = [];
  private received = 0;
  /** Bytes to wait for before the next look at what came. */
  private wanted = 1;
  private said = '';
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly objects: Git) {
    this.child = objects.start(['cat-file', '--batch']);
    this.child.stdout.on('data', (chunk: Buffer) => this.take(chunk));
    this.child.stderr.on('data', (chunk: Buffer) => {
      this.said = `${this.said}${chunk.toString()}`.slice(-1_000);
    });
    // Whatever breaks, the process is over, and says so by `close`.
    this.child.stdin.on('error', () => this.end());
    this.child.on('error', (error) => this.fail(error));
    this.child.on('close', () => this.fail(new Error(this.said.trim() || 'git cat-file ended')));
  }

  ask(id: string): Promise<GitObject | undefined> {
    return new Promise((resolve, reject) => {
      this.questions.push({ id, resolve, reject });
      if (this.questions.length === 1) this.hold(true);
      this.child.stdin.write(`${id}\n`);
    });
  }

  /** Answers what was asked, and takes no more questions. */
  end(): void {
    this.isOpen = false;
    clearTimeout(this.timer);
    this.child.stdin.end();
  }

  private take(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.received += chunk.length;
    this.timer?.refresh();
    while (this.received >= this.wanted && this.answerOne());
  }

  /** Whether there was a whole answer. */
  private answerOne(): boolean {
    const all = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
    this.chunks = [all];
    const end = all.indexOf('\n');
    if (end === -1) {
      this.wanted = this.received + 1;
      return false;
    }
    const [, type, size] = all.subarray(0, end).toString('latin1').split(' ');
    const from = end + 1;
    const to = size === undefined ? end : from + Number(size);
    if (all.length < to + 1) {
      this.wanted = to + 1;
      return false;
    }
    const object =
      size === undefined ? undefined : { type: type!, content: all.subarray(from, to) };
    const rest = all.subarray(to + 1);
    this.chunks = rest.length > 0 ? [rest] : [];
    this.received = rest.length;
    this.wanted = 1;
    this.questions.shift()?.resolve(object && { ...object, content: Buffer.from(object.content) });
    if (this.questions.length === 0) this.hold(false);
    return true;
  }

  /** Whether this process has to wait for an answer. */
  private hold(isAsked: boolean): void {
    clearTimeout(this.timer);
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) {
      const pipe = stream as Partial<Pick<Socket, 'ref' | 'unref'>>;
      if (isAsked) pipe.ref?.();
      else pipe.unref?.();
    }
    if (isAsked) {
      this.child.ref();
      this.timer = setTimeout(() => this.stuck(), PATIENCE);
    } else {
      this.child.unref();
      if (this.isOpen) this.timer = setTimeout(() => this.end(), IDLE).unref();
    }
  }

  private stuck(): void {
    const error = new DroverError(
      'timeout',
      `git in ${this.objects.dir} did not answer for ${PATIENCE / 1_000} s and was ended.`,
      'See whether the disk answers and no other program holds the repository.',
    );
    this.fail(error);
    this.child.kill('SIGKILL');
  }

  private fail(error: Error): void {
    this.isOpen = false;
    clearTimeout(this.timer);
    for (const { reject } of this.questions.splice(0)) reject(this.objects.explain(error));
  }
}
