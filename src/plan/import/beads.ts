/**
 * beads' `issues.jsonl`: one issue a line, with typed dependencies. `blocks` (and what waits in the same way) is a
 * need. An issue with children, an epic, comes after them, and they wait for what it waits for; the other
 * links (related, discovered-from…) order nothing.
 */
import { z } from 'zod';
import {
  idSchema,
  inputOf,
  isMap,
  listOf,
  ownIdSchema,
  quoted,
  readState,
  textSchema,
} from './fields.js';
import type { Draft, Finding, Item, ItemNeed, ReadOptions } from './item.js';
import { readAs, withId } from './read-as.js';

const dependencySchema = z.looseObject({
  issue_id: idSchema.nullish(),
  depends_on_id: idSchema,
  type: z
    .string()
    .nullish()
    .transform((type) => type ?? 'blocks'),
});

const issueSchema = z.looseObject({
  id: ownIdSchema,
  title: textSchema,
  description: textSchema,
  design: textSchema,
  acceptance_criteria: textSchema,
  notes: textSchema,
  status: textSchema,
  priority: z.number().nullish(),
  issue_type: textSchema,
  estimated_minutes: z.number().min(0).nullish(),
  labels: listOf(z.string()),
  dependencies: listOf(dependencySchema),
});
type Issue = z.output<typeof issueSchema> & { readonly id: string };

/** A line of the file. */
export interface JsonLine {
  readonly number: number;
  readonly value: unknown;
}

const STATES = {
  open: 'open',
  pending: 'open',
  blocked: 'open',
  closed: 'done',
  tombstone: 'dropped',
  deferred: 'later',
  'in-progress': 'restart',
  hooked: 'restart',
} as const;

/** Links that order nothing. */
const OTHER_LINKS: ReadonlySet<string> = new Set([
  'parent-child',
  'related',
  'relates-to',
  'discovered-from',
  'duplicates',
  'supersedes',
  'replies-to',
  'caused-by',
  'validates',
  'tracks',
  'until',
  'attests',
  'delegated-from',
  'authored-by',
  'assigned-to',
  'approved-by',
]);
const NEEDS: ReadonlySet<string> = new Set(['blocks', 'conditional-blocks', 'waits-for']);
const MINUTE = 60_000;

export function readBeads(lines: readonly JsonLine[], { file, fallbackTitle }: ReadOptions): Draft {
  const findings: Finding[] = [];
  const reading = { file, findings };
  const issues = lines.map(({ number, value }): Entry => {
    const where = `line ${number}`;
    const issue = readAs(issueSchema, value, where, reading);
    return { where, issue: withId(issue, where, where, reading) };
  });
  tellOfLinks(issues, findings);
  const byId = new Map(issues.map((entry) => [entry.issue.id, entry]));
  const family = familyOf(issues, byId, findings);
  const items = issues.map(({ issue, where }): Item => {
    const needs = [
      ...blockersOf(issue, where),
      ...inherited(issue, byId, family.parents),
      ...(family.children.get(issue.id) ?? []).map((name) => ({ name, where })),
    ];
    return {
      name: issue.id,
      where,
      title: issue.title ?? issue.id,
      needs,
      state: readState(issue.status, STATES, where, issue.id, findings),
      work: {
        with: inputOf({
          title: issue.title,
          type: issue.issue_type,
          description: issue.description,
          design: issue.design,
          acceptanceCriteria: issue.acceptance_criteria,
          notes: issue.notes,
          labels: issue.labels,
        }),
      },
      priority: priorityOf(issue, where, findings),
      expected: issue.estimated_minutes ? Math.round(issue.estimated_minutes * MINUTE) : undefined,
    };
  });
  return { title: fallbackTitle, items, findings };
}

/** Links that do not say what they seem to. */
function tellOfLinks(issues: readonly Entry[], findings: Finding[]): void {
  for (const { issue, where: line } of issues) {
    const where = `${line}, dependencies`;
    for (const { issue_id: from, depends_on_id: to, type } of issue.dependencies) {
      const link = `the link to ${quoted(to)}`;
      if (from != null && from !== issue.id) {
        const message = `${link} is one of ${quoted(from)}, and stands at ${quoted(issue.id)}`;
        const done = `It counts as a link of ${quoted(issue.id)}.`;
        findings.push({ kind: 'value', where, message, done });
      }
      if (NEEDS.has(type) || OTHER_LINKS.has(type)) continue;
      const message = `${link} has the unknown type ${quoted(type)}`;
      findings.push({ kind: 'value', where, message, done: 'It orders nothing.' });
    }
  }
}

