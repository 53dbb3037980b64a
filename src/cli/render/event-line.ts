/** Events of the log in words. */
import { counted } from '../../core/counted.js';
import { type Event, type LoggedEvent, isFinishedWork, WORK_STEP } from '../../core/events.js';
import { heldBy, holdText } from '../../core/hold.js';
import type { Move } from '../../engine/history/goal-fold.js';
import { formatDuration, formatDateTime, formatTime } from './duration.js';
import { limitWords } from './limit-words.js';
import { paint, type Style } from './paint.js';
import { oneLine, padEnd, truncate } from './text.js';

export interface Words {
  readonly text: string;
  readonly style?: Style;
}

/**
 * What happened, without what it happened to.
 * @param move what the end of a job came to for its task; taken to be what the event says unless given
 */
export function wordsOf(event: Event, time: number, move?: Move): Words {
  switch (event.type) {
    case 'goal.created':
      return {
        text: `goal: ${event.title}${forked(event.forkOf)}${because(event.why)}`,
        style: 'bold',
      };
    case 'goal.planned':
      return { text: `planned ${counted(event.tasks.length, 'task')}` };
    case 'plan.grown':
      return {
        text: `${event.addedBy ?? 'somebody'} added ${event.tasks.map(({ name }) => name).join(', ')}${because(event.why)}`,
      };
    case 'goal.resubmitted':
      return { text: 'rebuilt from the log: Redis had lost it', style: 'yellow' };
    case 'goal.cancelled':
      return { text: `cancelled${because(event.why)}`, style: 'yellow' };
    case 'goal.settled':
      return { text: 'settled: nothing is left that can run', style: 'red' };
    case 'goal.completed':
      return { text: 'done', style: 'green' };
    case 'goal.reopened':
      return { text: 'open again' };
    case 'goal.evicted':
      return { text: 'its jobs have left Redis' };
    case 'stream.gap':
      return {
        text: `events of ${event.queue} were lost; states were taken from the jobs`,
        style: 'yellow',
      };
    case 'task.queued':
      return { text: event.from === 'failed' ? 'queued again by a person' : 'queued' };
    case 'task.assigned':
      return { text: 'claimed' };
    case 'context.built':
      return {
        text:
          event.needs.length > 0
            ? `saw the results of ${event.needs.join(', ')}`
            : 'saw its own text alone',
      };
    case 'task.declined':
      return { text: `declined by ${event.agent}: ${event.reason}`, style: 'yellow' };
    case 'task.active':
      return { text: `started by ${event.agent}, attempt ${event.attempt}`, style: 'cyan' };
    case 'task.progressed':
      return { text: `progress: ${JSON.stringify(event.progress)}` };
    case 'step.done':
      if (event.step === WORK_STEP) {
        if (event.result === null) return { text: 'its work is to be done again' };
        const isFinished = isFinishedWork(event.result);
        return { text: isFinished ? 'its work is committed' : 'its steps’ files are committed' };
      }
      return { text: `step ‘${event.step}’ done` };
    case 'workspace.opened':
      return { text: `works on ${event.branch} from ${event.base.slice(0, 10)}` };
    case 'task.merged': {
      const others = event.together.length - 1;
      const company = others > 0 ? `, together with ${others} more` : '';
      return { text: `merged into ${event.branch} as ${event.commit.slice(0, 10)}${company}` };
    }
    case 'goal.landed':
      return {
        text: `landed on ${event.base} as ${event.commit.slice(0, 10)}${event.behind ? `; files stayed behind. ${event.behind.join(' ')}` : ''}`,
        style: 'green',
      };
    case 'landing.approved':
      return { text: `may land${because(event.note)}` };
    case 'branch.moved':
      return {
        text: `its branch stands at ${event.commit.slice(0, 10)}; ${event.kept ?? 'nothing'} keeps what it was`,
      };
    case 'push.begun':
      return { text: `is pushed to ${event.branch}`, style: 'gray' };
    case 'goal.pushed':
      return { text: `pushed to ${event.branch} as ${event.commit.slice(0, 10)}` };
    case 'landing.refused':
      return { text: `could not land: ${event.reason}`, style: 'yellow' };
    case 'landing.hindered':
      return { text: `cannot land yet: ${event.reason}`, style: 'yellow' };
    case 'goal.rolled-back':
      return {
        text: `rolled back to ${event.commit.slice(0, 10)}${because(event.why)}`,
        style: 'yellow',
      };
    case 'check.finished':
      return event.passed
        ? { text: `check passed in ${formatDuration(event.durationMs)}: ${brief(event.command)}` }
        : {
            text: `check failed (${event.exitCode ?? 'ended'}): ${brief(event.command)}`,
            style: 'red',
          };
    case 'attempt.failed':
      return { text: `attempt failed: ${event.error}`, style: 'red' };
    case 'outside.changed':
      return {
        text: `changed in the repository meanwhile, by a task or a person: ${event.changes.map(({ name }) => name).join(', ')}`,
        style: 'yellow',
      };
    case 'attempt.hindered':
      return { text: `waits until this is gone: ${event.reason}`, style: 'yellow' };
    case 'task.held':
      return { text: `put aside: ${heldWords(event.until)}`, style: 'yellow' };
    case 'limit.set':
      return { text: `${limitWords(event.limit)}${because(event.why)}` };
    case 'task.retrying':
      return {
        text: `will be tried again in ${formatDuration(event.until - time)}`,
        style: 'yellow',
      };
    case 'task.retried':
      return {
        text: `retried by a person${event.fromScratch ? ' from scratch' : ''}${because(event.why)}`,
        style: 'yellow',
      };
    case 'goal.repaired':
      return {
        text: `Redis had lost its last writes: ${event.tasks.join(', ')} completed there once more`,
        style: 'yellow',
      };
    case 'tasks.reopened':
      return {
        text: `${event.tasks.join(', ')} begin${event.tasks.length === 1 ? 's' : ''} again${because(event.why)}`,
        style: 'yellow',
      };
    case 'tasks.inherited':
      return {
        text: `takes over what ${event.from} had finished: ${event.tasks.map(({ of }) => of).join(', ')}`,
      };
    case 'task.edited':
      return { text: `${Object.keys(event.changes).join(', ')} changed${because(event.why)}` };
    case 'tasks.cancelled':
      return { text: `${event.tasks.join(', ')} cancelled${because(event.why)}`, style: 'yellow' };
    case 'task.skipped':
      return {
        text: `skipped${because(event.why)}; its dependents go on without it`,
        style: 'yellow',
      };
    case 'task.approved':
    case 'goal.approved':
      return { text: `approved${VIA[event.via]}${because(event.note)}`, style: 'green' };
    case 'task.rejected':
    case 'goal.rejected':
      return {
        text: `rejected${VIA[event.via]}${because(event.note)}${event.end ? '' : '; it starts with this note'}`,
        style: 'red',
      };
    case 'goal.signalled':
      return { text: `signal ‘${event.name}’: ${JSON.stringify(event.data)}` };
    case 'gate.opened':
      return {
        text:
          event.via === 'time'
            ? 'its time has come'
            : `goes on without its ${event.gate}, by hand${VIA[event.via]}`,
      };
    case 'project.paused':
    case 'project.resumed':
      return { text: `the project ${event.type.slice('project.'.length)}${because(event.why)}` };
    case 'capability.paused':
    case 'capability.resumed':
      return {
        text: `${event.capability} ${event.type.slice('capability.'.length)}${because(event.why)}`,
      };
    case 'goal.paused':
      return { text: `paused${because(event.why)}`, style: 'yellow' };
    case 'goal.resumed':
      return { text: `goes on${because(event.why)}` };
    case 'task.stalled':
      return { text: 'its agent is gone; it will be claimed again', style: 'yellow' };
    case 'task.suspended':
      return { text: 'waits for the tasks that it added' };
    case 'task.completed':
      if (move && isOver(move))
        return { text: `its job ended; it stays ${move.to}`, style: 'gray' };
      return move && move.to !== 'DONE'
        ? { text: 'failed: completed without its check', style: 'red' }
        : { text: 'done', style: 'green' };
    case 'task.failed':
      return move && isOver(move)
        ? { text: `its job failed; it stays ${move.to}: ${event.reason}`, style: 'gray' }
        : { text: `failed: ${event.reason}`, style: 'red' };
    case 'schedule.added':
      return { text: `schedule "${event.cron}" in ${event.tz}`, style: 'bold' };
    case 'schedule.paused':
      return { text: `schedule paused${because(event.why)}`, style: 'yellow' };
    case 'schedule.resumed':
      return { text: `schedule goes on${because(event.why)}` };
    case 'schedule.removed':
      return { text: `schedule removed${because(event.why)}`, style: 'yellow' };
    case 'schedule.fired':
      return {
        text: `${event.goal} begins${dueAt(event.due)}${because(event.why)}`,
        style: 'cyan',
      };
    case 'schedule.queued':
      return {
        text: `what is due${dueAt(event.due)} waits for ${event.behind}${because(event.why)}`,
      };
    case 'schedule.skipped':
      return {
        text: `what was due${dueAt(event.due)} is skipped: ${event.reason}`,
        style: 'yellow',
      };
    case 'schedule.missed':
      return {
        text: `${event.more ? 'more than ' : ''}${event.count} were missed, the last${dueAt(event.to)}`,
        style: 'yellow',
      };
    default:
      // A log may be read that knows more.
      return { text: (event satisfies never as Event).type };
  }
}

