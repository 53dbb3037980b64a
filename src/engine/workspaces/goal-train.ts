/**
 * The merge train of a goal, across processes: claims line up in Redis, one of them leads, and what it leads over
 * is the goal's branch in git.
 *
 * Invariants kept here: 7 (a passenger is told of the checks that ran on the merged commit), 8.
 */
import type { CheckResult } from '../../agents/check.js';
import type { FilesContext, Integration } from '../../agents/files.js';
import type { Shell } from '../../agents/shell.js';
import { DroverError, messageOf } from '../../core/errors.js';
import type { Json } from '../../core/plan.js';
import type { Trains, Waiting } from '../../queues/train.js';
import { goalBranch } from '../../workspace/branches.js';
import { runTrain, type Verdict } from '../../workspace/train.js';
import { type Car, GoalTrack } from './goal-track.js';
import type { Checked } from './inspection.js';
import type { Passenger } from './passenger.js';
import type { OpenProject } from './projects.js';

/** An `Integration` on its way to whom it concerns. */
export type Told = { kind: string } & Record<string, Json>;

export class GoalTrain {
  constructor(
    private readonly trains: Trains<Passenger, Told>,
    private readonly shell: Shell,
  ) {}

  /** Waits until the work is merged or refused; where nobody leads, by leading. */
  async ride(
    project: OpenProject,
    passenger: Passenger,
    context: FilesContext,
  ): Promise<Integration> {
    const { claim } = passenger;
    const told = await this.trains.ride(
      `${passenger.project}/${claim.goal}`,
      idOf(passenger),
      passenger,
      (waiting, settle, lost) => {
        const signal = AbortSignal.any([context.signal, lost]);
        return this.lead(project, passenger, waiting, settle, { ...context, signal }).catch(
          (error: unknown) => {
            context.signal.throwIfAborted();
            throw inTheWay(error);
          },
        );
      },
      context.signal,
    );
    // Whoever led has told it so: a process of the same version.
    return told as unknown as Integration;
  }

  private async lead(
    project: OpenProject,
    leader: Passenger,
    waiting: readonly Waiting<Passenger>[],
    settle: (id: string, told: Told) => Promise<void>,
    context: FilesContext,
  ): Promise<void> {
    const track = new GoalTrack(project, leader, this.shell, context);
    const cars = waiting.map(({ data }): Car => ({
      task: data.claim.task,
      claim: data.claim.claim,
      of: data,
    }));
    // What a claim that died has in line still waits there when the next claim of its task joins.
    const isOvertaken = ({ task, claim }: Car): boolean =>
      cars.some((other) => other.task === task && other.claim > claim);
    for (const car of cars.filter(isOvertaken)) await settle(idOf(car.of), { kind: 'stale' });
    const latest = cars.filter((car) => !isOvertaken(car));
    await runTrain(track, coming(latest, leader), async (car, verdict) => {
      const told = await this.integrationOf(car, verdict, track);
      await settle(idOf(car.of), told as unknown as Told);
    });
  }

  private async integrationOf(
    car: Car,
    verdict: Verdict<string, readonly Checked[]>,
    track: GoalTrack,
  ): Promise<Integration> {
    switch (verdict.kind) {
      case 'merged': {
        const { commit, together } = verdict;
        // Who merged it did not live to tell what the checks said, and only the log may say that they passed.
        const evidence = verdict.evidence ?? (await track.inspect(commit, [car])).evidence;
        const branch = goalBranch(car.of.claim.goal);
        return { kind: 'merged', commit, branch, together, checks: concerning(car, evidence) };
      }
      case 'refused':
        return { kind: 'refused', reason: verdict.refusal, checks: [] };
      case 'failed': {
        const { evidence, behind } = verdict;
        const company = behind.length > 0 ? `, on top of ${behind.join(', ')}` : '';
        const reason = `The checks fail on the merged tree${company}.`;
        return { kind: 'refused', reason, checks: concerning(car, evidence) };
      }
      case 'stale':
        return { kind: 'stale' };
      default:
        return verdict satisfies never;
    }
  }
}

/** Whoever leads is not to blame for what keeps it from leading: all work that is at fault gets a verdict. */
const inTheWay = (error: unknown): DroverError =>
  error instanceof DroverError && error.code === 'hindered'
    ? error
    : new DroverError(
        'hindered',
        `Nothing could be merged: ${messageOf(error)}`,
        error instanceof DroverError ? error.remedy : undefined,
        { cause: error },
      );

const idOf = ({ claim: { task, claim } }: Passenger): string => `${task}.${claim}`;

/** A check that needs secrets runs where they are: its claim leads a train of its own. */
function coming(cars: readonly Car[], leader: Passenger): readonly Car[] {
  const isPrivate = ({ of }: Car): boolean => of.check !== null && of.secrets.length > 0;
  const own = cars.filter(({ of }) => idOf(of) === idOf(leader));
  return own.some(isPrivate) ? own : cars.filter((car) => !isPrivate(car));
}

/** The project's checks, the task's own, and whichever failed: a task may break the check of another one. */
const concerning = ({ task }: Car, evidence: readonly Checked[]): CheckResult[] =>
  evidence
    .filter((checked) => checked.task === null || checked.task === task || !checked.result.passed)
    .map(({ result }) => result);
