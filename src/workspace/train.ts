/**
 * A merge train: several tasks that are ready are tested together and land together. Where the combination
 * fails, bisection finds the task because of which it does; those before it land, those behind it are coupled
 * anew without it. Where one task breaks a train, several may: once it has failed, no more than a third of it is added
 * to what is known to pass at once. With one culprit of 16 that costs a run, with three it saves one, with five two.
 *
 * Invariants kept here: 7 (a commit becomes the goal's only if its checks passed on that very commit), 8 (every
 * wagon gets a verdict, or the train ends with an error and all that have none keep waiting).
 */

/** Work that is ready to be merged: one claim of one task. */
export interface Wagon {
  readonly task: string;
  readonly claim: number;
}

/** Whether a commit's checks passed, and what they said. */
export interface Inspection<Evidence> {
  readonly passed: boolean;
  readonly evidence: Evidence;
}

/** What becomes of a wagon. */
export type Verdict<Refusal, Evidence> =
  | {
      readonly kind: 'merged';
      readonly commit: string;
      /** Null where an earlier train had merged it already. */
      readonly evidence: Evidence | null;
      /** Tasks of the same train, tested together. */
      readonly together: readonly string[];
    }
  /** It cannot be merged into what is there: a conflict, or work that must not be merged at all. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** It can, and then the checks fail. */
  | {
      readonly kind: 'failed';
      readonly commit: string;
      readonly evidence: Evidence;
      /** Tasks of the same train that are in the tested commit too, and landed before it. */
      readonly behind: readonly string[];
    }
  /** Another claim of its task is at work by now. */
  | { readonly kind: 'stale' };

/** What a train runs on: a goal's branch. */
export interface Track<W extends Wagon, Refusal, Evidence> {
  /** The commit that the branch stands at. */
  readonly tip: () => Promise<string>;
  /** The commit by which the branch has the wagon's work already. */
  readonly merged: (wagon: W) => Promise<string | undefined>;
  /** The wagon's work merged into `onto`; no branch moves. */
  readonly couple: (
    onto: string,
    wagon: W,
  ) => Promise<{ readonly commit: string } | { readonly refusal: Refusal }>;
  /** Runs the project's checks and those of the wagons on exactly this commit. */
  readonly inspect: (commit: string, wagons: readonly W[]) => Promise<Inspection<Evidence>>;
  /**
   * Moves the branch, if it still stands at `from` and each of the wagons' claims still holds its task.
   * A list names the wagons whose claim does not.
   */
  readonly advance: (
    from: string,
    to: string,
    wagons: readonly W[],
  ) => Promise<'moved' | 'lost-race' | readonly W[]>;
}

type Settle<W, Refusal, Evidence> = (
  wagon: W,
  verdict: Verdict<Refusal, Evidence>,
) => Promise<void>;

interface Coupled<W> {
  readonly wagon: W;
  /** The merge of this wagon and all before it. */
  readonly commit: string;
}

