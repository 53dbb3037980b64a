/** Builds `dist/` where the sources have changed since. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const stamp = join(dist, '.built');
const inputs = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];

/**
 * Whether there was anything to build.
 * @throws Error with the compiler's output where the sources have type errors
 */
export function build() {
  const began = new Date();
  const changed = Math.max(...inputs.map((name) => lastChange(join(root, name))));
  if (existsSync(stamp) && statSync(stamp).mtimeMs > changed) return false;
  if (existsSync(dist)) removeOrphans(dist, join(root, 'src'));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const compiled = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (compiled.status !== 0) {
    rmSync(stamp, { force: true });
    throw new Error(
      `The build failed:\n${compiled.stdout ?? ''}${compiled.stderr ?? compiled.error}`,
    );
  }
  writeFileSync(stamp, '');
  // What changes while the compiler runs belongs to the next build.
  utimesSync(stamp, began, began);
  return true;
}

/** Milliseconds; a removed file shows in its folder's time. */
function lastChange(path) {
  const found = statSync(path);
  if (!found.isDirectory()) return found.mtimeMs;
  return Math.max(found.mtimeMs, ...readdirSync(path).map((name) => lastChange(join(path, name))));
}

/** The compiler never removes what a removed source once became. */
function removeOrphans(folder, sources) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const built = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (existsSync(join(sources, entry.name))) removeOrphans(built, join(sources, entry.name));
      else rmSync(built, { recursive: true });
    } else if (!existsSync(join(sources, entry.name.replace(/(\.d)?\.[jt]s(\.map)?$/, '.ts')))) {
      rmSync(built);
    }
  }
}
