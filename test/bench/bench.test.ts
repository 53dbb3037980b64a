import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Never somebody's own Redis. */
const { REDIS_URL: _own, ...environment } = process.env;

function bench(...args: string[]) {
  return spawnSync(process.execPath, ['bench/main.mjs', ...args], {
    cwd: root,
    encoding: 'utf8',
    // Nothing else can end what blocks this process.
    timeout: 110_000,
    env: environment,
  });
}

const resultSchema = z.object({
  name: z.string(),
  ratio: z.number().positive().optional(),
  figures: z.record(z.string(), z.unknown()),
  machine: z.object({ date: z.string(), cpu: z.string(), cores: z.number(), redis: z.string() }),
  notes: z.array(z.string()),
});

function figuresOf(...args: string[]): z.infer<typeof resultSchema> {
  const { status, stdout, stderr } = bench(...args, '--json');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  const result = resultSchema.parse(JSON.parse(lines[0]!));
  expect(result.name).toBe(args[0]);
  expect(result.notes.some((note) => note.startsWith('Not measured:'))).toBe(true);
  return result;
}

describe('benchmarks', { timeout: 120_000 }, () => {
  it('train saves check runs, and lands what it lands one by one', () => {
    const { ratio, figures } = figuresOf('train', '--tasks', '2', '--check', '10', '--files', '5');
    expect(ratio).toBeGreaterThan(0);
    expect(figures).toMatchObject({
      'culprits 0': { 'runs together': 1, 'runs one by one': 2 },
      'culprits 1': { 'runs together': 2, 'runs one by one': 2 },
    });
  });

  it('integrate compares with git merge', () => {
    const size = ['--files', '100', '--tasks', '3', '--rounds', '1'];
    const { ratio, figures } = figuresOf('integrate', ...size);
    expect(ratio).toBeGreaterThan(0);
    expect(figures).toMatchObject({ drover: expect.any(Number), git: expect.any(Number) });
  });

  it('throughput compares with plain BullMQ', () => {
    const { ratio, figures } = figuresOf('throughput', '--goals', '2', '--rounds', '1');
    expect(ratio).toBeGreaterThan(0);
    expect(figures).toMatchObject({
      chain: { plain: expect.any(Number), drover: expect.any(Number), ratio: expect.any(Number) },
      diamond: { plain: expect.any(Number), drover: expect.any(Number), ratio: expect.any(Number) },
      both: { ratio },
    });
  });

  it('latency measures every way from one task to the next', () => {
    const { ratio, figures } = figuresOf('latency', '--transitions', '25', '--poll', '0.1');
    expect(ratio).toBeGreaterThan(0);
    for (const way of [
      'plainSame',
      'droverSame',
      'plainOther',
      'droverOther',
      'relay',
      'gate',
      'pubsub',
    ]) {
      expect(figures[way]).toMatchObject({
        n: 25,
        p50: expect.any(Number),
        p99: expect.any(Number),
      });
    }
    expect(figures['polled']).toMatchObject({ n: 40 });
  });

  it('recorder drains what was written while it was away', () => {
    const sizes = ['--events', '500', '--goals', '2', '--rounds', '2'];
    const { figures } = figuresOf('recorder', ...sizes);
    expect(figures).toMatchObject({
      drain: { events: expect.any(Number), 'per second': expect.any(Number) },
      lag: ['chain', 'chain', 'diamond', 'diamond'].map((shape, index) => ({
        shape,
        round: index % 2 === 0 ? 'first' : 'later',
        p99: expect.any(Number) as number,
      })),
    });
  });

  it('restart goes on with an intact Redis and with an empty one', () => {
    const { figures } = figuresOf('restart', '--tasks', '100', '--rounds', '1');
    const seconds = { 'first task s': expect.any(Number) };
    expect(figures).toMatchObject({ intact: seconds, empty: seconds });
  });

  it('memory takes samples and says how fast they grow', () => {
    const { figures } = figuresOf('memory', '--tasks', '80', '--size', '10', '--samples', '4');
    expect(figures['samples']).toHaveLength(4);
    expect(figures['slopePer10000Tasks']).toMatchObject({ 'heap MB': expect.any(Number) });
  });

  it('plan-size submits a wide plan and a deep one', () => {
    const size = ['--tasks', '60', '--width', '10', '--chain', '30', '--rounds', '1'];
    const { figures } = figuresOf('plan-size', ...size);
    expect(figures).toMatchObject({ layers: { tasks: 60 }, chain: { tasks: 30, jobs: 31 } });
  });

  it('fairness compares a small goal alone with one beside a large one', () => {
    const size = ['--large', '600', '--small', '4', '--work', '5', '--rounds', '1'];
    const { ratio, figures } = figuresOf('fairness', ...size);
    expect(ratio).toBeGreaterThan(0);
    expect(figures).toMatchObject({
      shapes: [{ shape: 'side by side' }, { shape: 'one behind the other' }],
      fifo: { ratio: expect.any(Number) },
    });
  });

  it('schedule runs a trace, and says how near it comes to the best', () => {
    const tasks = ['a', 'b', 'c', 'd'].map((id, index) => ({
      id,
      parents: index === 3 ? ['a', 'b', 'c'] : [],
      children: index === 3 ? [] : ['d'],
    }));
    const runs = tasks.map(({ id }, index) => ({ id, runtimeInSeconds: 10 * (index + 1) }));
    const trace = {
      name: 'small',
      schemaVersion: '1.5',
      workflow: { specification: { tasks }, execution: { tasks: runs } },
    };
    const folder = mkdtempSync(join(tmpdir(), 'drover-trace-'));
    const path = join(folder, 'trace.json');
    writeFileSync(path, JSON.stringify(trace));
    const size = ['--workers', '2', '--seconds', '0.5', '--rounds', '1'];
    const { ratio, figures } = figuresOf('schedule', path, ...size);
    rmSync(folder, { recursive: true });
    // Two workers have 30 s to do with a, b and c, then one 40 s with d: the critical path, c and d, takes as long.
    expect(figures).toMatchObject({ tasks: 4, workers: 2, bound: 500, best: 500 });
    expect(ratio).toBeGreaterThanOrEqual(1);
  });

  it('names the benchmarks where it is called without one, or with one or an option it does not know', () => {
    for (const args of [
      [],
      ['speed'],
      ['latency', '--goals', '3'],
      ['latency', '--poll', 'often'],
      ['schedule'],
    ]) {
      const { status, stderr } = bench(...args);
      expect(status).toBe(2);
      expect(stderr).toContain('Usage: npm run bench -- NAME');
      expect(stderr).toContain('plan-size');
    }
  });
});
