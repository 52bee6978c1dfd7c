// Bitmaps of pages: 32-bit words, bit 0 of word 0 is gfn 0.

/**
 * How many bits of one word are set.
 * @param {number} word
 */
export function popcount(word) {
  let left = word - ((word >>> 1) & 0x55555555);
  left = (left & 0x33333333) + ((left >>> 2) & 0x33333333);
  return (((left + (left >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

/**
 * How many pages a bitmap holds.
 * @param {Uint32Array} words
 */
export function countBits(words) {
  let count = 0;
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) count += popcount(words[i]);
  return count;
}

/**
 * Calls `each` with every set bit's number, ascending.
 * @param {Uint32Array} words
 * @param {(bit: number) => void} each
 */
export function eachBit(words, each) {
  for (let i = 0; i < words.length; i++) {
    let word = words[i];
    while (word !== 0) {
      const low = word & -word;
      each(i * 32 + 31 - Math.clz32(low));
      word ^= low;
    }
  }
}

/**
 * Smallest power of two that is at least `value` (and at least 1).
 * @param {number} value
 */
export function powerAbove(value) {
  return 2 ** Math.max(0, Math.ceil(Math.log2(value)));
}
