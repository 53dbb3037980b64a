/**
 * A repository's objects: read through one process, written without any.
 *
 * Kept here: an object never changes, so what was read or written once is known, as far as memory for it goes. Writing
 * is what git does itself: a file of its own first, on disk before it gets its name, so nobody sees half of one;
 * an object that is there already is made young again, so that no `git gc` takes it away before it is used.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import type { Git } from './git.js';
import type { ObjectFormat } from './object-door.js';
import { type GitObject, ObjectReader } from './object-reader.js';

/** Bytes of objects that are kept in memory, and of the largest one that is. */
const KEPT = 8 * 1024 * 1024;
const LARGEST_KEPT = 64 * 1024;

const compress = promisify(deflate);

export interface StorePlace {
  /** The repository's common git folder. */
  readonly gitDir: string;
  readonly format: ObjectFormat;
}

export class ObjectStore {
  private readonly reader: ObjectReader;
  /** The latest used last. */
  private readonly kept = new Map<string, GitObject>();
  private size = 0;

  constructor(
    private readonly objects: Git,
    private readonly place: StorePlace,
  ) {
    this.reader = new ObjectReader(objects);
  }

  /** Undefined where there is no such object. @param id the whole of it */
  async read(id: string): Promise<GitObject | undefined> {
    const known = this.kept.get(id);
    const object = known ?? (await this.reader.read(id));
    if (object) this.keep(id, object);
    return object;
  }

  /** @throws Error where there is no such object */
  async get(id: string): Promise<GitObject> {
    const object = await this.read(id);
    if (object) return object;
    throw new Error(`the object ${id} is missing in ${this.place.gitDir}`);
  }

  /** @returns its id */
  async write(type: 'blob' | 'tree' | 'commit', text: string | Buffer): Promise<string> {
    const content = Buffer.from(text);
    const whole = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
    const id = createHash(this.place.format).update(whole).digest('hex');
    const folder = join(this.place.gitDir, 'objects', id.slice(0, 2));
    const file = join(folder, id.slice(2));
    const now = new Date();
    const isThere = await utimes(file, now, now).then(
      () => true,
      () => false,
    );
    try {
      if (!isThere) await this.writeFile(folder, file, await compress(whole));
    } catch (error) {
      throw this.objects.explain(error);
    }
    this.keep(id, { type, content });
    return id;
  }

  private async writeFile(folder: string, file: string, bytes: Buffer): Promise<void> {
    await mkdir(folder, { recursive: true });
    // By this name `git gc` knows what a killed process left.
    const aside = join(folder, `tmp_obj_${randomUUID()}`);
    try {
      const handle = await open(aside, 'wx', 0o444);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(aside, file);
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  }

  private keep(id: string, object: GitObject): void {
    if (object.content.length > LARGEST_KEPT) return;
    if (this.kept.delete(id)) this.size -= object.content.length;
    this.kept.set(id, object);
    this.size += object.content.length;
    for (const [oldest, { content }] of this.kept) {
      if (this.size <= KEPT) break;
      this.kept.delete(oldest);
      this.size -= content.length;
    }
  }
}
