/**
 * Reads and writes Drover's own files in a project. Files are replaced as a whole, so a reader sees the old
 * text or the new one, and a symbolic link in the project leads no write out of it.
 */
import { link, lstat, mkdir, open, readFile, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DroverError } from '../core/errors.js';
import type { Project } from './project.js';

/** Bytes; no file of ours comes near. A larger one is not read into memory. */
const MAX_SIZE = 256 * 1024 * 1024;

/** @returns undefined where there is no such file. */
export async function readProjectFile({ dir }: Project, path: string): Promise<string | undefined> {
  const file = join(dir, path);
  const stats = await lstat(file).catch(ignoreMissing);
  if (!stats) return undefined;
  if (!stats.isFile() || stats.size > MAX_SIZE) {
    throw new DroverError(
      'bad-input',
      `${file} is ${stats.isFile() ? 'far too large' : 'no plain file'}.`,
      'Move it away; Drover writes it anew.',
    );
  }
  return readFile(file, 'utf8');
}

/** @param path below the project's folder, one folder deep at most */
export async function writeProjectFile(
  { dir }: Project,
  path: string,
  text: string,
): Promise<void> {
  const file = join(dir, path);
  const folder = dirname(file);
  if (folder !== dir) await plainFolder(folder);
  // Always the same name, so that what a killed process left is replaced, not heaped up.
  const temporary = join(folder, `.${basename(file)}.tmp`);
  await rm(temporary, { force: true });
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Moves a file aside to `<path>.damaged-<n>`, under the first free number.
 * @returns the new path, below the project's folder
 */
export async function setAside({ dir }: Project, path: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const kept = `${path}.damaged-${number}`;
    try {
      // A link fails where the name is taken; a rename would replace what was kept before.
      await link(join(dir, path), join(dir, kept));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue;
      throw error;
    }
    await unlink(join(dir, path));
    return kept;
  }
}

async function plainFolder(folder: string): Promise<void> {
  await mkdir(folder).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  if ((await lstat(folder)).isDirectory()) return;
  throw new DroverError(
    'bad-input',
    `${folder} is no plain folder.`,
    'Move it away, or switch task pages off with `taskPages: false` in drover.yaml.',
  );
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
