/**
 * Lets STATE.yaml, task pages and the projects' repositories follow the log.
 *
 * Invariants kept here: 1 (the log leads: nothing here is needed to go on, so trouble with a disk or a
 * repository is reported and tried again, and never stops the supervisor), 8.
 */
import { adviceOf } from '../../core/errors.js';
import { projectsOf } from '../../projections/project-goals.js';
import type { Environment } from '../../workspace/git.js';
import { openAside, openProject } from '../../workspace/project.js';
import { readRegistration } from '../../workspace/registration.js';
import type { Commit, Ledger } from '../recording/ledger.js';
import { LONGEST_WAIT, LOOK, watchBusy } from '../lull.js';
import { ProjectWriter } from './project-writer.js';

export interface StateWriterOptions {
  readonly ledger: Ledger;
  /** Folder of the projects; null writes nothing at all. */
  readonly projectsDir: string | null;
  /** Where the files of registered projects are kept. */
  readonly asideDir: string;
  /** Where git finds `PATH` and `HOME`. */
  readonly environment?: Environment;
  /** A project's files cannot follow for this reason; null once all of them do again. */
  readonly onTrouble: (reason: string | null) => void;
}

/** Milliseconds between two writes of one project, at least. */
const PAUSE = 250;
/**
 * And so many times what the last write took, so that the files cost a twentieth of the time at most. Git's
 * commands run beside this process, and a commit is waited for by people: it counts less.
 */
const FILES_SHARE = 20;
const GIT_SHARE = 4;
/** Milliseconds to the next try after trouble. */
const RETRY = 2_000;

interface Slot {
  readonly name: string;
  readonly writer: ProjectWriter;
  isDirty: boolean;
  /** On the clock of `performance.now()`. */
  notBefore: number;
  /** When it is written even if recording is busy. */
  latest: number;
  timer: NodeJS.Timeout | undefined;
  running: Promise<void> | undefined;
}

export class StateWriter {
  private readonly slots = new Map<string, Slot>();
  /** Reasons by project. */
  private readonly troubles = new Map<string, string>();
  private readonly unsubscribe: () => void;
  private rebuilding: Promise<void> = Promise.resolve();
  private closing = false;
  private closed = false;

  constructor(private readonly options: StateWriterOptions) {
    const { ledger, projectsDir } = options;
    this.unsubscribe =
      projectsDir === null
        ? () => {}
        : ledger.onCommit((commit) => this.follow(commit, projectsDir));
  }

  /**
   * Writes what a crash left unwritten, or a person has changed, in every project that has goals. Call it
   * once after the start; nothing needs to wait for it.
   */
  async rebuild(): Promise<void> {
    this.rebuilding = this.rebuildAll();
    await this.rebuilding;
  }

  private async rebuildAll(): Promise<void> {
    const { ledger, projectsDir } = this.options;
    if (projectsDir === null) return;
    for (const name of projectsOf(ledger.log.db)) {
      if (this.closing) return;
      const slot = this.slot(name, projectsDir);
      try {
        await slot.writer.compare();
      } catch (error) {
        this.report(name, adviceOf(error));
      }
      slot.isDirty = true;
      await this.run(slot);
    }
  }

  /** Resolves when everything recorded so far is written and committed, or has failed and was reported. */
  async flush(): Promise<void> {
    for (const slot of this.slots.values()) {
      await slot.running;
      if (slot.isDirty) await this.run(slot);
    }
  }

  /**
   * Writes and commits what is due of a project, then nothing until the returned function is called: its checkout is
   * moved meanwhile. Several holds wait for each other.
   */
  async hold(name: string): Promise<() => void> {
    const { projectsDir } = this.options;
    if (projectsDir === null) return () => undefined;
    const slot = this.slot(name, projectsDir);
    if (slot.isDirty) await this.run(slot);
    while (slot.running) await slot.running;
    let release: () => void = () => undefined;
    slot.running = new Promise((resolve) => {
      release = resolve;
    });
    return () => {
      slot.running = undefined;
      release();
      if (slot.isDirty) this.schedule(slot);
    };
  }

