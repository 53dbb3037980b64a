/** A finished task as a page for people: `tasks/task-123.md`. Pure. */
import { counted } from '../core/counted.js';
import { type LoggedEvent, WORK_STEP } from '../core/events.js';
import type { GoalView, TaskView } from '../core/goal.js';
import type { Json, TaskSpec } from '../core/plan.js';
import { oneLine, shortResult } from './one-line.js';
import { describeTask } from './state-schema.js';

export const pagePath = (task: string): string => `tasks/${task}.md`;

/** Characters of a result, a command or an output. */
const MAX_BLOCK = 20_000;
/** Lines at the beginning and at the end of a trace that is longer than both. */
const TRACE_HEAD = 100;
const TRACE_TAIL = 200;
const MAX_STEPS = 200;

type Check = Extract<LoggedEvent['event'], { type: 'check.finished' }>;

/** @param events the task's own events, oldest first */
export function renderTaskPage(
  goal: GoalView,
  task: TaskView,
  events: Iterable<LoggedEvent>,
): string {
  const { spec } = task;
  const trace = new Trace();
  const steps: string[] = [];
  let check: Check | undefined;
  for (const logged of events) {
    const { event } = logged;
    trace.add(logged);
    if (event.type === 'check.finished') check = event;
    if (event.type === 'step.done' && event.step !== WORK_STEP && steps.length <= MAX_STEPS) {
      if (steps.length === MAX_STEPS) {
        steps.push('- … more, which the log has');
        continue;
      }
      const result = shortResult(event.result);
      steps.push(`- ${inline(event.step)}${result && `: ${inline(result)}`}`);
    }
  }
  const sections = [
    `# ${spec.id}: ${inline(spec.title ?? spec.name)}`,
    facts(goal, task).join('\n'),
    ...asked(spec),
    ...(task.error !== null ? ['## Error', block(task.error)] : []),
    ...(task.result !== null ? ['## Result', ...result(task.result)] : []),
    ...(check ? ['## Check', ...checked(check)] : []),
    ...(steps.length > 0 ? ['## Steps', steps.join('\n')] : []),
    '## Trace',
    block(trace.text()),
  ];
  return `${sections.join('\n\n')}\n`;
}

function facts(goal: GoalView, task: TaskView): string[] {
  const { spec } = task;
  const { state, agent, attempts, started, finished } = describeTask(task);
  const needs = spec.needs.map((id) => {
    const needed = goal.tasks.get(id);
    return needed ? `[${id}](${id}.md) ${inline(needed.spec.name)}` : id;
  });
  const duration =
    started !== undefined && finished !== undefined
      ? durationText(Date.parse(finished) - Date.parse(started))
      : undefined;
  const all: readonly [string, string | number | undefined][] = [
    ['Goal', `${goal.id}, ${inline(goal.title)}`],
    ['Name', inline(spec.name)],
    ['State', state],
    ['Capability', spec.capability],
    ['Needs', needs.length > 0 ? needs.join(', ') : undefined],
    ['Agent', agent && inline(agent)],
    ['Attempts', attempts],
    ['Queued', task.queuedAt === null ? undefined : new Date(task.queuedAt).toISOString()],
    ['Started', started],
    ['Finished', finished && (duration ? `${finished} (after ${duration})` : finished)],
  ];
  return all.flatMap(([label, value]) => (value === undefined ? [] : [`- **${label}**: ${value}`]));
}

function asked({ run, with: input, env, check }: TaskSpec): string[] {
  const parts = [
    ...(run !== undefined ? ['Command:', block(run, 'sh')] : []),
    ...(input !== undefined ? ['Input:', json(input)] : []),
    ...(Object.keys(env).length > 0 ? ['Variables:', json(env)] : []),
    ...(check ? ['To be proven by:', block(check.run, 'sh')] : []),
  ];
  return parts.length > 0 ? ['## Task', ...parts] : [];
}

const result = (value: Json): string[] => [typeof value === 'string' ? block(value) : json(value)];

