/** The name that somebody probably meant. */

/**
 * Edit distance, in which inserting, deleting, replacing and swapping neighbours count one each.
 * The result is `limit + 1` as soon as it is known to be more than `limit`.
 */
export function editDistance(from: string, to: string, limit = Infinity): number {
  if (Math.abs(from.length - to.length) > limit) return limit + 1;
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      let least = Math.min(
        previous[column - 1]! + (same ? 0 : 1),
        previous[column]! + 1,
        current[column - 1]! + 1,
      );
      if (row > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        least = Math.min(least, before[column - 2]! + 1);
      }
      current.push(least);
    }
    if (Math.min(...previous, ...current) > limit) return limit + 1;
    before = previous;
    previous = current;
  }
  return Math.min(previous[to.length]!, limit + 1);
}

/** The candidate nearest to `text`, if at most a third of the text differs; case does not count. */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  const wanted = text.toLowerCase();
  // Any short name is one letter away from any other.
  let limit = wanted.length < 3 ? 0 : Math.floor(wanted.length / 3);
  let best: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), limit);
    if (distance > limit) continue;
    best = candidate;
    limit = distance - 1;
    if (limit < 0) break;
  }
  return best;
}
