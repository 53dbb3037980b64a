/**
 * Makes Redis hold what the log says should be there: after a start, after Redis was away, after it lost
 * everything. Events wake us up; stored state decides.
 *
 * Invariants kept here: 1 (every open goal is rebuilt from the log alone), 2 (a crash between recording and
 * submitting costs nothing), 4 (what is there is left alone), 5 (a rebuilt goal's claims go on above all
 * earlier ones).
 */
import type { FairOrder } from '../compile/fair-order.js';
import { messageOf } from '../core/errors.js';
import { type GoalView, jobOf, rootJobOf, type TaskView } from '../core/goal.js';
import { jobId } from '../core/ids.js';
import { isFinal } from '../core/task-state.js';
import { listGoals } from '../projections/goal-list.js';
import { listPauses } from '../projections/pauses.js';
import type { RedisClient } from '../queues/connection.js';
import type { Gates } from '../queues/gates.js';
import type { Limits } from '../queues/limits.js';
import type { Jobs } from '../queues/jobs.js';
import type { Queues } from '../queues/queues.js';
import { finishedSteps } from './journals.js';
import { LooseGates } from './loose-gates.js';
import type { Recording } from './recording/recording.js';
import { repairFinished } from './repair.js';
import type { Steering } from './steering.js';
import { capabilitiesOf, eventOf, refOf } from './task-refs.js';
import type { Submission } from './submitting/submission.js';
import type { Turns } from './turns.js';
import type { Landings } from './workspaces/landings.js';
import { PlaceTeller } from './workspaces/place-teller.js';
import type { Projects } from './workspaces/projects.js';

/**
 * Claims that a rebuilt goal skips. Redis may have given out claims that were not recorded before it was lost;
 * a task cannot have more of those than its attempts, declines and stalls allow, which are far below this.
 */
const CLAIM_GAP = 1_000;

/** Milliseconds from one look at what may have been removed to the next; each asks for all jobs that are open. */
const LOOK_EVERY = 30_000;

export interface ReconcileParts {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly recording: Recording;
  readonly projects: Projects;
  readonly submission: Submission;
  readonly queues: Queues;
  readonly jobs: Jobs;
  readonly gates: Gates;
  readonly turns: Turns;
  readonly order: FairOrder;
  readonly steering: Steering;
  readonly limits: Limits;
  readonly landings: Landings;
  /** Has the streams of these queues read. */
  readonly watch: (queues: Iterable<string>) => Promise<void>;
  readonly onError: (error: Error) => void;
}

export class Reconciler {
  private readonly looseGates: LooseGates;
  private readonly places: PlaceTeller;

  /** Goals of which an effect failed; what was recorded of them is carried out later. */
  private readonly owed = new Set<string>();
  /** When it was last looked whether anything was removed; a start has looked. */
  private looked = Date.now();

  constructor(private readonly parts: ReconcileParts) {
    this.looseGates = new LooseGates(parts);
    this.places = new PlaceTeller(parts.client, parts.prefix, parts.projects);
  }

  /** Everything that is not finished. */
  async reconcileAll(): Promise<void> {
    const { recording, steering } = this.parts;
    await steering.followEngine(() => listPauses(recording.log.db), recording.watched());
    for (const { id } of recording.board.inState('OPEN', 'SETTLED')) this.owed.add(id);
    // A goal may be done because the rest of it was cancelled, of which Redis has not heard.
    const done = listGoals(recording.log.db, { states: ['DONE'], evicted: false });
    for (const { id, counts } of done) if (counts.CANCELLED > 0) this.owed.add(id);
    await this.reconcileOwed();
  }

  /** Tries again what has failed; a goal that fails once more holds up no other. */
  async reconcileOwed(): Promise<void> {
    // What fails now is owed again, for the next time.
    const owed = [...this.owed];
    this.owed.clear();
    for (const id of owed) {
      try {
        await this.reconcile(id);
      } catch (error) {
        const what = `${id} could not be brought in step with Redis: ${messageOf(error)}`;
        this.parts.onError(new Error(what, { cause: error }));
      }
    }
  }

  /**
   * Looks now and then whether Redis still holds the jobs of what is open: Bull Board and others may remove them one by
   * one or whole queues of them, and not all of that is told by an event. What is missing is submitted again.
   */
  async lookForRemoved(now: number): Promise<void> {
    if (now - this.looked < LOOK_EVERY) return;
    const { recording, turns, jobs } = this.parts;
    for (const { id } of listGoals(recording.log.db, { states: ['OPEN'] })) {
      const look = async (): Promise<boolean> => {
        const goal = await recording.board.goalInPages(id);
        if (goal?.state !== 'OPEN') return true;
        const open = [...goal.tasks.values()].filter((task) => !isFinal(task.state));
        const refs = [{ queue: 'goals', id: rootJobOf(goal) }, ...open.map(refOf)];
        return !(await jobs.exist(refs)).includes(false);
      };
      // In its turn: what is recorded and not submitted yet is not missing. Where it cannot be looked at, bringing it in
      // step tells why, and holds up no other.
      const isWhole = await turns.take(id, look).catch(() => false);
      if (!isWhole) this.owed.add(id);
    }
    this.looked = now;
  }

