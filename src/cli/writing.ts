/** Files that commands write where somebody names them. */
import { writeFile } from 'node:fs/promises';
import { DroverError, messageOf } from '../core/errors.js';

/** @throws DroverError `bad-input` where the file cannot be written */
export async function writeText(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw new DroverError(
      'bad-input',
      `${file} cannot be written: ${messageOf(error)}.`,
      'Name a file in a folder that this user may write to.',
      { cause: error },
    );
  }
}
