import assert from "node:assert/strict";
import test from "node:test";
import { dumpLines } from "../../static/model/dump.js";

test("bytes, the numbers that they make, and letters", () => {
  const [line] = dumpLines(0x214000, "e7c75e0000000000" + "4876233100000000");
  assert.equal(line.at, 0x214000);
  assert.equal(line.bytes, "e7 c7 5e 00 00 00 00 00 48 76 23 31 00 00 00 00");
  assert.equal(line.words, "0x5ec7e7 0x31237648");
  assert.equal(line.text, "..^.....Hv#1....");
});

test("zeros that go on are one line", () => {
  const lines = dumpLines(0, "00".repeat(48) + "01".padEnd(32, "0") + "00".repeat(16));
  assert.deepEqual(lines.map(({ at, left }) => [at, left]), [[0, 3], [48, 0], [64, 1]]);
});

test("a last line may be short", () => {
  assert.equal(dumpLines(0, "ff").at(-1)?.words, "0xff");
  assert.deepEqual(dumpLines(0, ""), []);
});
