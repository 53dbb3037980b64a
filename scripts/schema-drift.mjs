/** Fails where `src/log/schema.ts` says something that no migration in `drizzle/` does. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules', '.cache');

function drizzleKit(...args) {
  const bin = join(root, 'node_modules', '.bin', 'drizzle-kit');
  const ended = spawnSync(bin, args, { cwd: root, encoding: 'utf8' });
  if (ended.status === 0) return;
  console.error(`drizzle-kit ${args.join(' ')} failed:\n${ended.stdout}${ended.stderr}`);
  process.exitCode = 1;
}

mkdirSync(cache, { recursive: true });
const copy = mkdtempSync(join(cache, 'schema-drift-'));
try {
  const before = readdirSync(join(root, 'drizzle'));
  cpSync(join(root, 'drizzle'), copy, { recursive: true });
  const schema = ['--dialect=sqlite', '--schema=src/log/schema.ts'];
  drizzleKit('generate', ...schema, `--out=${relative(root, copy)}`);
  const added = readdirSync(copy).filter((file) => !before.includes(file));
  if (added.length > 0) {
    console.error('The schema has no migration yet: run `npx drizzle-kit generate` and commit it.');
    process.exitCode = 1;
  }
  drizzleKit('check', '--dialect=sqlite', '--out=drizzle');
} finally {
  rmSync(copy, { recursive: true });
}
