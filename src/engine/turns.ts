/** Lets effects on one goal, or on what several share, happen one after the other, whoever asks for them. */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>();

  /** Runs `work` when everything that was asked for `what` before has ended, however it ended. */
  async take<T>(what: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(what);
    const turn = before === undefined ? work() : before.then(work, work);
    this.last.set(what, turn);
    try {
      return await turn;
    } finally {
      if (this.last.get(what) === turn) this.last.delete(what);
    }
  }
}
