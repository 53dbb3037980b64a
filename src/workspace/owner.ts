/**
 * Which log a repository belongs to.
 *
 * Kept here: the branches of goals and tasks have their numbers, and each log counts from one. So two logs that work in one
 * repository would take each other's branches for their own; the first one has it, and any other waits until a person has
 * put aside what that one left (invariant 8).
 */
import { hostname } from 'node:os';
import { z } from 'zod';
import { DroverError } from '../core/errors.js';
import { moveRefs, readRef, refsBelow } from './refs.js';
import type { RefMove } from './ref-move.js';
import type { Repository } from './repository.js';

const OWNER = 'refs/drover/log';
const BEFORE = 'refs/drover-before/';

const ownerSchema = z.object({ log: z.string(), host: z.string() });

/**
 * Takes the repository for the log, where it has none yet.
 * @throws DroverError `hindered` where it belongs to another one
 */
export async function requireOwnRepository(repository: Repository, log: string): Promise<void> {
  for (;;) {
    const held = await readRef(repository, OWNER);
    if (held !== undefined) {
      const owner = await readOwner(repository, held);
      if (owner?.log === log) return;
      throw belongsToAnother(repository, owner);
    }
    const note = { log, host: hostname() };
    const to = await repository.store.write('blob', `${JSON.stringify(note)}\n`);
    if ((await moveRefs(repository, [{ ref: OWNER, from: null, to }])) === 'moved') return;
  }
}

/** @throws DroverError `hindered` where the repository's branches of goals are another log's */
export async function requireNoOtherOwner(
  repository: Repository,
  log: string | undefined,
): Promise<void> {
  const held = await readRef(repository, OWNER);
  if (held === undefined) return;
  const owner = await readOwner(repository, held);
  if (owner?.log !== log) throw belongsToAnother(repository, owner);
}

async function readOwner({ store }: Repository, note: string) {
  const { content } = await store.get(note);
  try {
    return ownerSchema.parse(JSON.parse(content.toString()));
  } catch {
    return undefined;
  }
}

/** Short: the inbox has one line for it. */
const belongsToAnother = (
  { name }: Repository,
  owner: z.infer<typeof ownerSchema> | undefined,
): DroverError =>
  new DroverError(
    'hindered',
    `Another Drover log${owner ? ` (${owner.log.slice(0, 8)}, on ${owner.host})` : ''} has the repository of project ${name}.`,
    `Use its data directory, or let \`drover project take-over ${name}\` put aside what it left.`,
  );

/**
 * Puts aside all branches and notes of Drover's own: whoever works in the repository next has it. They stay reachable.
 * @returns the references that were put aside, as they are called now
 */
export async function putAsideAll(repository: Repository): Promise<string[]> {
  const own = [
    ...(await refsBelow(repository, 'refs/drover/')),
    ...(await refsBelow(repository, 'refs/heads/autonomous/')),
  ];
  if (own.length === 0) return [];
  const now = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const aside = (ref: string): string => ref.replace(/^refs\//, `${BEFORE}${now}/`);
  const moves = own.flatMap(([ref, commit]): RefMove[] => [
    { ref: aside(ref), from: null, to: commit },
    { ref, from: commit, to: null },
  ]);
  if ((await moveRefs(repository, moves, 'drover: take over')) === 'moved')
    return own.map(([ref]) => aside(ref));
  throw new DroverError(
    'conflict',
    `Somebody moves the branches of project ${repository.name} meanwhile.`,
    'Stop whatever Drover works there, and try again.',
  );
}
