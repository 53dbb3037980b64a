/** What says the same thing many times over, so that it can be told once. */

/** Places or ids that are named besides the first; whoever mends these finds the others as well. */
const NAMED = 3;

/** The items in groups that say the same, each group where its first item stood. */
export function alike<T>(items: Iterable<T>, saying: (item: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const key = saying(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
}

/** `4:2, 5:2, 6:2 and 93 more` */
export function someOf(names: readonly string[]): string {
  const more = names.length - NAMED;
  // Where one is left, its name is as short as the word for it.
  return more <= 1 ? names.join(', ') : `${names.slice(0, NAMED).join(', ')} and ${more} more`;
}
