/** List schedules of a plan with known durations, computed without running anything. */

/** @typedef {{ name: string, needs: readonly string[], length: number }} Piece */

/** Ways to go about which no list schedule's makespan is worse than the best of: priority rules, then chance. */
const SHUFFLES = 500;

/**
 * The makespan where a free worker always takes the ready piece with the highest value.
 * @param {readonly Piece[]} pieces
 * @param {number} workers
 * @param {(piece: Piece) => number} valueOf
 */
export function makespan(pieces, workers, valueOf) {
  const byName = new Map(pieces.map((piece) => [piece.name, piece]));
  const open = new Map(pieces.map(({ name, needs }) => [name, new Set(needs).size]));
  const ready = pieces.filter(({ name }) => open.get(name) === 0);
  /** @type {{ ends: number, piece: Piece }[]} */
  const running = [];
  let now = 0;
  for (let left = pieces.length; left > 0; left -= 1) {
    while (running.length < workers && ready.length > 0) {
      ready.sort((a, b) => valueOf(a) - valueOf(b));
      const piece = ready.pop();
      running.push({ ends: now + piece.length, piece });
    }
    running.sort((a, b) => b.ends - a.ends);
    const { ends, piece } = running.pop();
    now = ends;
    for (const { name, needs } of pieces) {
      if (!needs.includes(piece.name)) continue;
      open.set(name, open.get(name) - 1);
      if (open.get(name) === 0) ready.push(byName.get(name));
    }
  }
  return now;
}

/**
 * The best of many list schedules: along the longest way, the longest piece first, in the order of the plan, and
 * along the longest way with its values disturbed by chance.
 * @param {readonly Piece[]} pieces
 * @param {number} workers
 * @param {ReadonlyMap<string, number>} ranks
 * @param {() => number} random
 */
export function bestListSchedule(pieces, workers, ranks, random) {
  const places = new Map(pieces.map(({ name }, index) => [name, index]));
  const rules = [
    (/** @type {Piece} */ { name }) => ranks.get(name),
    (/** @type {Piece} */ { length }) => length,
    (/** @type {Piece} */ { name }) => pieces.length - (places.get(name) ?? 0),
  ];
  for (let turn = 0; turn < SHUFFLES; turn += 1) {
    const values = new Map(
      pieces.map(({ name }) => [name, ranks.get(name) * (1 + random() * (turn / SHUFFLES))]),
    );
    rules.push(({ name }) => values.get(name));
  }
  return Math.min(...rules.map((rule) => makespan(pieces, workers, rule)));
}