const blockersOf = (issue: Issue, where: string): ItemNeed[] =>
  issue.dependencies
    .filter(({ type }) => NEEDS.has(type))
    .map((dependency) => ({ name: dependency.depends_on_id, where: `${where}, dependencies` }));

interface Family {
  /** Names of the issues below an issue. */
  readonly children: ReadonlyMap<string, readonly string[]>;
  readonly parents: ReadonlyMap<string, string>;
}

/** An issue and its line. */
interface Entry {
  readonly issue: Issue;
  readonly where: string;
}

function familyOf(
  issues: readonly Entry[],
  byId: ReadonlyMap<string, Entry>,
  findings: Finding[],
): Family {
  const children = new Map<string, string[]>();
  const parents = new Map<string, string>();
  const upwards = upwardNeeds(issues.map(({ issue }) => issue));
  for (const { issue, where } of issues) {
    for (const { type, depends_on_id: parent } of issue.dependencies) {
      if (type !== 'parent-child') continue;
      const place = `${where}, dependencies`;
      if (!byId.has(parent)) {
        const message = `‘${issue.id}’ belongs to ‘${parent}’, which is not in the file`;
        findings.push({ kind: 'dangling', where: place, message, done: 'It stands alone.' });
      } else if (parent === issue.id || upwards(issue.id).has(parent)) {
        const message = `‘${issue.id}’ belongs to ‘${parent}’ and waits for it as well`;
        const done = 'The need counts; that it belongs there is left out.';
        findings.push({ kind: 'circular', where: place, message, done });
      } else {
        children.set(parent, [...(children.get(parent) ?? []), issue.id]);
        parents.set(issue.id, parent);
      }
    }
  }
  return { children, parents };
}

/** For an issue, everything that it waits for by its own links, however indirectly. */
function upwardNeeds(issues: readonly Issue[]): (id: string) => ReadonlySet<string> {
  const needs = new Map(
    issues.map((issue) => [issue.id, blockersOf(issue, '').map(({ name }) => name)]),
  );
  return (id) => {
    const seen = new Set<string>(needs.get(id) ?? []);
    for (const need of seen) for (const next of needs.get(need) ?? []) seen.add(next);
    return seen;
  };
}

/** What blocks the issues above it. */
function inherited(
  issue: Issue,
  byId: ReadonlyMap<string, Entry>,
  parents: ReadonlyMap<string, string>,
): ItemNeed[] {
  const needs: ItemNeed[] = [];
  const seen = new Set([issue.id]);
  for (let above = parents.get(issue.id); above !== undefined; above = parents.get(above)) {
    if (seen.has(above)) break;
    seen.add(above);
    // An epic may wait for one of its own: its other children do not.
    const entry = byId.get(above)!;
    for (const need of blockersOf(entry.issue, entry.where)) {
      if (!belongsTo(need.name, above, parents)) needs.push({ ...need, of: above });
    }
  }
  return needs;
}

function belongsTo(id: string, ancestor: string, parents: ReadonlyMap<string, string>): boolean {
  const seen = new Set<string>();
  for (let at: string | undefined = id; at !== undefined && !seen.has(at); at = parents.get(at)) {
    if (at === ancestor) return true;
    seen.add(at);
  }
  return false;
}

function priorityOf({ priority }: Issue, where: string, findings: Finding[]): Item['priority'] {
  const words = ['urgent', 'high', undefined, 'low', 'low'] as const;
  if (priority == null) return undefined;
  if (Number.isInteger(priority) && priority >= 0 && priority < words.length)
    return words[priority];
  const message = `the priority ${priority} is not one of 0 to 4`;
  findings.push({
    kind: 'value',
    where,
    message,
    done: 'The issue gets the priority of its goal.',
  });
  return undefined;
}

/** Whether a value looks like an issue. */
export const isIssue = (value: unknown): boolean =>
  isMap(value) &&
  typeof value['id'] === 'string' &&
  typeof value['title'] === 'string' &&
  ('issue_type' in value || 'dependencies' in value || 'priority' in value);
