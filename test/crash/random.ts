/** What the tests share in which everything dies at random moments. */

export const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 8);
export const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

/** Numbers between 0 and 1 that a seed determines (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
