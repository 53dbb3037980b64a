/**
 * Large results. Redis holds a result three times (job, parent, event), so what is larger than a limit becomes
 * a file, and the result a reference to it: `{"$result": SHA-256, "bytes": N}`.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DroverError } from '../core/errors.js';
import { INLINE_LIMIT, referenceSchema } from '../core/large-result.js';
import type { Written } from '../core/json.js';
import type { Json } from '../core/plan.js';

/** Bytes of JSON that a result may have at all: 64 MiB. */
const FILE_LIMIT = 64 * 1024 * 1024;

/** Where large results lie in a data directory. */
export const resultsIn = (dataDir: string): string => join(dataDir, 'results');

/** Whether a result is passed along as it is. */
export const isInline = ({ text }: Written): boolean => Buffer.byteLength(text) <= INLINE_LIMIT;

/** @throws DroverError `too-large` for what has to fit into the journal. */
export function checkSize({ text }: Written, what: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= INLINE_LIMIT) return;
  throw new DroverError(
    'too-large',
    `${what} has ${bytes} bytes of JSON; ${INLINE_LIMIT} are allowed.`,
    'Write it to a file and return the path.',
  );
}

/**
 * The result itself where it is small, else a reference to a file in `directory` that holds it.
 * @throws DroverError `too-large` above 64 MiB, or above 64 KiB where there is no directory.
 */
export async function storeResult(
  { value, text }: Written,
  directory: string | undefined,
  task: string,
): Promise<Json> {
  const bytes = Buffer.byteLength(text);
  if (bytes <= INLINE_LIMIT) return value;
  const limit = directory === undefined ? INLINE_LIMIT : FILE_LIMIT;
  if (bytes > limit || directory === undefined) {
    throw new DroverError(
      'too-large',
      `The result of ${task} has ${bytes} bytes of JSON; ${limit} are allowed.`,
      'Write it to a file and return the path.',
    );
  }
  const { digest, file, unfinished } = placeOf(text, directory);
  if (!existsSync(file)) {
    await mkdir(directory, { recursive: true });
    await writeFile(unfinished, text, { mode: 0o600 });
    await rename(unfinished, file);
  }
  return { $result: digest, bytes };
}

/**
 * The same for JSON that Redis holds already, however large it is: a worker that is no agent of Drover's knows no
 * limit. At once, because the commit that refers to it follows.
 */
export function keepResult(text: string, directory: string): Json {
  const { digest, file, unfinished } = placeOf(text, directory);
  if (!existsSync(file)) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(unfinished, text, { mode: 0o600 });
    renameSync(unfinished, file);
  }
  return { $result: digest, bytes: Buffer.byteLength(text) };
}

function placeOf(
  text: string,
  directory: string,
): { digest: string; file: string; unfinished: string } {
  const digest = createHash('sha256').update(text).digest('hex');
  const file = join(directory, `${digest}.json`);
  // Two tasks with one result may store it at once.
  return { digest, file, unfinished: `${file}.${randomUUID()}` };
}

/** The value behind a reference; any other value is returned as it is. */
export async function loadResult(result: Json, directory: string | undefined): Promise<Json> {
  const reference = referenceSchema.safeParse(result);
  if (!reference.success) return result;
  const { $result: digest, bytes } = reference.data;
  const missing = (cause?: unknown) =>
    new DroverError(
      'not-found',
      `A result of ${bytes} bytes lies in a file that this process cannot read (${digest}.json).`,
      'Let the agents share one data directory (--data), or pass large data as files.',
      { cause },
    );
  if (directory === undefined) throw missing();
  const text = await readFile(join(directory, `${digest}.json`), 'utf8').catch((error: unknown) => {
    throw missing(error);
  });
  if (createHash('sha256').update(text).digest('hex') !== digest) throw missing();
  return JSON.parse(text) as Json;
}
