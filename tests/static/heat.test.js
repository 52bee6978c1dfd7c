import assert from "node:assert/strict";
import test from "node:test";
import { cooling, Heat } from "../../static/model/heat.js";

const TABLE = cooling(1000, 40);

test("heat starts at 255, halves towards its floor, and a page never written has none", () => {
  const heat = new Heat(64, TABLE);
  heat.mark(new Uint32Array([1, 0]), 1000);
  assert.equal(heat.level(heat.stamps[0], 1000), 255);
  assert.ok(Math.abs(heat.level(heat.stamps[0], 2000) - 148) <= 2);
  assert.equal(heat.level(heat.stamps[0], 1e9), 40);
  assert.equal(heat.level(heat.stamps[1], 2000), 0);
});

test("the hottest page of a range is found in blocks and in their edges", () => {
  const heat = new Heat(200, TABLE);
  heat.markPages(new Uint32Array([31, 70, 199, 5000]), 10);
  heat.markPages(new Uint32Array([70]), 20);
  assert.equal(heat.latest(0, 31), 0);
  assert.equal(heat.latest(30, 33), 10);
  assert.equal(heat.latest(32, 96), 20);
  assert.equal(heat.latest(71, 300), 10);
});

test("cells of several pages show their hottest page, as a page by page search does", () => {
  const heat = new Heat(1024, TABLE);
  const words = new Uint32Array(32);
  words[3] = 0xffffffff;
  words[31] = 0x80000000;
  heat.mark(words, 500);
  heat.markPages(new Uint32Array([7, 512]), 900);
  for (const shift of [0, 2, 5, 7]) {
    const cells = new Uint8Array(1024 >> shift);
    heat.cells(cells, 0, shift, 1000);
    const slow = Uint8Array.from(cells, (_, cell) => {
      const pages = Array.from({ length: 1 << shift }, (_, i) => heat.level(heat.stamps[(cell << shift) + i], 1000));
      return Math.max(...pages);
    });
    assert.deepEqual(cells, slow, `shift ${shift}`);
  }
});
