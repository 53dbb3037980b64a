/**
 * Taskmaster's `tasks.json`: lists of tasks by tag, each task with subtasks. Subtasks wait for what their task
 * waits for; the task itself comes after them, and whoever needs it needs them all.
 */
import { z } from 'zod';
import { DroverError } from '../../core/errors.js';
import { inputOf, listOf, ownIdSchema, readPriority, readState, textSchema } from './fields.js';
import { isMap } from './fields.js';
import type { Draft, Finding, Item, ItemNeed, ReadOptions, State } from './item.js';
import { readAs, type Reading, withId } from './read-as.js';

const dependencySchema = z.union([z.string(), z.number()]);

const common = {
  id: ownIdSchema,
  title: textSchema,
  description: textSchema,
  details: textSchema,
  testStrategy: textSchema,
  status: textSchema,
  dependencies: listOf(dependencySchema),
};
const subtaskSchema = z.looseObject(common);
const taskSchema = z.looseObject({ ...common, priority: textSchema });
type Identified<T> = T & { readonly id: string };
type Subtask = Identified<z.output<typeof subtaskSchema>>;
type Task = Identified<z.output<typeof taskSchema>> & {
  readonly subtasks: readonly Subtask[];
};

const listSchema = z.looseObject({
  tasks: z.array(taskSchema.extend({ subtasks: listOf(subtaskSchema) })),
});

const STATES = {
  pending: 'open',
  todo: 'open',
  blocked: 'open',
  done: 'done',
  completed: 'done',
  cancelled: 'dropped',
  canceled: 'dropped',
  'in-progress': 'restart',
  review: 'restart',
  deferred: 'later',
} as const;

export function readTaskmaster(value: unknown, { file, fallbackTitle, tag }: ReadOptions): Draft {
  const lists = listsOf(value);
  const chosen = tag === undefined ? lists : lists.filter(([name]) => name === tag);
  if (chosen.length === 0) {
    const names = lists.map(([name]) => name).filter((name) => name !== '');
    throw new DroverError(
      'not-found',
      `${file} has no tag ‘${tag}’.`,
      names.length === 0
        ? 'It has no tags at all: leave --tag out.'
        : `It has ${names.join(', ')}.`,
    );
  }
  const findings: Finding[] = [];
  const reading = { file, findings };
  const items = chosen.flatMap(([name, list]) => {
    const tasks = tasksOf(list, name, reading);
    // Ids are unique within a tag only.
    const prefix = chosen.length > 1 ? `${name}/` : '';
    return new TagReader(tasks, prefix, name === '' ? 'tasks' : `${name}.tasks`, findings).items();
  });
  const title = tag ?? (chosen.length === 1 && chosen[0]![0] !== '' ? chosen[0]![0] : undefined);
  return { title: title && title !== 'master' ? title : fallbackTitle, items, findings };
}

/** Lists by tag; the older form has one list and no tag. */
function listsOf(value: unknown): [string, unknown][] {
  if (!isMap(value)) return [['', value]];
  if (Array.isArray(value['tasks'])) return [['', value]];
  return Object.entries(value).filter(([, list]) => isMap(list) && Array.isArray(list['tasks']));
}

function tasksOf(list: unknown, tag: string, reading: Reading): Task[] {
  return readAs(listSchema, list, tag, reading).tasks.map((task, index) => {
    const place = `tasks[${index}]`;
    const where = tag === '' ? place : `${tag}.${place}`;
    const subtasks = task.subtasks.map((subtask, position) => {
      const below = `subtasks[${position}]`;
      return withId(subtask, below, `${where}.${below}`, reading);
    });
    return { ...withId(task, place, where, reading), subtasks };
  });
}

class TagReader {
  private readonly tasks: ReadonlyMap<string, Task>;

  constructor(
    private readonly list: readonly Task[],
    private readonly prefix: string,
    private readonly path: string,
    private readonly findings: Finding[],
  ) {
    this.tasks = new Map(list.map((task) => [task.id, task]));
  }

