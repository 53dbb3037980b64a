/** Lets effects on one goal happen one after the other, whoever asks for them. */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>();

  /** Runs `work` when everything that was asked for the goal before has ended, however it ended. */
  async take<T>(goal: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(goal);
    const turn = before === undefined ? work() : before.then(work, work);
    this.last.set(goal, turn);
    try {
      return await turn;
    } finally {
      if (this.last.get(goal) === turn) this.last.delete(goal);
    }
  }
}
