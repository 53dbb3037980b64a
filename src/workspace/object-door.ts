/**
 * Git on a repository's objects alone.
 *
 * Kept here: nothing that a repository says about itself is obeyed. The commands run in an empty git folder of
 * Drover's own, which shares only the folder of objects, so configuration, hooks, filters, merge drivers,
 * replaced objects and whatever the checkout's `.gitattributes` ask for do not exist for them. Bytes go in and
 * come out as they are, and a merge depends on the three trees alone, not on who has what checked out.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Git, gitIn, type GitOptions } from './git.js';

export type ObjectFormat = 'sha1' | 'sha256';

export interface DoorPlace {
  /** The repository's common git folder. */
  readonly gitDir: string;
  readonly format: ObjectFormat;
  /** Where objects that are not there yet come from: set for a partial clone. */
  readonly promisor?: string;
}

/** Stands above every other source of attributes, and takes back what any of them says. */
const ATTRIBUTES =
  '* -text !eol !crlf -ident -filter !working-tree-encoding !merge !diff !conflict-marker-size\n';

/**
 * @param dir the door's own folder, made where it is missing; several repositories without a promisor may share
 *   one of the same object format
 */
export async function openObjectDoor(
  dir: string,
  { gitDir, format, promisor }: DoorPlace,
  options: GitOptions = {},
): Promise<Git> {
  await mkdir(join(dir, 'refs'), { recursive: true });
  await mkdir(join(dir, 'info'), { recursive: true });
  await keep(join(dir, 'HEAD'), 'ref: refs/heads/none\n');
  await keep(join(dir, 'info', 'attributes'), ATTRIBUTES);
  await keep(join(dir, 'config'), configuration(format, promisor));
  const { HOME, ...homeless } = options.environment ?? {};
  return gitIn(dir, {
    ...options,
    // What a partial clone fetches later may need what the user has set up for the network.
    environment: promisor === undefined ? homeless : { ...homeless, HOME },
    variables: {
      ...options.variables,
      GIT_DIR: dir,
      GIT_OBJECT_DIRECTORY: join(gitDir, 'objects'),
      GIT_NO_REPLACE_OBJECTS: '1',
      GIT_ATTR_NOSYSTEM: '1',
      // Named where it is missing too: whoever has the repository may cut or complete its history meanwhile.
      GIT_SHALLOW_FILE: join(gitDir, 'shallow'),
    },
  });
}

function configuration(format: ObjectFormat, promisor: string | undefined): string {
  const lines = [
    '[core]',
    '\trepositoryFormatVersion = 1',
    '\tbare = true',
    '\tfileMode = true',
    '\tsymlinks = true',
    '\tprotectHFS = true',
    '\tprotectNTFS = true',
    '\tattributesFile = /dev/null',
    // Loose objects must be on disk before a reference names them; git's own default is the same for packs.
    '\tfsync = committed,loose-object',
    '[merge]',
    '\tdefault = text',
    '\tconflictStyle = diff3',
    '\trenames = true',
    // A file that one side adds stays where that side put it.
    '\tdirectoryRenames = false',
    '[advice]',
    '\taddEmbeddedRepo = false',
    '[extensions]',
    `\tobjectFormat = ${format}`,
  ];
  if (promisor !== undefined) {
    lines.push('\tpartialClone = origin', '[remote "origin"]', `\turl = ${quoted(promisor)}`);
    lines.push('\tpromisor = true', '\tpartialCloneFilter = blob:none');
  }
  return `${lines.join('\n')}\n`;
}

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

/** Writes the file where it is missing or says something else; a reader sees the whole of one text. */
async function keep(file: string, text: string): Promise<void> {
  if ((await readFile(file, 'utf8').catch(() => undefined)) === text) return;
  const aside = `${file}.${randomUUID()}`;
  try {
    await writeFile(aside, text);
    await rename(aside, file);
  } finally {
    await rm(aside, { force: true });
  }
}
