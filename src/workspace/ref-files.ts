/**
 * References read from git's own files, in place of a process for each look.
 *
 * Kept here: whatever is not as plain as a whole object id in a file of the reference's name, or a line of
 * `packed-refs`, is git's to answer. A reference's own file is looked for first: git writes `packed-refs` before it
 * removes the file, so none that exists is missed in between.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const PLAIN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})\n?$/;

/** The values of those that exist; undefined where git itself has to be asked. @param gitDir the common git folder */
export async function readRefFiles(
  gitDir: string,
  names: readonly string[],
): Promise<Map<string, string> | undefined> {
  const own = await Promise.all(names.map((name) => textOf(join(gitDir, name))));
  const missing = names.filter((_, at) => own[at] === undefined);
  const packed = missing.length > 0 ? await packedRefs(gitDir) : undefined;
  const found = new Map<string, string>();
  for (const [at, name] of names.entries()) {
    const text = own[at] ?? valueIn(packed ?? '', name);
    if (text === undefined) continue;
    if (text === null || !PLAIN.test(text)) return undefined;
    found.set(name, text.trim());
  }
  return found;
}

/** As `readRefFiles`, for every reference below a prefix that ends with a slash. */
export async function readRefFilesBelow(
  gitDir: string,
  prefix: string,
): Promise<Map<string, string> | undefined> {
  const own = await readdir(join(gitDir, prefix), { recursive: true }).catch(() => []);
  const packed = (await packedRefs(gitDir)).matchAll(/^[0-9a-f]+ (\S.*)$/gm);
  const names = new Set([
    ...own.filter((name) => !name.endsWith('.lock')).map((name) => `${prefix}${name}`),
    ...[...packed].map((line) => line[1]!).filter((name) => name.startsWith(prefix)),
  ]);
  return readRefFiles(gitDir, [...names].toSorted());
}

/** Undefined where there is no such file, null where it cannot be told. */
async function textOf(file: string): Promise<string | null | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ENOENT' || code === 'EISDIR' ? undefined : null;
  }
}

const packedRefs = async (gitDir: string): Promise<string> =>
  (await textOf(join(gitDir, 'packed-refs'))) ?? '';

function valueIn(packed: string, name: string): string | undefined {
  const at = packed.indexOf(` ${name}\n`);
  return at === -1 ? undefined : packed.slice(packed.lastIndexOf('\n', at) + 1, at);
}