  /** Carries out what was recorded of a goal. Where that fails it is tried again later. */
  async effect<T>(goal: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.owed.add(goal);
      throw error;
    }
  }

  /**
   * Lets the claims that come be numbered above those that the log has. To be repeated for what was claimed and
   * not yet recorded, before anybody may begin.
   */
  async raiseClaims(): Promise<void> {
    const { recording, jobs } = this.parts;
    for (const goal of recording.board.inState('OPEN', 'SETTLED')) {
      const begun = [...goal.tasks.values()].filter(
        ({ claims, state }) => claims > 0 && !isFinal(state),
      );
      await jobs.raiseClaims(begun.map((task) => ({ ...refOf(task), claims: task.claims })));
    }
  }

  /** Goals that are done, of which a Redis that lost its last second may say otherwise. */
  async repairDone(): Promise<void> {
    const { recording, turns } = this.parts;
    for (const { id } of listGoals(recording.log.db, { states: ['DONE'], evicted: false })) {
      await this.effect(id, () => turns.take(id, () => repairFinished(this.parts, id)));
    }
  }

  async reconcile(id: string): Promise<void> {
    await this.effect(id, async () => {
      const goal = this.parts.recording.board.goal(id);
      if (goal) {
        await this.restore(goal);
        await this.steer(id);
      }
      await this.parts.turns.take(id, async () => {
        await repairFinished(this.parts, id);
        await this.looseGates.open(id);
        const now = this.parts.recording.board.goal(id);
        if (!now) return;
        const { steering } = this.parts;
        await steering.applyEdits(now, now.tasks.values());
        await steering.followPause(now);
      });
    });
  }

  /** Lets Redis follow what people decided about a goal: what begins, what is withdrawn, what is opened. */
  async steer(id: string): Promise<void> {
    const { recording, steering, turns } = this.parts;
    const goal = recording.board.goal(id)!;
    // First of all, so that nothing of what is withdrawn runs beside what takes its place.
    await steering.announce(goal);
    await this.submitMissing(id);
    await turns.take(id, async () => {
      const now = recording.board.goal(id)!;
      await steering.settle(now);
      await steering.openGates(now);
    });
  }

  /**
   * Submits those of the goal's jobs that Redis does not hold.
   * @param begun the goal, where it was decided on just now: what is decided about it next waits for this turn
   * @param isNew true where it was just created; a command that is delivered again says so too
   * @returns the goal as it was submitted
   */
  async submitMissing(id: string, begun?: GoalView, isNew = false): Promise<GoalView> {
    const { turns, recording, watch } = this.parts;
    let hasWaited = false;
    // Two at once would rebuild a lost goal twice, and raise its floor above the claims of the jobs. It is read in its
    // turn: what was cancelled or edited before that has had its effect, which would be undone.
    const submitted = turns.take(id, async () => {
      const goal = hasWaited || !begun ? (await recording.board.goalInPages(id))! : begun;
      await watch(capabilitiesOf(goal));
      await this.submit(goal, isNew);
      return goal;
    });
    hasWaited = true;
    return submitted;
  }

  private async submit(goal: GoalView, isNew: boolean): Promise<void> {
    const { jobs, submission, order } = this.parts;
    if (goal.state === 'DONE' || goal.state === 'CANCELLED') return;
    // Nothing may start from a branch that is still to go back; tasks that merged until then begin again as well.
    if (goal.rollback !== null) {
      await this.parts.landings.follow(goal);
      const now = this.parts.recording.board.goal(goal.id)!;
      await this.parts.steering.announce(now);
      return this.submit(now, isNew);
    }
    await this.places.tell(goal.project);
    const open = [...goal.tasks.values()].filter((task) => !isFinal(task.state));
    const refs = [{ queue: 'goals', id: rootJobOf(goal) }, ...open.map(refOf)];
    // A start makes every goal known. What was created since, and no stream has spoken of, Redis need not be asked for.
    const isUnseen = isNew && !goal.submitted && !order.knows(goal.id);
    const [root, ...found] = isUnseen ? [] : await jobs.priorities(refs);
    const present = new Map<string, number>();
    for (const [index, { spec }] of open.entries()) {
      const priority = found[index];
      if (priority !== undefined) present.set(spec.id, priority);
    }
    let missing = new Set(open.map(({ spec }) => spec.id).filter((id) => !present.has(id)));
    if (root !== undefined && missing.size === 0) {
      if (!order.knows(goal.id)) order.place(goal, present);
      return;
    }
    const lost = root === undefined && goal.submitted && !(await this.hadRoot(goal));
    const current = lost ? await this.prepareRebuild(goal, missing) : goal;
    // The first job of a task that had failed may be gone with its journal, too.
    const again = [...missing].filter((id) => {
      const { generation, claims } = current.tasks.get(id)!;
      return generation > 1 || claims > 0;
    });
    // A rebuild has restored all of them.
    if (!lost && again.length > 0) await this.restoreJournals(current, new Set(again));
    const placed = order.place(current, present);
    const isCutShort = root !== undefined && wasCutShort(open, missing, goal.floor);
    if (isCutShort) missing = new Set(open.map(({ spec }) => spec.id));
    if (root !== undefined) this.looseGates.tear(goal.id);
    const priorities = isCutShort ? new Map([...present, ...placed]) : placed;
    await submission.submit(current, missing, priorities, root === undefined || isCutShort);
    await this.parts.steering.openGates(current);
    // A need that was released since the goal was read has looked for its gates too early.
    await this.looseGates.open(goal.id, current);
  }

  /** True where Redis holds a goal's own job of an earlier generation: it has lost nothing. */
  private async hadRoot({ id, generation }: GoalView): Promise<boolean> {
    const earlier = Array.from({ length: generation - 1 }, (_, index) => ({
      queue: 'goals',
      id: jobId(id, index + 1),
    }));
    return (await this.parts.jobs.exist(earlier)).includes(true);
  }

  /** Opens gates of added or rebuilt tasks whose need was just released. */
  async opened(goal: string, tasks: readonly string[]): Promise<void> {
    const { steering, recording, turns } = this.parts;
    if (steering.mayBeReached(tasks)) {
      await turns.take(goal, () => steering.reached(recording.board.goal(goal)!, tasks));
    }
    await this.looseGates.opened(goal, tasks);
  }

  /** Tasks of a goal began: others may have to wait a little longer for that. */
  async began(goal: string, tasks: readonly string[]): Promise<void> {
    const moves = this.parts.order.began(goal, tasks);
    if (moves.length > 0) await this.parts.jobs.reprioritise(moves);
  }

  forget(goal: string): void {
    this.parts.order.forget(goal);
    this.parts.steering.forget(goal);
    this.looseGates.forget(goal);
  }

  /** @returns the goal with its new floor of claims */
  private async prepareRebuild(goal: GoalView, missing: ReadonlySet<string>): Promise<GoalView> {
    const { recording } = this.parts;
    const highest = Math.max(0, ...[...goal.tasks.values()].map((task) => task.claims));
    const floor = (Math.floor(highest / CLAIM_GAP) + 1) * CLAIM_GAP;
    await this.restoreJournals(goal, missing);
    await recording.commit([eventOf(goal, { type: 'goal.resubmitted', floor })]);
    return recording.board.goal(goal.id)!;
  }

  /** Gives the jobs of open tasks back what a Redis that lost its last second forgot about them. */
  private async restore(goal: GoalView): Promise<void> {
    const { jobs } = this.parts;
    const open = [...goal.tasks.values()].filter((task) => !isFinal(task.state));
    await this.restoreJournals(goal, new Set(open.map((task) => task.spec.id)));
    // A task that waits for tasks that it added takes their results from their jobs, which may be gone.
    const added = [...goal.tasks.values()].filter((task) => task.batch > 0 && task.released);
    const found = await jobs.exist(added.map(refOf));
    const lost = added.filter((_, index) => !found[index]);
    await jobs.supplyResults(
      lost.flatMap((child) =>
        goal.dependents
          .get(child.spec.id)!
          .map((dependent) => goal.tasks.get(dependent)!)
          .filter((parent) => parent.batch < child.batch && !isFinal(parent.state))
          .map((parent) => ({ parent: refOf(parent), child: refOf(child), result: child.result })),
      ),
    );
  }

  private async restoreJournals(goal: GoalView, tasks: ReadonlySet<string>): Promise<void> {
    const { recording, jobs } = this.parts;
    const steps = finishedSteps(recording.log, goal.id, tasks);
    await jobs.restoreJournals(
      steps.map(({ task, ...step }) => ({ job: jobOf(goal.tasks.get(task)!), ...step })),
    );
  }
}

/**
 * True where a submission in parts ended before its last part: nothing has begun, and all that may begin first is
 * missing. What is there was compiled with the rest, and is right beside nothing else.
 */
function wasCutShort(
  open: readonly TaskView[],
  missing: ReadonlySet<string>,
  floor: number,
): boolean {
  const ids = new Set(open.map(({ spec }) => spec.id));
  return open.every(
    ({ spec, claims }) =>
      claims <= floor && (missing.has(spec.id) || spec.needs.some((need) => ids.has(need))),
  );
}
