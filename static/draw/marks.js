// What lies over the heat and changes seldom: void, masks, slot borders, labels, cursor and selection.

import { cellArea, cellOf, outline, pageOf, rowAreas, rowEdge } from "../base/grid.js";
import { gpaColumn } from "../base/numbers.js";
import { clip, runsOf } from "../base/runs.js";

/** @typedef {import("../base/grid.js").Grid} Grid */
/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("../model/types").Range} Range */
/** @typedef {import("../model/types").SlotStatus} SlotStatus */
/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {import("../state/saved.js").Layers} Layers */
/**
 * @typedef {object} Marking
 * @property {CanvasRenderingContext2D} context
 * @property {Grid} grid
 * @property {Guest} guest
 * @property {Palette} palette
 * @property {Layers} layers
 * @property {(missing: number) => CanvasPattern} masks
 * @property {CanvasPattern} voided
 * @property {Range | null} selection
 * @property {number | null} cursor
 * @property {number | null} chosenSlot
 * @property {number} right where the slot labels begin
 */

/** @param {Marking} on */
export function drawMarks(on) {
  drawVoid(on);
  if (on.layers.masks) drawMasks(on);
  drawRowLabels(on);
  drawSystem(on);
  if (on.layers.slots) drawSlots(on);
  if (on.cursor !== null) drawCursor(on, on.cursor);
  if (on.selection) drawSelection(on, on.selection);
}

/** @param {Marking} on */
function drawVoid({ context, grid, guest, voided }) {
  const size = 2 ** grid.shift;
  const cells = Math.ceil((Math.min(guest.pages.count, grid.first + grid.span) - grid.first) / size);
  const backed = (/** @type {number} */ cell) => guest.pages.backedIn(pageOf(grid, cell), pageOf(grid, cell) + size);
  context.fillStyle = voided;
  for (const run of runsOf(0, cells, backed)) if (!run.key) fillCells(context, grid, run.first, run.first + run.count);
}

/** @param {Marking} on */
function drawMasks({ context, grid, guest, masks }) {
  if (guest.pages.masks.length === 0) return;
  const size = 2 ** grid.shift;
  const cells = Math.ceil((Math.min(guest.pages.count, grid.first + grid.span) - grid.first) / size);
  const missing = (/** @type {number} */ cell) => guest.pages.missingIn(pageOf(grid, cell), pageOf(grid, cell) + size);
  for (const run of runsOf(0, cells, missing)) {
    if (run.key === 0) continue;
    context.fillStyle = masks(run.key);
    fillCells(context, grid, run.first, run.first + run.count);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Grid} grid
 * @param {number} from
 * @param {number} to
 */
function fillCells(context, grid, from, to) {
  for (const { left, top, width, height } of rowAreas(grid, from, to)) context.fillRect(left, top, width, height);
}

/** @param {Marking} on */
function drawRowLabels({ context, grid, guest, palette }) {
  context.font = `${palette.font}px ${palette.css("--mono")}`;
  context.fillStyle = palette.css("--dim");
  context.textBaseline = "top";
  context.textAlign = "right";
  const least = palette.font * 1.9;
  const step = 2 ** Math.max(0, Math.ceil(Math.log2((least * grid.rows) / grid.area.height)));
  for (let row = 0; row < grid.rows; row += step) {
    context.fillText(gpaColumn(pageOf(grid, row * grid.cols), guest.pages.count), grid.area.left - 6, rowEdge(grid, row) + 1);
  }
}

/** @param {Marking} on */
function drawSystem({ context, grid, guest, palette }) {
  const system = clip({ first: 0, count: guest.info?.system_pages ?? 0 }, grid.first, grid.first + grid.span);
  const { width, height } = cellArea(grid, 0);
  if (!system || grid.shift > 0 || width < palette.font * 0.8 || height < palette.font) return;
  context.fillStyle = palette.css("--dim");
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let page = system.first; page < system.first + system.count; page++) {
    const at = cellArea(grid, cellOf(grid, page));
    context.fillText("s", at.left + at.width / 2, at.top + at.height / 2);
  }
}

/** @param {Marking} on */
function drawSlots(on) {
  let below = -Infinity;
  for (const slot of [...on.guest.pages.slots].sort((one, other) => one.base - other.base)) {
    const shown = clip({ first: slot.base / 4096, count: slot.size / 4096 }, on.grid.first, on.grid.first + on.grid.span);
    if (!shown) continue;
    const chosen = slot.slot === on.chosenSlot;
    drawBorder(on, shown, slotColour(on.palette, slot), chosen ? 2.5 : 1.5, []);
    const row = Math.floor(cellOf(on.grid, shown.first) / on.grid.cols);
    const top = Math.max(below, rowEdge(on.grid, row) + 1);
    drawSlotLabel(on, slot, top);
    below = top + on.palette.font * 1.3;
  }
}

/**
 * @param {Marking} on
 * @param {SlotStatus} slot
 * @param {number} top
 */
function drawSlotLabel({ context, palette, right }, slot, top) {
  context.font = `${palette.font}px ${palette.css("--mono")}`;
  context.fillStyle = slotColour(palette, slot);
  context.textAlign = "left";
  context.textBaseline = "top";
  const flags = (slot.flags & 1 ? " log" : "") + (slot.flags & 2 ? " ro" : "");
  context.fillText(`${slot.slot}${flags}`, right, top);
}

/**
 * @param {Palette} palette
 * @param {SlotStatus} slot
 */
export function slotColour(palette, slot) {
  return palette.css(slot.flags & 2 ? "--slot-ro" : slot.flags & 1 ? "--slot" : "--slot-plain");
}

/**
 * @param {Marking} on
 * @param {Range} range
 * @param {string} colour
 * @param {number} width
 * @param {number[]} dash
 */
function drawBorder({ context, grid }, range, colour, width, dash) {
  const from = cellOf(grid, range.first);
  const to = cellOf(grid, range.first + range.count - 1) + 1;
  context.beginPath();
  for (const [x, y] of outline(grid, from, to)) context.lineTo(x - 0.5, y - 0.5);
  context.closePath();
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

/**
 * @param {Marking} on
 * @param {number} page
 */
function drawCursor(on, page) {
  const shown = clip({ first: page, count: 1 }, on.grid.first, on.grid.first + on.grid.span);
  if (shown) drawBorder(on, shown, on.palette.css("--ink"), 2, []);
}

/**
 * @param {Marking} on
 * @param {Range} range
 */
function drawSelection(on, range) {
  const shown = clip(range, on.grid.first, on.grid.first + on.grid.span);
  if (!shown) return;
  drawBorder(on, shown, on.palette.css("--bg"), 3.5, []);
  drawBorder(on, shown, on.palette.css("--select"), 2, [5, 3]);
}
