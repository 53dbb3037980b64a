/** Large results are files; small ones travel as they are. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadResult, storeResult } from '../../src/agents/results.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'drover-results-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('a large result', () => {
  it('is stored once, also by several tasks that have it at the same time', async () => {
    const large = 'x'.repeat(200_000);
    const references = await Promise.all(
      Array.from({ length: 20 }, () => storeResult(large, directory, 'task-1')),
    );
    expect(new Set(references.map((reference) => JSON.stringify(reference))).size).toBe(1);
    expect(await readdir(directory)).toHaveLength(1);
    expect(await loadResult(references[0]!, directory)).toBe(large);
  });
});