function checked({ command, exitCode, output, durationMs, passed }: Check): string[] {
  const status = exitCode === null ? 'no exit code' : `exit code ${exitCode}`;
  const verdict = `${passed ? 'Passed' : 'Failed'}: ${status}, after ${durationText(durationMs)}.`;
  return [verdict, block(command, 'sh'), ...(output === '' ? [] : ['Output:', block(output)])];
}

/** One line an event, with the time since the first; of a long trace the middle is left out. */
class Trace {
  private readonly head: string[] = [];
  private tail: string[] = [];
  private left = 0;
  private began: number | undefined;

  add(logged: LoggedEvent): void {
    this.began ??= logged.time;
    const line = traceLine(logged, logged.time - this.began);
    if (this.head.length < TRACE_HEAD) {
      this.head.push(line);
      return;
    }
    this.tail.push(line);
    // Cut now and then, not for every line.
    if (this.tail.length >= 2 * TRACE_TAIL) this.cut();
  }

  text(): string {
    this.cut();
    const gap =
      this.left > 0
        ? [`… ${counted(this.left, 'event is', 'events are')} left out; see the log …`]
        : [];
    return [...this.head, ...gap, ...this.tail].join('\n');
  }

  private cut(): void {
    const surplus = Math.max(0, this.tail.length - TRACE_TAIL);
    this.left += surplus;
    this.tail = this.tail.slice(surplus);
  }
}

function traceLine({ event, claim, by }: LoggedEvent, since: number): string {
  const time = `+${(since / 1_000).toFixed(3)} s`.padStart(12);
  const words = [
    event.type,
    ...(claim !== undefined ? [`(claim ${claim})`] : []),
    ...(by !== undefined ? [`by ${oneLine(by, 60)}`] : []),
    oneLine(detail(event), 120),
  ];
  return `${time}  ${words.join(' ').trimEnd()}`;
}

function detail(event: LoggedEvent['event']): string {
  switch (event.type) {
    case 'task.active':
      return `${event.agent}, attempt ${event.attempt}`;
    case 'task.declined':
      return `${event.agent}: ${event.reason}`;
    case 'attempt.failed':
      return event.error;
    case 'task.failed':
      return event.reason;
    case 'task.retrying':
      return `until ${new Date(event.until).toISOString()}`;
    case 'task.retried':
      return event.why ?? '';
    case 'step.done':
      return event.step === WORK_STEP ? '' : event.step;
    case 'task.merged':
      return `${event.branch} at ${event.commit.slice(0, 10)}`;
    case 'task.progressed':
      return shortResult(event.progress);
    case 'check.finished':
      return `${event.passed ? 'passed' : 'failed'}: ${event.command}`;
    default:
      return '';
  }
}

/** Text between words of markdown, with nothing in it that markdown or HTML would take for its own. */
function inline(text: string): string {
  return oneLine(text).replace(/[\\`*_[\]<>&|~]/g, (character) => `\\${character}`);
}

/** A code block; its fence is longer than any that the text has. */
function block(text: string, language = ''): string {
  const cut = text.length > MAX_BLOCK;
  const body = text
    .slice(0, MAX_BLOCK)
    // Carriage returns, escapes and the like would garble the page in a terminal.
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\n\t]|[\p{Cs}\p{Bidi_Control}]/gu, '\u{fffd}')
    .replace(/\n+$/, '');
  const runs = [...body.matchAll(/`{3,}/g)].map(([run]) => run.length);
  const fence = '`'.repeat(1 + Math.max(2, ...runs));
  const note = cut
    ? `\n\nCut after ${MAX_BLOCK} of ${text.length} characters; the log has all of it.`
    : '';
  return `${fence}${language}\n${body}\n${fence}${note}`;
}

const json = (value: Json): string => block(JSON.stringify(value, null, 2), 'json');

/** `0.350 s`, `12.4 s`, `3 min 20 s`, `2 h 5 min` */
function durationText(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  if (seconds < 10) return `${seconds.toFixed(3)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