/** Whether the task had ended before, so that the end of its job changed nothing. */
const isOver = ({ from, to }: Move): boolean => from === to;

const VIA = { person: '', board: ' in Bull Board', time: ' by its deadline' } as const;

const dueAt = (due: number | null): string =>
  due === null ? ' by hand' : ` at ${formatDateTime(due)}`;

const forked = (from: { goal: string; task: string } | undefined): string =>
  from === undefined ? '' : `, from ${from.task} of ${from.goal} on`;

function heldWords(until: string | undefined): string {
  return until === undefined ? 'something holds it up' : holdText(heldBy(until));
}

/** Commands may be whole scripts. */
const brief = (command: string): string => truncate(oneLine(command), 60);

const because = (why: string | undefined): string => (why === undefined ? '' : `: ${why}`);

/** Who asked for it, where somebody did and the words do not say so: Bull Board and deadlines they name. */
export function whoAsked({ by, event }: LoggedEvent): string[] {
  const isTold = by === undefined || ('via' in event && event.via !== 'person');
  return isTold ? [] : [oneLine(by)];
}

/** A line of `drover logs`: sequence number, time, goal, task, claim, what happened, by whom. */
export function logLine(entry: LoggedEvent, move?: Move): string {
  const { text, style } = wordsOf(entry.event, entry.time, move);
  const shown = oneLine(text);
  return [
    paint('gray', String(entry.seq).padStart(6)),
    paint('gray', formatDateTime(entry.time)),
    // What is done to a project as a whole is of no goal.
    padEnd(entry.goal === '' ? entry.project : entry.goal, 8),
    padEnd(entry.task ?? '', 9),
    padEnd(entry.claim === undefined ? '' : `#${entry.claim}`, 4),
    style ? paint(style, shown) : shown,
    ...whoAsked(entry).map((who) => paint('gray', `(${who})`)),
  ].join(' ');
}

