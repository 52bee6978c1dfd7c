import assert from "node:assert/strict";
import test from "node:test";
import { moved, showing, whole, zoomed } from "../../static/base/viewport.js";

const TOTAL = 1 << 20;

test("zooming in halves what is seen and keeps the page under the pointer in it", () => {
  let view = whole(TOTAL);
  for (let i = 0; i < 30; i++) {
    view = zoomed(view, true, 0x210, TOTAL);
    assert.ok(view.first <= 0x210 && 0x210 < view.first + view.span);
  }
  assert.equal(view.span, 64);
});

test("zooming out ends at the whole of memory, also when that is no power of two", () => {
  let view = { first: 704, span: 64 };
  for (let i = 0; i < 10; i++) view = zoomed(view, false, 720, 768);
  assert.deepEqual(view, whole(768));
  assert.equal(zoomed(view, true, 0, 768).span, 512);
});

test("moving stops at both ends", () => {
  const view = { first: 1024, span: 256 };
  assert.deepEqual(moved(view, -5000, TOTAL), { first: 0, span: 256 });
  assert.deepEqual(moved(view, TOTAL, TOTAL), { first: TOTAL - 256, span: 256 });
});

test("a page in sight moves nothing", () => {
  const view = { first: 1024, span: 256 };
  assert.equal(showing(view, 1100, TOTAL), view);
  const other = showing(view, 9000, TOTAL);
  assert.ok(other.first <= 9000 && 9000 < other.first + other.span);
});
