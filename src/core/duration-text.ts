/** Milliseconds of the units in which durations are written. */
export const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const LARGEST_FIRST = Object.entries(DURATION_UNITS).toReversed();

/** A duration as flow files have it, exactly: `2s`, `90s`, `1500ms`. */
export function durationText(ms: number): string {
  const [unit, size] = LARGEST_FIRST.find((one) => ms >= one[1] && ms % one[1] === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}
