/**
 * One capability at one priority, and the projects that share it by start-time fair queueing.
 *
 * Each waiting task has a tag; the lowest begins first, and the lane's time is the highest that has begun. What
 * comes in is tagged from there on, one unit apart, so projects that want the lane take turns, however much one
 * of them brought before.
 *
 * Tags that are set beforehand turn unfair where a goal begins long after it was tagged (its first task took a
 * day, or waited for a person), or where a project brings many goals at once. Hence a rule: while several
 * projects want the lane, one of them may begin `CREDIT` tasks more than the lane's time has moved on; then what
 * waits of the goals that began is tagged anew from the present on, one task for each unit.
 */

/** Tasks that a project may begin beyond its share before its waiting ones are put in their place. */
const CREDIT = 32;
/** So many tasks at most are tagged anew for each that began. */
const EFFORT = 4;

/** A task's place in its lane. */
export interface Slot {
  readonly id: string;
  readonly line: Line;
  /** NaN until it has entered the lane. */
  tag: number;
  /** False once it began. */
  waiting: boolean;
}

/** The tasks of one goal in one lane, in the order in which they are to begin. */
export interface Line {
  readonly lane: Lane;
  readonly share: Share;
  slots: readonly Slot[];
  /** Every slot before this one has begun. */
  head: number;
}

/** What one project wants of the lane. */
interface Share {
  readonly lines: Set<Line>;
  waiting: number;
  /** Tasks begun beyond what was due at the lane's time `since`, and the lines they were of. */
  ahead: number;
  since: number;
  readonly movers: Set<Line>;
  /** So many tasks have to begin before what waits may be tagged anew again. */
  patience: number;
}

export class Lane {
  /** Virtual time: the highest tag that has begun. */
  private now = 0;
  private readonly shares = new Map<string, Share>();
  /** Projects with waiting tasks. */
  private contenders = 0;

  /** @param horizon tags stay below it, near enough: the lane's time goes back to 0 when it is half way there */
  constructor(
    readonly capability: string,
    readonly band: number,
    private readonly horizon: number,
  ) {}

  /** A place for one goal of a project. */
  open(project: string): Line {
    const share = this.shares.get(project) ?? newShare();
    this.shares.set(project, share);
    const line: Line = { lane: this, share, slots: [], head: 0 };
    share.lines.add(line);
    return line;
  }

  /** Gives those slots of a line their tags that have none. @param slots all of the goal's, the first to begin first */
  enter(line: Line, slots: readonly Slot[]): void {
    const step = 1 + this.livelyBeside(line);
    const known = slots.filter(({ tag, waiting }) => waiting && !Number.isNaN(tag));
    let next = 0;
    let last: number | undefined;
    let entered = 0;
    for (const slot of slots) {
      if (slot === known[next]) {
        next += 1;
      } else if (Number.isNaN(slot.tag)) {
        // What is added to a goal goes before the first that is less urgent, or behind all.
        slot.tag = known[next]?.tag ?? (last === undefined ? this.now : last + step);
        entered += 1;
      } else {
        continue;
      }
      last = slot.tag;
    }
    line.slots = slots.filter(({ waiting }) => waiting);
    line.head = 0;
    this.want(line.share, entered);
  }

  /** A task that waits here already, as Redis has it. */
  adopt(line: Line): void {
    this.want(line.share, 1);
  }

  /** Time as a task that runs tells it. */
  reach(tag: number): void {
    this.now = Math.max(this.now, tag);
  }

  /** Notes that a task began. @returns slots with new tags */
  began(slot: Slot): readonly Slot[] {
    if (!slot.waiting) return [];
    slot.waiting = false;
    const { share } = slot.line;
    this.want(share, -1);
    this.reach(slot.tag);
    if (this.now > this.horizon / 2) return this.rebase();
    if (this.contenders < 2) return [];
    const due = this.now - share.since;
    share.since = this.now;
    if (due >= share.ahead) share.movers.clear();
    share.ahead = Math.max(0, share.ahead - due) + 1;
    share.patience -= 1;
    share.movers.add(slot.line);
    if (share.ahead <= CREDIT || share.patience > 0) return [];
    return this.spread(share);
  }

  /** Takes a task out that waits here no longer. */
  leave(slot: Slot): void {
    if (!slot.waiting) return;
    slot.waiting = false;
    this.want(slot.line.share, -1);
  }

  /** Forgets a goal. @returns false where nothing is left of the lane */
  close(line: Line): boolean {
    const { share } = line;
    share.lines.delete(line);
    share.movers.delete(line);
    this.want(share, -line.slots.filter(({ waiting }) => waiting).length);
    for (const [project, { lines }] of this.shares) {
      if (lines.size === 0) this.shares.delete(project);
    }
    return this.shares.size > 0;
  }

  private want(share: Share, more: number): void {
    const before = share.waiting > 0;
    share.waiting += more;
    const after = share.waiting > 0;
    if (before === after) return;
    this.contenders += after ? 1 : -1;
    // What was begun while nobody else wanted the lane is held against nobody.
    if (after && this.contenders === 2) {
      for (const each of this.shares.values()) settle(each, this.now);
    } else if (after) {
      settle(share, this.now);
    }
  }

  /** Goals of the same project with which a line shares the project's part; one far behind time is held up by something. */
  private livelyBeside(line: Line): number {
    let lively = 0;
    for (const other of line.share.lines) {
      if (other === line) continue;
      while (other.slots[other.head]?.waiting === false) other.head += 1;
      const first = other.slots[other.head];
      if (first && first.tag >= this.now - CREDIT) lively += 1;
    }
    return lively;
  }

  private spread(share: Share): Slot[] {
    const lines = [...share.movers].map(({ slots }) => slots.filter(({ waiting }) => waiting));
    const left = lines.filter((slots) => slots.length > 0);
    const moved: Slot[] = [];
    for (const [index, slots] of left.entries()) {
      for (const [turn, slot] of slots.entries()) {
        const tag = this.now + 1 + index + turn * left.length;
        if (slot.tag === tag) continue;
        slot.tag = tag;
        moved.push(slot);
      }
    }
    settle(share, this.now);
    share.patience = moved.length / EFFORT;
    return moved;
  }

  /** Sets time back to 0, and everything with it. */
  private rebase(): Slot[] {
    const moved: Slot[] = [];
    for (const share of this.shares.values()) {
      share.since -= this.now;
      for (const { slots } of share.lines) {
        for (const slot of slots) {
          // Also what began: it may wait again, for another attempt.
          slot.tag = Math.max(0, slot.tag - this.now);
          moved.push(slot);
        }
      }
    }
    this.now = 0;
    return moved;
  }
}

const newShare = (): Share => ({
  lines: new Set(),
  waiting: 0,
  ahead: 0,
  since: 0,
  movers: new Set(),
  patience: 0,
});

function settle(share: Share, now: number): void {
  share.ahead = 0;
  share.since = now;
  share.movers.clear();
  share.patience = 0;
}
