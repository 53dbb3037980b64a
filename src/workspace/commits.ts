/** Commits as objects: read, written, and followed back along their first parents. */
import { type Author, DROVER_AUTHOR } from './git.js';
import type { Repository } from './repository.js';

export interface Commit {
  readonly tree: string;
  readonly parents: readonly string[];
  /** ISO 8601, when it was committed. */
  readonly time: string;
  readonly message: string;
}

export interface CommitContent {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly author?: Author | undefined;
}

/** Undefined where it is no commit, or not there. @param id the whole of it */
export async function readCommit({ store }: Repository, id: string): Promise<Commit | undefined> {
  const object = await store.read(id);
  if (object?.type !== 'commit') return undefined;
  const text = object.content.toString();
  const end = text.indexOf('\n\n');
  const head = end === -1 ? text : text.slice(0, end);
  const [, seconds, zone] = /^committer .*> (\d+) ([+-]\d{4})$/m.exec(head) ?? [];
  return {
    tree: /^tree (\S+)$/m.exec(head)?.[1] ?? '',
    parents: [...head.matchAll(/^parent (\S+)$/gm)].map((line) => line[1]!),
    time: isoTime(Number(seconds ?? 0), zone ?? '+0000'),
    message: end === -1 ? '' : text.slice(end + 2),
  };
}

/** Makes a commit. Nothing names it yet. */
export function commitTree(
  { store }: Repository,
  { tree, parents, message, author = DROVER_AUTHOR }: CommitContent,
): Promise<string> {
  const now = new Date();
  const who = `${plain(author.name)} <${plain(author.email)}> ${stamp(now)}`;
  const lines = [
    `tree ${tree}`,
    ...parents.map((parent) => `parent ${parent}`),
    `author ${who}`,
    `committer ${who}`,
  ];
  const whole = message.endsWith('\n') ? message : `${message}\n`;
  return store.write('commit', `${lines.join('\n')}\n\n${whole.replaceAll('\0', '\uFFFD')}`);
}

/** @param commit a commit or a tree */
export async function treeOf(repository: Repository, commit: string): Promise<string> {
  const object = await repository.store.get(commit);
  if (object.type === 'tree') return commit;
  const read = await readCommit(repository, commit);
  if (read) return read.tree;
  // A tag, which may name another one.
  return (await repository.objects.run(['rev-parse', '--verify', `${commit}^{tree}`])).trim();
}

/** How far back to look before git is asked: it reads no more than it has to, but is a process. */
const NEAR = 64;

/** Whether a commit is another one or comes before it. */
export async function isWithin(
  repository: Repository,
  commit: string,
  other: string,
): Promise<boolean> {
  for (let at: string | undefined = other, steps = 0; at && steps < NEAR; steps += 1) {
    if (at === commit) return true;
    at = (await readCommit(repository, at))?.parents[0];
  }
  const { status } = await repository.objects.ask(['merge-base', '--is-ancestor', commit, other]);
  return status === 0;
}

/** What git cuts out of names, because it would end them too early. */
const plain = (name: string): string =>
  name
    .replaceAll(/[<>\n\0]/g, '')
    .replace(/^[\s.,:;"\\']+/, '')
    .replace(/[\s.,:;"\\']+$/, '');

function stamp(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const zone = `${two(Math.abs(offset) / 60)}${two(Math.abs(offset) % 60)}`;
  return `${Math.floor(time.getTime() / 1_000)} ${offset < 0 ? '-' : '+'}${zone}`;
}

function isoTime(seconds: number, zone: string): string {
  const sign = zone.startsWith('-') ? -1 : 1;
  const minutes = sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3)));
  const local = new Date((seconds + minutes * 60) * 1_000);
  if (Number.isNaN(local.getTime())) return new Date(0).toISOString();
  return `${local.toISOString().slice(0, 19)}${zone.slice(0, 3)}:${zone.slice(3)}`;
}
