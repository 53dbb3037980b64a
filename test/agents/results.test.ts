/** Large results become files; too large ones are refused. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadResult, storeResult } from '../../src/agents/results.js';
import { written } from '../../src/core/json.js';
import { INLINE_LIMIT } from '../../src/core/large-result.js';
import type { Json } from '../../src/core/plan.js';

const dir = mkdtempSync(join(tmpdir(), 'drover-results-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const store = (result: Json, directory: string | undefined, task: string): Promise<Json> =>
  storeResult(written(result, 'It'), directory, task);

describe('a result', () => {
  it('that is small stays as it is', async () => {
    expect(await store({ a: 1 }, dir, 'task-1')).toEqual({ a: 1 });
    expect(readdirSync(dir)).toEqual([]);
  });

  it('that is large becomes a file, stored once, and comes back the same', async () => {
    const large = { text: 'ü'.repeat(INLINE_LIMIT) };
    const reference = await store(large, dir, 'task-1');
    expect(reference).toEqual({ $result: expect.stringMatching(/^[0-9a-f]{64}$/), bytes: 131_083 });
    expect(await store(large, dir, 'task-2')).toEqual(reference);
    expect(readdirSync(dir).length).toBe(1);
    expect(await loadResult(reference, dir)).toEqual(large);
  });

  it('that several tasks have at the same time is stored by all of them', async () => {
    const large = 'y'.repeat(INLINE_LIMIT);
    const all = Array.from({ length: 20 }, () => store(large, dir, 'task-1'));
    for (const reference of await Promise.all(all)) {
      expect(await loadResult(reference, dir)).toBe(large);
    }
    expect(readdirSync(dir).filter((name) => !name.endsWith('.json'))).toEqual([]);
  });

  it('that was changed on disk, or lies elsewhere, is refused', async () => {
    const reference = await store('x'.repeat(INLINE_LIMIT), dir, 'task-1');
    await expect(loadResult(reference, undefined)).rejects.toMatchObject({ code: 'not-found' });
    const { $result } = reference as { $result: string };
    writeFileSync(join(dir, `${$result}.json`), '"other"');
    await expect(loadResult(reference, dir)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('of 100 MB is refused with what to do', async () => {
    const huge = 'x'.repeat(100 * 1024 * 1024);
    await expect(store(huge, dir, 'task-1')).rejects.toThrow(/task-1 has 104857602 bytes/);
    await expect(store('x'.repeat(INLINE_LIMIT), undefined, 'task-1')).rejects.toMatchObject({
      code: 'too-large',
    });
  });
});