/** Runs until every wagon has its verdict; `settle` is called with each, as soon as it is known. */
export async function runTrain<W extends Wagon, Refusal, Evidence>(
  track: Track<W, Refusal, Evidence>,
  wagons: readonly W[],
  settle: Settle<W, Refusal, Evidence>,
): Promise<void> {
  let waiting: readonly W[] = await leaveOutMerged(track, wagons, settle);
  const third = Math.ceil(waiting.length / 3);
  let most = waiting.length;
  while (waiting.length > 0) {
    const from = await track.tip();
    const [ahead, rear] = [waiting.slice(0, most), waiting.slice(most)];
    const { coupled, left, refused } = await couple(track, from, ahead);
    for (const { wagon, refusal } of refused) await settle(wagon, { kind: 'refused', refusal });
    const { good, evidence, bad } = await longestGreen(track, coupled, third);
    if (bad) most = third;
    const landing = coupled.slice(0, good);
    const last = landing.at(-1);
    if (last) {
      const together = landing.map(({ wagon }) => wagon);
      const moved = await track.advance(from, last.commit, together);
      if (moved !== 'moved') {
        const stale = moved === 'lost-race' ? [] : moved;
        for (const wagon of stale) await settle(wagon, { kind: 'stale' });
        // In the order in which they came, on the new tip; those that an unseen move has landed are found there.
        const settled = new Set([...stale, ...refused.map(({ wagon }) => wagon)]);
        const rest = waiting.filter((wagon) => !settled.has(wagon));
        waiting = await leaveOutMerged(track, rest, settle);
        continue;
      }
      const tasks = together.map(({ task }) => task);
      for (const { wagon, commit } of landing) {
        await settle(wagon, { kind: 'merged', commit, evidence: evidence!, together: tasks });
      }
    }
    if (bad) {
      const { wagon, commit } = coupled[good]!;
      const behind = landing.map(({ wagon: { task } }) => task);
      await settle(wagon, { kind: 'failed', commit, evidence: bad, behind });
    }
    waiting = [...coupled.slice(good + 1).map(({ wagon }) => wagon), ...left, ...rear];
  }
}

async function leaveOutMerged<W extends Wagon, Refusal, Evidence>(
  track: Track<W, Refusal, Evidence>,
  wagons: readonly W[],
  settle: Settle<W, Refusal, Evidence>,
): Promise<W[]> {
  const left: W[] = [];
  for (const wagon of wagons) {
    const commit = await track.merged(wagon);
    if (commit === undefined) left.push(wagon);
    else await settle(wagon, { kind: 'merged', commit, evidence: null, together: [wagon.task] });
  }
  return left;
}

/**
 * One merge on top of the other. Refused is what cannot be merged into the branch itself; what cannot follow the
 * wagons before it is left, to wait and see whether they land.
 */
async function couple<W extends Wagon, Refusal, Evidence>(
  track: Track<W, Refusal, Evidence>,
  from: string,
  wagons: readonly W[],
): Promise<{ coupled: Coupled<W>[]; left: W[]; refused: { wagon: W; refusal: Refusal }[] }> {
  const coupled: Coupled<W>[] = [];
  const left: W[] = [];
  const refused: { wagon: W; refusal: Refusal }[] = [];
  let onto = from;
  for (const wagon of wagons) {
    const result = await track.couple(onto, wagon);
    if ('commit' in result) {
      onto = result.commit;
      coupled.push({ wagon, commit: onto });
    } else if (onto === from) {
      refused.push({ wagon, refusal: result.refusal });
    } else {
      left.push(wagon);
    }
  }
  return { coupled, left, refused };
}

/**
 * How many of the wagons, from the first, pass together. Bisection takes it that whatever fails goes on failing
 * with more wagons behind it; where that is not so, it still lands nothing but commits that were seen to pass.
 * @param step how many wagons more than those known to pass are tested at most, once they have failed together
 */
async function longestGreen<W extends Wagon, Refusal, Evidence>(
  { inspect }: Track<W, Refusal, Evidence>,
  coupled: readonly Coupled<W>[],
  step: number,
): Promise<{ good: number; evidence: Evidence | undefined; bad: Evidence | undefined }> {
  let good = 0;
  let evidence: Evidence | undefined;
  let firstBad = coupled.length + 1;
  let bad: Evidence | undefined;
  // All of them first: mostly that is all there is to do.
  for (let length = coupled.length; length > good && length < firstBad;) {
    const cars = coupled.slice(0, length);
    const result = await inspect(
      cars.at(-1)!.commit,
      cars.map(({ wagon }) => wagon),
    );
    if (result.passed) {
      good = length;
      evidence = result.evidence;
    } else {
      firstBad = length;
      bad = result.evidence;
    }
    length = Math.min(Math.ceil((good + firstBad - 1) / 2), good + step);
  }
  return { good, evidence, bad };
}
