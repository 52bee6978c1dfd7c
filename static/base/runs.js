// Runs of pages: [first, first + count), and cutting them into the rows of a grid.

/** @typedef {import("../model/types").Range} Range */

/**
 * The pages between two ends, in either order, both included.
 * @param {number} one
 * @param {number} other
 * @returns {Range}
 */
export function between(one, other) {
  return { first: Math.min(one, other), count: Math.abs(one - other) + 1 };
}

/**
 * The part of `range` inside [first, end), or null.
 * @param {Range} range
 * @param {number} first
 * @param {number} end
 * @returns {Range | null}
 */
export function clip(range, first, end) {
  const from = Math.max(range.first, first);
  const to = Math.min(range.first + range.count, end);
  return to > from ? { first: from, count: to - from } : null;
}

/**
 * Maximal runs over which `key` stays the same, in [first, end).
 * @template K
 * @param {number} first
 * @param {number} end
 * @param {(gfn: number) => K} key
 * @returns {{first: number, count: number, key: K}[]}
 */
export function runsOf(first, end, key) {
  const runs = [];
  for (let at = first; at < end; ) {
    const value = key(at);
    let to = at + 1;
    while (to < end && key(to) === value) to++;
    runs.push({ first: at, count: to - at, key: value });
    at = to;
  }
  return runs;
}

/**
 * u32 triples (gfn, count, value), as a frame's masks section has them.
 * @param {Uint32Array} triples
 * @returns {{first: number, count: number, key: number}[]}
 */
export function fromTriples(triples) {
  const runs = [];
  for (let i = 0; i + 2 < triples.length; i += 3) {
    runs.push({ first: triples[i], count: triples[i + 1], key: triples[i + 2] });
  }
  return runs;
}
