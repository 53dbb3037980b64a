/** Small file systems of a test's own, to be filled to the last byte. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';

/**
 * To be called once in a test file, after what removes the tests' folders: they go after their file systems.
 * @returns makes a file system of so many bytes, or undefined where this user may not mount one
 */
export function smallDisks(): (folder: string, bytes: number) => string | undefined {
  const mounted: string[] = [];
  afterEach(() => {
    for (const folder of mounted.splice(0)) spawnSync('umount', ['--lazy', folder]);
  });
  return (folder, bytes) => {
    mkdirSync(folder, { recursive: true });
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]);
    if (status !== 0) return undefined;
    mounted.push(folder);
    return folder;
  };
}

const filler = (folder: string): string => join(folder, 'filler');

export function fillDisk(folder: string): void {
  for (let chunk = 4 * 1024 * 1024; chunk >= 512; chunk /= 2) {
    for (;;) {
      try {
        writeFileSync(filler(folder), Buffer.alloc(chunk), { flag: 'a' });
      } catch {
        break;
      }
    }
  }
}

export const emptyDisk = (folder: string): void => rmSync(filler(folder));
