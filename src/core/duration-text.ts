const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** A duration as flow files have it, exactly: `2s`, `90s`, `1500ms`. */
export function durationText(ms: number): string {
  const [unit, size] = UNITS.find((one) => ms >= one[1] && ms % one[1] === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}
