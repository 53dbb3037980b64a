#!/usr/bin/env node
/**
 * The program `drover`, as npm links it. It stands beside what is compiled because npm links only what is there: an
 * `npx drover` before the first build would never find it again.
 */
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  console.error('drover: This checkout is not built yet.\nRun `npm ci && npm run build` in it.');
  process.exitCode = 5;
}
