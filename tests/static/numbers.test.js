import assert from "node:assert/strict";
import test from "node:test";
import { bytes, gpaColumn, hex, pagesText, parseAddress, parseSize, short } from "../../static/base/numbers.js";

test("sizes are read the way scenarios write them", () => {
  assert.equal(parseSize("2MiB"), 2 ** 21);
  assert.equal(parseSize(" 0x200000 "), 2 ** 21);
  assert.equal(parseSize("64 k"), 65536);
  assert.equal(parseSize("1.5GiB"), 1.5 * 2 ** 30);
  for (const wrong of ["", "2 pages", "0xzz", "-1", "1.5"]) assert.equal(parseSize(wrong), null, wrong);
});

test("the find box takes bare hex as well", () => {
  assert.equal(parseAddress("210000"), 0x210000);
  assert.equal(parseAddress("0x21_0000"), 0x210000);
  assert.equal(parseAddress("2MiB"), 2 ** 21);
  assert.equal(parseAddress("here"), null);
});

test("a 64-bit value keeps every digit", () => {
  assert.equal(hex("18446744073709551615"), "0xffffffffffffffff");
  assert.equal(hex(0x210000), "0x210000");
});

test("bytes take the largest unit that says them exactly", () => {
  assert.deepEqual([512, 4096, 1.5 * 2 ** 20, 2 ** 32].map(bytes), ["512 B", "4 KiB", "1.5 MiB", "4 GiB"]);
  assert.equal(bytes(2 ** 32 - 2 ** 21), "4094 MiB");
});

test("rates are short enough for a column", () => {
  assert.deepEqual([0, 0.7, 812, 999.7, 1204, 34_000, 5_100_000].map(short), ["0", "0.7", "812", "1k", "1.2k", "34k", "5.1M"]);
});

test("addresses of one guest line up, and one page is no plural", () => {
  assert.equal(gpaColumn(0, 1024), "0x000000");
  assert.equal(gpaColumn(0x200, 1 << 20), "0x00200000");
  assert.equal(pagesText(1), "1 page");
});
