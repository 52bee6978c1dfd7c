import assert from "node:assert/strict";
import test from "node:test";
import { countBits, eachBit, popcount, powerAbove } from "../../static/base/bits.js";

test("popcount agrees with the binary text of the word", () => {
  for (const word of [0, 1, 0x80000000, 0xffffffff, 0x12345678, 0xdeadbeef]) {
    assert.equal(popcount(word), word.toString(2).replaceAll("0", "").length);
  }
});

test("eachBit names every page once, ascending, also bit 31", () => {
  /** @type {number[]} */
  const seen = [];
  const words = new Uint32Array([0x80000001, 0, 0b110]);
  eachBit(words, (bit) => seen.push(bit));
  assert.deepEqual(seen, [0, 31, 65, 66]);
  assert.equal(countBits(words), seen.length);
});

test("powerAbove is the smallest power of two that is enough", () => {
  assert.deepEqual([1, 2, 3, 768, 1024, 1025].map(powerAbove), [1, 2, 4, 1024, 1024, 2048]);
});