/** Columns of a line of progress: an error may be long, and the log has it whole. */
const LONGEST = 200;

/** What a person who waits for the goal wants to hear of. */
const TOLD: ReadonlySet<Event['type']> = new Set<Event['type']>([
  'plan.grown',
  'goal.resubmitted',
  'goal.cancelled',
  'goal.settled',
  'goal.completed',
  'goal.reopened',
  'stream.gap',
  'task.declined',
  'task.active',
  'check.finished',
  'task.merged',
  'goal.landed',
  'landing.refused',
  'landing.hindered',
  'goal.rolled-back',
  'attempt.failed',
  'attempt.hindered',
  'outside.changed',
  'task.retrying',
  'task.retried',
  'tasks.reopened',
  'tasks.cancelled',
  'task.skipped',
  'task.edited',
  'task.approved',
  'task.rejected',
  'goal.approved',
  'goal.rejected',
  'goal.signalled',
  'gate.opened',
  'goal.paused',
  'goal.resumed',
  'task.stalled',
  'task.completed',
  'task.failed',
]);

/** A line of progress where there is no terminal; undefined for events that change nothing a person waits for. */
export function progressLine(
  entry: LoggedEvent,
  nameOf: (id: string) => string,
  move?: Move,
): string | undefined {
  const { event, task, time } = entry;
  if (!TOLD.has(event.type)) return undefined;
  const { text, style } = wordsOf(event, time, move);
  const shown = truncate(oneLine(text), LONGEST);
  const who = task === undefined ? entry.goal : `${task} ${nameOf(task)}`;
  return `${paint('gray', formatTime(time))}  ${who}: ${style ? paint(style, shown) : shown}`;
}
