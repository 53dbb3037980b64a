/**
 * When a claim is opened: as soon as anybody needs to know whether it may begin, and else at the end of the turn of the
 * event loop in which its handler was called. A handler that has returned by then needs no opening of its own: the script
 * that completes the task opens its claim first.
 */
import type { Opened } from '../queues/opened.js';

export class Opening {
  private opened: Promise<Opened> | undefined;
  private forgone = false;

  constructor(private readonly open: () => Promise<Opened>) {}

  /** What the claim may see, once it may begin. */
  now = (): Promise<Opened> => (this.opened ??= this.open());

  /** Opens it at the end of this turn, so that handlers which take longer wait no longer for it. */
  soon(): void {
    process.nextTick(() => {
      if (!this.forgone) this.now().catch(() => undefined);
    });
  }

  /** Whether nobody has needed it yet; then `soon` leaves it to the caller. */
  forgo(): boolean {
    this.forgone = this.opened === undefined;
    return this.forgone;
  }
}
