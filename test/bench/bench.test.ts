import { spawnSync } from 'node:child_process';
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
    const { figures } = figuresOf('recorder', '--events', '500', '--goals', '2');
    expect(figures).toMatchObject({
      drain: { events: expect.any(Number), 'per second': expect.any(Number) },
      lag: { chain: { p99: expect.any(Number) }, diamond: { p99: expect.any(Number) } },
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

  it('names the benchmarks where it is called without one, or with one or an option it does not know', () => {
    for (const args of [
      [],
      ['speed'],
      ['latency', '--goals', '3'],
      ['latency', '--poll', 'often'],
    ]) {
      const { status, stderr } = bench(...args);
      expect(status).toBe(2);
      expect(stderr).toContain('Usage: npm run bench -- NAME');
      expect(stderr).toContain('plan-size');
    }
  });
});
