/**
 * Waits out what is in the way of a task's files and is nobody's fault, such as a full disk or a repository that is
 * locked: the claim stays as it is, what was done is not done again, and no attempt is used. An agent that has to go
 * does not wait: its task goes back.
 *
 * Invariant kept here: 8 (the reason is in the log as long as it lasts, and again when it changes).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { adviceOf, DroverError } from '../core/errors.js';
import type { Json } from '../core/plan.js';
import type { Files, Integration, Work, Workspace } from './files.js';
import type { CheckResult } from './check.js';

/** How an agent is told to go, and how its attempt does. */
export interface Leaving {
  readonly signal: AbortSignal;
  /** Aborts the attempt's own signal. */
  readonly leave: () => void;
}

/** Milliseconds to the second try, and between later ones at most. */
const FIRST = 250;
const LONGEST = 10_000;

export class PatientFiles implements Files {
  /** @param tell says why it waits */
  constructor(
    private readonly files: Files,
    private readonly signal: AbortSignal,
    private readonly leaving: Leaving,
    private readonly tell: (reason: string) => Promise<void>,
  ) {}

  get opened(): boolean {
    return this.files.opened;
  }

  open(left?: string): Promise<Workspace> {
    return this.patiently(() => this.files.open(left));
  }

  commit(message: string): Promise<Work | null> {
    return this.patiently(() => this.files.commit(message));
  }

  check(): Promise<CheckResult> {
    return this.patiently(() => this.files.check());
  }

  integrate(work: Work, result: Json): Promise<Integration> {
    return this.patiently(() => this.files.integrate(work, result));
  }

  /** Once: the claim ends, and what cannot be kept in git stays where it is. */
  close(): Promise<void> {
    return this.files.close();
  }

  private async patiently<T>(work: () => Promise<T>): Promise<T> {
    let told: string | undefined;
    for (let pause = FIRST; ; pause = Math.min(pause * 2, LONGEST)) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof DroverError) || error.code !== 'hindered') throw error;
        this.signal.throwIfAborted();
        const reason = adviceOf(error);
        if (reason !== told) await this.tell(reason);
        told = reason;
        await this.pause(pause);
      }
    }
  }

  /** @throws why the attempt is aborted, also where that is because its agent has to go */
  private async pause(milliseconds: number): Promise<void> {
    const { signal, leave } = this.leaving;
    const either = AbortSignal.any([this.signal, signal]);
    await sleep(milliseconds, undefined, { signal: either }).catch(() => undefined);
    if (signal.aborted) leave();
    this.signal.throwIfAborted();
  }
}