  items(): Item[] {
    return this.list.flatMap((task, index) => this.taskItems(task, `${this.path}[${index}]`));
  }

  private taskItems(task: Task, where: string): Item[] {
    const { findings } = this;
    const name = this.name(task.id);
    const state = readState(task.status, STATES, where, name, findings);
    const needs = task.dependencies.map((need) => ({
      name: this.name(String(need)),
      where: `${where}.dependencies`,
    }));
    // A task that waits for itself or for a subtask of its own says nothing about the other subtasks.
    const own = new Set([
      name,
      ...task.subtasks.map((subtask) => this.name(subtaskId(task, subtask))),
    ]);
    const inherited = needs
      .filter((need) => !own.has(need.name))
      .map((need) => ({ ...need, of: name }));
    const priority = readPriority(task.priority, where, findings);
    const subtasks = task.subtasks.map((subtask, index): Item => {
      const place = `${where}.subtasks[${index}]`;
      const subname = this.name(subtaskId(task, subtask));
      return {
        name: subname,
        where: place,
        title: subtask.title ?? subname,
        needs: [...inherited, ...this.siblingNeeds(task, subtask, place)],
        state: this.subtaskState(subtask, state, place, subname, name),
        work: { with: inputOf({ ...textsOf(subtask), partOf: task.title }) },
        priority,
      };
    });
    const last: Item = {
      name,
      where,
      title: task.title ?? name,
      needs: [...needs, ...subtasks.map((subtask) => ({ name: subtask.name, where }))],
      state,
      work: {
        with: inputOf({
          ...textsOf(task),
          finishedSubtasks: subtasks.map(({ title }) => title),
        }),
      },
      priority,
    };
    return [...subtasks, last];
  }

  /** A task that is done has done its subtasks, whatever they say themselves. */
  private subtaskState(
    { status }: Subtask,
    parent: State,
    where: string,
    name: string,
    parentName: string,
  ): State {
    if (parent === 'open') return readState(status, STATES, where, name, this.findings);
    const own = readState(status, STATES, where, name, []);
    if (own !== 'open') return own;
    const said = `‘${name}’ is ${status ?? 'pending'}, but its task ‘${parentName}’`;
    const [message, done] =
      parent === 'done'
        ? [`${said} is done`, 'It counts as done, like its task.']
        : [`${said} ${parent.because}`, 'It is left out, like its task.'];
    this.findings.push({ kind: 'state', where, message, done });
    return parent === 'done'
      ? parent
      : { because: `belongs to ‘${parentName}’, which ${parent.because}` };
  }

  /** Subtasks name their siblings as `2`, as `"2"` or as `"5.2"`; other tasks as `"7"` or `"7.1"`. */
  private siblingNeeds(task: Task, subtask: Subtask, place: string): ItemNeed[] {
    const siblings = new Set(task.subtasks.map(({ id }) => id));
    return subtask.dependencies.map((need) => {
      const text = String(need);
      const where = `${place}.dependencies`;
      if (siblings.has(text)) return { name: this.name(subtaskId(task, { id: text })), where };
      if (!text.includes('.') && this.tasks.has(text)) {
        const message = `‘${subtask.id}’ of ‘${task.id}’ waits for ‘${text}’, which is no subtask beside it but a task`;
        this.findings.push({ kind: 'value', where, message, done: 'It waits for that task.' });
        return { name: this.name(text), where };
      }
      return { name: this.name(text.includes('.') ? text : `${task.id}.${text}`), where };
    });
  }

  private name(id: string): string {
    return `${this.prefix}${id}`;
  }
}

/** Some writers give subtasks their full id. */
const subtaskId = (task: { id: string }, { id }: { id: string }): string =>
  id.startsWith(`${task.id}.`) ? id : `${task.id}.${id}`;

const textsOf = ({ title, description, details, testStrategy }: Subtask) => ({
  title,
  description,
  details,
  testStrategy,
});
