import assert from "node:assert/strict";
import test from "node:test";
import { cellArea, cellAt, cellOf, gridFor, outline, pageOf, rowAreas } from "../../static/base/grid.js";

const AREA = { left: 72, top: 1, width: 700, height: 440 };

test("a small guest gets one cell a page, near to square", () => {
  const grid = gridFor(0, 1024, AREA);
  assert.equal(grid.shift, 0);
  assert.equal(grid.cols * grid.rows, 1024);
  const { width, height } = cellArea(grid, 0);
  assert.ok(width / height < 2.1 && height / width < 2.1, `${width} x ${height}`);
});

test("a million pages are tiled, and every page is in a cell that can be seen", () => {
  const grid = gridFor(0, 1 << 20, AREA);
  assert.ok(grid.shift > 0);
  assert.ok(grid.cols * grid.rows * 2 ** grid.shift >= 1 << 20);
  assert.ok((AREA.width * AREA.height) / (grid.cols * grid.rows) >= 14);
});

test("the middle of a cell is in that cell, for every cell of a grid whose edges are rounded", () => {
  const grid = gridFor(512, 768, AREA);
  for (let cell = 0; cell < grid.cols * grid.rows; cell++) {
    const { left, top, width, height } = cellArea(grid, cell);
    assert.equal(cellAt(grid, left + width / 2, top + height / 2), cell);
    assert.equal(cellOf(grid, pageOf(grid, cell)), cell);
  }
});

test("a range over several rows is cut into part, whole rows, part", () => {
  const grid = { first: 0, span: 64, shift: 0, cols: 8, rows: 8, area: { left: 0, top: 0, width: 80, height: 80 } };
  assert.deepEqual(rowAreas(grid, 6, 26), [
    { left: 60, top: 0, width: 20, height: 10 },
    { left: 0, top: 10, width: 80, height: 20 },
    { left: 0, top: 30, width: 20, height: 10 },
  ]);
  assert.deepEqual(outline(grid, 2, 5), [[20, 0], [50, 0], [50, 10], [20, 10]]);
  assert.equal(outline(grid, 6, 26).length, 8);
});
