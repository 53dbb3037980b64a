/**
 * Writes one project's STATE.yaml and task pages, and commits them.
 *
 * Invariants kept here: 1 (the files follow the log; whatever is in them is made from it again at any time),
 * 8 (a damaged STATE.yaml is kept). Pages are written before the STATE.yaml in which their tasks are done,
 * and that before its commit: so a start finds what a crash left out by comparing the file with the log, and
 * the file with its last commit.
 */
import type { LoggedEvent } from '../../core/events.js';
import type { GoalView } from '../../core/goal.js';
import { messageOf } from '../../core/errors.js';
import { commentsOf } from '../../projections/state-comments.js';
import { parseState, renderState, saySame, STATE_FILE } from '../../projections/state-file.js';
import type { Comments } from '../../projections/state-lines.js';
import type { GoalEntry, StateFile } from '../../projections/state-schema.js';
import { pagePath, renderTaskPage } from '../../projections/task-page.js';
import { committedFile, commitFiles, type Project } from '../../workspace/project.js';
import { readProjectFile, setAside, writeProjectFile } from '../../workspace/project-files.js';
import { type ProjectSettings, readProjectSettings } from '../../workspace/project-settings.js';
import { commitMessage, type Moment } from './commit-message.js';
import type { Ledger } from '../recording/ledger.js';
import { ProjectState } from './project-state.js';

export interface ProjectWriterOptions {
  readonly name: string;
  readonly ledger: Ledger;
  readonly open: () => Promise<Project>;
  /** Something that people should know, and that needs no repetition. */
  readonly onNotice: (text: string) => void;
}

export interface Written {
  /** Why there was no commit, where one is due. */
  readonly skipped?: string;
  /** Milliseconds for the files alone, without git. */
  readonly filesMs: number;
}

/** Something to commit for. An object, so that the same moment of a later time is told apart. */
interface Due {
  readonly moment: Moment;
}

export class ProjectWriter {
  private readonly state: ProjectState;
  private opened: Promise<Project> | undefined;
  /** The file as it was last seen on disk, and its comments. */
  private seen: { readonly text: string; readonly comments: Comments } | undefined;
  /** A text of the file that is known not to be damaged. */
  private intact: string | undefined;
  /** Tasks whose page is to be written, with their goals. */
  private pages = new Map<string, string>();
  /** Pages that no commit has yet. */
  private readonly uncommitted = new Set<string>();
  /** What the next commit is made for. */
  private readonly due = new Map<string, Due>();

  constructor(private readonly options: ProjectWriterOptions) {
    this.state = new ProjectState(options.ledger, options.name);
  }

  noteGoal(goal: GoalView, tasks: ReadonlySet<string>): void {
    this.state.note(goal, tasks);
  }

  noteEvent({ event, goal, task }: LoggedEvent): void {
    const moment = MOMENTS[event.type];
    if (moment) this.due.set(goal, { moment });
    if (task !== undefined && (event.type === 'task.completed' || event.type === 'task.failed')) {
      this.pages.set(task, goal);
    }
  }

  /** Finds what is not written or not committed yet; to be called once, at the start. */
  async compare(): Promise<void> {
    const project = await this.project();
    const [onDisk, inGit] = await Promise.all([
      readProjectFile(project, STATE_FILE),
      project.isTracked ? committedFile(project, STATE_FILE) : undefined,
    ]);
    const shown = goalsIn(onDisk);
    // Parsing takes 0.15 s for 10,000 tasks, so what is the same is parsed once, also in `writeState`.
    const committed = inGit === onDisk ? shown : goalsIn(inGit);
    if (shown) this.intact = onDisk;
    for (const [id, entry] of Object.entries(this.state.entries())) {
      if (committed?.[id]?.state !== entry.state) {
        this.due.set(id, { moment: entry.tasks ? 'planned' : 'changed' });
      }
      const before = shown?.[id];
      for (const [task, { state, finished }] of Object.entries(entry.tasks ?? {})) {
        const isKnown = before?.tasks
          ? before.tasks[task]?.finished === finished
          : before?.state === entry.state;
        if ((state === 'DONE' || state === 'FAILED') && !isKnown) this.pages.set(task, id);
      }
    }
  }

