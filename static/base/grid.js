// The map's grid: which page is in which cell, and where the cell is. Row-major, cells of 2^shift pages.

import { powerAbove } from "./bits.js";

/** @typedef {{left: number, top: number, width: number, height: number}} Area */
/**
 * @typedef {object} Grid
 * @property {number} first first page shown
 * @property {number} span pages shown, at most
 * @property {number} shift a cell is 2^shift pages
 * @property {number} cols
 * @property {number} rows
 * @property {Area} area
 */

const LEAST_AREA = 14;

/**
 * The grid that shows `span` pages from `first` in `area`, with cells as near to square as powers of two allow and
 * none smaller than anybody could see.
 * @param {number} first
 * @param {number} span
 * @param {Area} area
 * @returns {Grid}
 */
export function gridFor(first, span, area) {
  let shift = 0;
  while ((area.width * area.height * 2 ** shift) / span < LEAST_AREA && shift < 20) shift++;
  const cells = Math.ceil(span / 2 ** shift);
  const ideal = Math.sqrt((cells * area.width) / Math.max(1, area.height));
  const cols = Math.max(1, Math.min(powerAbove(cells), 2 ** Math.round(Math.log2(Math.max(1, ideal)))));
  return { first, span, shift, cols, rows: Math.ceil(cells / cols), area };
}

/**
 * Left edge of column `col`; `cols` gives the right edge of the last.
 * @param {Grid} grid
 * @param {number} col
 */
export function columnEdge(grid, col) {
  return grid.area.left + Math.round((col * grid.area.width) / grid.cols);
}

/**
 * @param {Grid} grid
 * @param {number} row
 */
export function rowEdge(grid, row) {
  return grid.area.top + Math.round((row * grid.area.height) / grid.rows);
}

/**
 * Number of the cell at a point, clamped to the grid.
 * @param {Grid} grid
 * @param {number} x
 * @param {number} y
 */
export function cellAt(grid, x, y) {
  const col = Math.floor(((x - grid.area.left) / grid.area.width) * grid.cols);
  const row = Math.floor(((y - grid.area.top) / grid.area.height) * grid.rows);
  const inside = (/** @type {number} */ value, /** @type {number} */ limit) => Math.max(0, Math.min(limit - 1, value));
  return inside(row, grid.rows) * grid.cols + inside(col, grid.cols);
}

/**
 * First page of a cell.
 * @param {Grid} grid
 * @param {number} cell
 */
export function pageOf(grid, cell) {
  return grid.first + cell * 2 ** grid.shift;
}

/**
 * Cell of a page; may lie outside the grid.
 * @param {Grid} grid
 * @param {number} page
 */
export function cellOf(grid, page) {
  return Math.floor((page - grid.first) / 2 ** grid.shift);
}

/**
 * @param {Grid} grid
 * @param {number} cell
 * @returns {Area}
 */
export function cellArea(grid, cell) {
  const col = cell % grid.cols;
  const row = Math.floor(cell / grid.cols);
  const left = columnEdge(grid, col);
  const top = rowEdge(grid, row);
  return { left, top, width: columnEdge(grid, col + 1) - left, height: rowEdge(grid, row + 1) - top };
}

/**
 * Cells [from, to) cut into rows: one rectangle a row, whole rows in one.
 * @param {Grid} grid
 * @param {number} from
 * @param {number} to
 * @returns {Area[]}
 */
export function rowAreas(grid, from, to) {
  const areas = [];
  for (let at = Math.max(0, from), end = Math.min(to, grid.cols * grid.rows); at < end; ) {
    const row = Math.floor(at / grid.cols);
    const whole = at % grid.cols === 0 ? Math.floor((end - at) / grid.cols) : 0;
    const until = whole > 0 ? at + whole * grid.cols : Math.min(end, (row + 1) * grid.cols);
    areas.push(spanArea(grid, at, until, Math.max(1, whole)));
    at = until;
  }
  return areas;
}

/**
 * @param {Grid} grid
 * @param {number} from
 * @param {number} until
 * @param {number} rows
 * @returns {Area}
 */
function spanArea(grid, from, until, rows) {
  const col = from % grid.cols;
  const row = Math.floor(from / grid.cols);
  const left = columnEdge(grid, col);
  const top = rowEdge(grid, row);
  const end = rows > 1 ? grid.cols : col + Math.min(grid.cols, until - from);
  return { left, top, width: columnEdge(grid, end) - left, height: rowEdge(grid, row + rows) - top };
}

/**
 * The outline of cells [from, to) as a closed path of corners: one shape, however many rows it spans.
 * @param {Grid} grid
 * @param {number} from
 * @param {number} to
 * @returns {[number, number][]}
 */
export function outline(grid, from, to) {
  const last = to - 1;
  const [c0, r0] = [from % grid.cols, Math.floor(from / grid.cols)];
  const [c1, r1] = [(last % grid.cols) + 1, Math.floor(last / grid.cols)];
  const x = (/** @type {number} */ col) => columnEdge(grid, col);
  const y = (/** @type {number} */ row) => rowEdge(grid, row);
  if (r0 === r1) return [[x(c0), y(r0)], [x(c1), y(r0)], [x(c1), y(r0 + 1)], [x(c0), y(r0 + 1)]];
  return [
    [x(c0), y(r0)], [x(grid.cols), y(r0)], [x(grid.cols), y(r1)], [x(c1), y(r1)],
    [x(c1), y(r1 + 1)], [x(0), y(r1 + 1)], [x(0), y(r0 + 1)], [x(c0), y(r0 + 1)],
  ];
}
