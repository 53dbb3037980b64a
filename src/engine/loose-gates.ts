/** Gates that no relay opens: the job of the need they wait for did not know of them, or is not there. */
import { type GoalView, isRefused, jobOf } from '../core/goal.js';
import { gateJobId, relayJobId } from '../core/ids.js';
import { isFinal } from '../core/task-state.js';
import type { Gates } from '../queues/gates.js';
import type { Jobs } from '../queues/jobs.js';
import type { Recording } from './recording/recording.js';

interface LooseGatesParts {
  readonly recording: Recording;
  readonly gates: Gates;
  readonly jobs: Jobs;
}

export class LooseGates {
  /** Goals of which jobs were removed. */
  private readonly torn = new Set<string>();
  /** By the need they wait for. */
  private readonly waiting = new Map<string, { goal: string; gates: Set<string> }>();

  constructor(private readonly parts: LooseGatesParts) {}

  /** Jobs of the goal were removed, and perhaps relays with them: whatever gate it has may be loose. */
  tear(goal: string): void {
    this.torn.add(goal);
  }

  /**
   * Opens those whose need is released, and watches for the needs of the others.
   * @param before the goal as it was submitted: only needs that were released since then are looked at
   */
  async open(id: string, before?: GoalView): Promise<void> {
    if (before && !this.hasLooseGates(before)) return;
    const goal = this.parts.recording.board.goal(id);
    if (!goal) return;
    // A process that is gone may have seen that jobs were removed.
    if (!this.hasLooseGates(goal) && (await this.lacksRelays(goal))) this.tear(id);
    if (!this.hasLooseGates(goal)) return;
    this.watch(goal);
    for (const task of goal.tasks.values()) {
      if (isFinal(task.state)) continue;
      for (const need of task.spec.needs) {
        const needed = goal.tasks.get(need)!;
        if (!needed.released || before?.tasks.get(need)?.released) continue;
        await this.parts.gates.open([gateJobId(jobOf(task), need)], needed.result);
      }
    }
  }

  /** Opens those of which one of these tasks was the need, and was just released. */
  async opened(goal: string, tasks: readonly string[]): Promise<void> {
    const needed = tasks.filter((id) => this.waiting.has(id));
    if (needed.length === 0) return;
    const view = this.parts.recording.board.goal(goal)!;
    for (const id of needed) {
      const task = view.tasks.get(id)!;
      const loose = this.waiting.get(id);
      if (!task.released || !loose) continue;
      // Before they are open: a gate that comes meanwhile is not among them.
      this.waiting.delete(id);
      await this.parts.gates.open([...loose.gates], task.result);
    }
  }

  forget(goal: string): void {
    this.torn.delete(goal);
    for (const [id, loose] of this.waiting) if (loose.goal === goal) this.waiting.delete(id);
  }

  private hasLooseGates(goal: GoalView): boolean {
    return this.torn.has(goal.id) || mayHaveLooseGates(goal);
  }

  /** True where relays were removed; also where there never were any, as of a task whose other dependents were over. */
  private async lacksRelays(goal: GoalView): Promise<boolean> {
    const needs = [...goal.tasks.values()].filter(({ spec }) => {
      const dependents = goal.dependents.get(spec.id) ?? [];
      return dependents.length > 1 && dependents.some((id) => !isFinal(goal.tasks.get(id)!.state));
    });
    const relays = needs.map((need) => ({ queue: 'relays', id: relayJobId(jobOf(need)) }));
    return (await this.parts.jobs.exist(relays)).includes(false);
  }

  private watch(goal: GoalView): void {
    for (const task of goal.tasks.values()) {
      if (isFinal(task.state)) continue;
      for (const need of task.spec.needs) {
        if (goal.tasks.get(need)!.released) continue;
        const loose = this.waiting.get(need) ?? { goal: goal.id, gates: new Set() };
        loose.gates.add(gateJobId(jobOf(task), need));
        this.waiting.set(need, loose);
      }
    }
  }
}

/**
 * Where nothing was removed, only added and reopened tasks and rebuilt goals have gates that no relay knows, and those that
 * build on a task that was ended before Redis heard of it: it has no job, so nobody but us opens what waits for it.
 */
function mayHaveLooseGates(goal: GoalView): boolean {
  if (goal.floor > 0 || goal.counts.CANCELLED > 0) return true;
  for (const task of goal.tasks.values()) {
    if (task.batch > 0 || task.generation > 1 || isRefused(task)) return true;
  }
  return false;
}