  /** Brings the files and the repository up to date; what it throws leaves the rest for the next call. */
  async write(): Promise<Written> {
    const project = await this.project();
    const settings = await readProjectSettings(project);
    const began = performance.now();
    // Everything as of one moment: the log's last event, the goals, the pages, what is to be committed.
    const { name, ledger } = this.options;
    const file = { project: name, seq: ledger.log.lastSeq(), goals: this.state.entries() };
    const due = new Map(this.due);
    await this.writePages(project, settings);
    await this.writeState(project, file);
    const filesMs = performance.now() - began;
    const skipped = await this.commit(project, settings, due, file.goals);
    return { filesMs, ...(skipped !== undefined && { skipped }) };
  }

  private project(): Promise<Project> {
    this.opened ??= this.options.open();
    // A folder that cannot be opened now may be mended later.
    this.opened.catch(() => (this.opened = undefined));
    return this.opened;
  }

  private async writePages(project: Project, { taskPages }: ProjectSettings): Promise<void> {
    const pages = this.pages;
    this.pages = new Map();
    if (!taskPages) return;
    const { log, board } = this.options.ledger;
    const views = new Map<string, GoalView | undefined>();
    try {
      for (const [id, goalId] of pages) {
        if (!views.has(goalId)) views.set(goalId, board.goal(goalId));
        const goal = views.get(goalId);
        const task = goal?.tasks.get(id);
        if (goal && task) {
          await writeProjectFile(
            project,
            pagePath(id),
            renderTaskPage(goal, task, log.events({ task: id })),
          );
          this.uncommitted.add(pagePath(id));
        }
        pages.delete(id);
      }
    } finally {
      for (const [id, goalId] of pages) this.pages.set(id, goalId);
    }
  }

  private async writeState(project: Project, file: Omit<StateFile, 'version'>): Promise<void> {
    const previous = await readProjectFile(project, STATE_FILE);
    const isSeen = previous !== undefined && previous === this.seen?.text;
    const isIntact = previous === undefined || isSeen || previous === this.intact;
    const damage = isIntact ? undefined : damageOf(previous);
    this.intact = undefined;
    const comments = isSeen && this.seen ? this.seen.comments : commentsOf(previous ?? '');
    // Rendering changes the comments, so they are those of no file until the new text is written.
    this.seen = undefined;
    const text = renderState(file, comments);
    if (damage !== undefined) {
      const kept = await setAside(project, STATE_FILE);
      this.options.onNotice(`${damage} The damaged text is in ${kept}.`);
    }
    const isSame = previous !== undefined && damage === undefined && saySame(previous, text);
    if (!isSame) await writeProjectFile(project, STATE_FILE, text);
    this.seen = { text: isSame ? previous : text, comments };
  }

  private async commit(
    project: Project,
    { commitState, author }: ProjectSettings,
    due: ReadonlyMap<string, Due>,
    goals: Readonly<Record<string, GoalEntry>>,
  ): Promise<string | undefined> {
    if (due.size === 0) return undefined;
    const pages = [...this.uncommitted];
    if (commitState && project.isTracked) {
      const moments = new Map([...due].map(([goal, { moment }]) => [goal, moment]));
      const message = commitMessage(moments, goals);
      const { skipped } = await commitFiles(project, [STATE_FILE, ...pages], message, author);
      if (skipped !== undefined) return skipped;
    }
    for (const page of pages) this.uncommitted.delete(page);
    for (const [goal, moment] of due) {
      // Not what has happened since.
      if (this.due.get(goal) === moment) this.due.delete(goal);
    }
    return undefined;
  }
}

const MOMENTS: Partial<Record<LoggedEvent['event']['type'], Moment>> = {
  'goal.created': 'created',
  'goal.planned': 'planned',
  'goal.reopened': 'reopened',
  'goal.settled': 'changed',
  'goal.completed': 'changed',
  'goal.cancelled': 'changed',
};

/** Undefined where there is no file, or a damaged one. */
function goalsIn(text: string | undefined): StateFile['goals'] | undefined {
  try {
    return text === undefined ? undefined : parseState(text).goals;
  } catch {
    return undefined;
  }
}

/** What is wrong with a text; undefined where nothing is. */
function damageOf(text: string): string | undefined {
  try {
    parseState(text);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