  /** Flushes, then stops following. */
  async close(): Promise<void> {
    this.closing = true;
    this.unsubscribe();
    // The log is closed next, and what is being compared reads it.
    await this.rebuilding;
    await this.flush();
    this.closed = true;
    for (const slot of this.slots.values()) clearTimeout(slot.timer);
  }

  private follow({ events, changed }: Commit, projectsDir: string): void {
    const touched = new Set<Slot>();
    try {
      for (const { goal, tasks } of changed.values()) {
        const slot = this.slot(goal.project, projectsDir);
        slot.writer.noteGoal(goal, tasks);
        touched.add(slot);
      }
      for (const event of events) this.slots.get(event.project)?.writer.noteEvent(event);
    } catch (error) {
      // The events are in the log by now: their recorder must not be told that they are not.
      this.report(events[0]!.project, adviceOf(error));
    }
    for (const slot of touched) {
      slot.isDirty = true;
      this.schedule(slot);
    }
  }

  private slot(name: string, projectsDir: string): Slot {
    const known = this.slots.get(name);
    if (known) return known;
    const { ledger, asideDir, environment } = this.options;
    const git = environment && { environment };
    const writer = new ProjectWriter({
      name,
      ledger,
      open: async () =>
        (await readRegistration(projectsDir, name))
          ? openAside(asideDir, name, git)
          : openProject(projectsDir, name, git),
      onNotice: (text) => this.report(name, text),
    });
    const slot: Slot = {
      name,
      writer,
      isDirty: false,
      notBefore: 0,
      latest: 0,
      timer: undefined,
      running: undefined,
    };
    this.slots.set(name, slot);
    return slot;
  }

  private schedule(slot: Slot): void {
    if (this.closed || slot.timer || slot.running) return;
    const now = performance.now();
    slot.latest = Math.max(now, slot.notBefore) + LONGEST_WAIT;
    this.lookAfter(slot, Math.max(LOOK, slot.notBefore - now));
  }

  /** Writes after so many milliseconds, or at the next look after which recording is not busy. */
  private lookAfter(slot: Slot, delay: number): void {
    const isBusy = watchBusy();
    slot.timer = setTimeout(() => {
      if (isBusy() && performance.now() < slot.latest) this.lookAfter(slot, LOOK);
      else void this.run(slot);
    }, delay);
    // What is not written at the end is what `close` was not called for.
    slot.timer.unref();
  }

  private async run(slot: Slot): Promise<void> {
    // Also after waiting for a run: another caller may have begun the next one.
    while (slot.running) await slot.running;
    clearTimeout(slot.timer);
    slot.timer = undefined;
    slot.running = this.write(slot);
    await slot.running;
    slot.running = undefined;
    if (slot.isDirty) this.schedule(slot);
  }

  private async write(slot: Slot): Promise<void> {
    slot.isDirty = false;
    const began = performance.now();
    try {
      const { filesMs, skipped } = await slot.writer.write();
      const took = performance.now() - began;
      slot.notBefore = performance.now() + Math.max(PAUSE, FILES_SHARE * filesMs, GIT_SHARE * took);
      if (skipped === undefined) {
        this.report(slot.name, null);
        return;
      }
      this.report(slot.name, skipped);
    } catch (error) {
      this.report(slot.name, adviceOf(error));
    }
    slot.isDirty = true;
    slot.notBefore = performance.now() + RETRY;
  }

  private report(name: string, reason: string | null): void {
    if (reason === (this.troubles.get(name) ?? null)) return;
    if (reason === null) this.troubles.delete(name);
    else this.troubles.set(name, reason);
    const all = [...this.troubles].map(([project, text]) => `STATE.yaml of ${project}: ${text}`);
    this.options.onTrouble(all.length > 0 ? all.join('\n') : null);
  }
}
