// When each page was last written: heat is a function of age, so that nothing has to be cooled page by page.

/** Pages in a block; a block's stamp is that of its latest page, which is simply the latest one given. */
export const BLOCK = 32;
const STEP = 4;
const STEPS = 1024;

/**
 * Heat 1 to 255 by age in 16 ms steps; a page once written never goes quite cold.
 * @param {number} halfLife ms
 * @param {number} floor
 */
export function cooling(halfLife, floor) {
  const table = new Uint8Array(STEPS);
  for (let i = 0; i < STEPS; i++) table[i] = Math.round(floor + (255 - floor) * 2 ** ((-i * 2 ** STEP) / halfLife));
  table[STEPS - 1] = floor;
  return table;
}

export class Heat {
  /**
   * @param {number} pages
   * @param {Uint8Array} table heat by age
   */
  constructor(pages, table) {
    this.pages = pages;
    this.table = table;
    this.stamps = new Uint32Array(pages);
    this.blocks = new Uint32Array(Math.ceil(pages / BLOCK));
  }

  /**
   * Every page of a bitmap was written now.
   * @param {Uint32Array} words
   * @param {number} now ms, at least 1, never going back
   */
  mark(words, now) {
    const limit = Math.min(words.length, this.blocks.length);
    for (let block = 0; block < limit; block++) {
      let word = words[block];
      if (word === 0) continue;
      this.blocks[block] = now;
      if (word === -1 >>> 0) {
        this.stamps.fill(now, block * BLOCK, block * BLOCK + BLOCK);
        continue;
      }
      for (; word !== 0; word &= word - 1) this.stamps[block * BLOCK + 31 - Math.clz32(word & -word)] = now;
    }
  }

  /**
   * @param {Uint32Array} gfns
   * @param {number} now
   */
  markPages(gfns, now) {
    for (const gfn of gfns) {
      if (gfn >= this.pages) continue;
      this.stamps[gfn] = now;
      this.blocks[gfn >>> 5] = now;
    }
  }

  /**
   * Heat 0 (never) to 255 (just now) of a stamp.
   * @param {number} stamp
   * @param {number} now
   */
  level(stamp, now) {
    if (stamp === 0) return 0;
    return this.table[Math.min(STEPS - 1, (now - stamp) >>> STEP)];
  }

  /**
   * The latest stamp in [first, end).
   * @param {number} first
   * @param {number} end
   */
  latest(first, end) {
    let latest = 0;
    let at = first;
    const stop = Math.min(end, this.pages);
    while (at < stop) {
      const whole = at % BLOCK === 0 && at + BLOCK <= stop;
      const stamp = whole ? this.blocks[at >>> 5] : this.stamps[at];
      if (stamp > latest) latest = stamp;
      at += whole ? BLOCK : 1;
    }
    return latest;
  }

  /**
   * Fills `into` with the heat of consecutive cells of 2^shift pages from `first`.
   * @param {Uint8Array} into
   * @param {number} first
   * @param {number} shift
   * @param {number} now
   */
  cells(into, first, shift, now) {
    const size = 2 ** shift;
    for (let i = 0, at = first; i < into.length; i++, at += size) {
      const stamp = shift === 0 ? this.stamps[at] | 0 : this.latest(at, at + size);
      into[i] = stamp === 0 ? 0 : this.table[Math.min(STEPS - 1, (now - stamp) >>> STEP)];
    }
  }

  clear() {
    this.stamps.fill(0);
    this.blocks.fill(0);
  }
}
