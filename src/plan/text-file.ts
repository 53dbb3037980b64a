/** Text files that people name: bounded, in UTF-8, with an error that says what is wrong with one that is not. */
import { readFile, stat } from 'node:fs/promises';
import { DroverError, messageOf } from '../core/errors.js';

/**
 * Reads a file of text.
 * @param most bytes that it may have
 * @throws DroverError `not-found`, `too-large`, or `bad-input` where it cannot be read or is no text
 */
export async function readTextFile(path: string, most: number): Promise<string> {
  const bytes = await readBytes(path, most);
  try {
    if (bytes.includes(0)) throw new TypeError('it contains a zero byte');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new DroverError(
      'bad-input',
      `${path} is not a text file in UTF-8.`,
      'Name a plan in a text file, or save this one as UTF-8.',
      { cause: error },
    );
  }
}

async function readBytes(path: string, most: number): Promise<Uint8Array> {
  try {
    // Asked before it is opened: opening a pipe waits for somebody to write to it.
    const stats = await stat(path);
    if (!stats.isFile()) {
      throw new DroverError('bad-input', `${path} is not a file.`, 'Name a file with a plan.');
    }
    if (stats.size > most) throw tooLarge(path, most);
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): DroverError {
  if (error instanceof DroverError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new DroverError(
      'not-found',
      `There is no file ${path}.`,
      'Check the path; it is relative to the current folder.',
      {
        cause: error,
      },
    );
  }
  return new DroverError(
    'bad-input',
    `${path} cannot be read: ${messageOf(error)}.`,
    'Check the permissions of the file.',
    {
      cause: error,
    },
  );
}

export const tooLarge = (file: string, most: number): DroverError =>
  new DroverError(
    'too-large',
    `${file} is larger than ${most / 1024 / 1024} MiB.`,
    'Split the plan into several goals, or move large input into files of the project.',
  );
