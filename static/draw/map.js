// The heat of the map: one colour a cell, written as pixels of one reused image.

import { columnEdge, rowEdge } from "../base/grid.js";

/** @typedef {import("../base/grid.js").Grid} Grid */
/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {import("./surface.js").Surface} Surface */
/** @typedef {import("../state/saved.js").Layers} Layers */

const GAP_FROM = 6;

export class HeatImage {
  constructor() {
    this.image = new ImageData(1, 1);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.heat = new Uint8Array(0);
    this.faults = new Uint8Array(0);
    this.backed = new Uint8Array(0);
    this.edges = new Uint32Array(0);
    this.made = "";
  }

  /**
   * Makes room for a grid on a surface, and notes which cells are void; cheap when nothing changed.
   * @param {Surface} surface
   * @param {Grid} grid
   * @param {Guest} guest
   */
  prepare(surface, grid, guest) {
    const { width, height } = surface.canvas;
    if (this.image.width !== width || this.image.height !== height) {
      this.image = new ImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    const key = [width, height, grid.first, grid.span, grid.cols, guest.pages.version, guest.generation].join();
    if (key === this.made) return;
    this.made = key;
    const cells = grid.cols * grid.rows;
    if (this.heat.length !== cells) {
      this.heat = new Uint8Array(cells);
      this.faults = new Uint8Array(cells);
      this.backed = new Uint8Array(cells);
    }
    noteBacked(this.backed, grid, guest);
    this.edges = Uint32Array.from({ length: grid.cols + 1 }, (_, col) => Math.round(columnEdge(grid, col) * surface.ratio));
  }

  /**
   * @param {Surface} surface
   * @param {Grid} grid
   * @param {Guest} guest
   * @param {Palette} palette
   * @param {Layers} layers
   */
  draw(surface, grid, guest, palette, layers) {
    this.prepare(surface, grid, guest);
    if (layers.dirty) guest.heat.cells(this.heat, grid.first, grid.shift, guest.now);
    else this.heat.fill(0);
    if (layers.faults) guest.faults.cells(this.faults, grid.first, grid.shift, guest.now);
    else this.faults.fill(0);
    this.pixels.fill(palette.outside);
    for (let row = 0; row < grid.rows; row++) this.row(row, surface, grid, palette);
    surface.context.putImageData(this.image, 0, 0);
  }

  /**
   * Writes the first pixel line of a row of cells and copies it down.
   * @param {number} row
   * @param {Surface} surface
   * @param {Grid} grid
   * @param {Palette} palette
   */
  row(row, surface, grid, palette) {
    const { pixels, edges } = this;
    const width = this.image.width;
    const top = Math.round(rowEdge(grid, row) * surface.ratio);
    const end = Math.round(rowEdge(grid, row + 1) * surface.ratio);
    const gap = (edges[1] - edges[0]) >= GAP_FROM * surface.ratio && end - top >= GAP_FROM * surface.ratio ? 1 : 0;
    const line = top * width;
    for (let col = 0, cell = row * grid.cols; col < grid.cols; col++, cell++) {
      const colour = this.colour(cell, palette);
      const to = line + edges[col + 1];
      pixels.fill(colour, line + edges[col], to - gap);
      if (gap) pixels[to - 1] = palette.background;
    }
    const [left, right] = [line + edges[0], line + edges[grid.cols]];
    for (let y = top + 1; y < end - gap; y++) pixels.copyWithin(y * width + edges[0], left, right);
    if (gap) pixels.fill(palette.background, (end - 1) * width + edges[0], (end - 1) * width + edges[grid.cols]);
  }

  /**
   * @param {number} cell
   * @param {Palette} palette
   */
  colour(cell, palette) {
    const fault = this.faults[cell];
    const backed = this.backed[cell];
    if (fault > 24) return palette.fault[fault];
    return backed === 1 ? palette.heat[this.heat[cell]] : backed === 0 ? palette.voided : palette.outside;
  }
}

/**
 * 1 where some page of the cell is in a slot, 0 where none is, 2 beyond the guest's memory.
 * @param {Uint8Array} into
 * @param {Grid} grid
 * @param {Guest} guest
 */
function noteBacked(into, grid, guest) {
  const size = 2 ** grid.shift;
  into.fill(0);
  for (const { base, size: bytes } of guest.pages.slots) {
    const from = Math.floor((base / 4096 - grid.first) / size);
    const to = Math.ceil(((base + bytes) / 4096 - grid.first) / size);
    if (to > 0) into.fill(1, Math.max(0, from), to);
  }
  const end = Math.ceil((Math.min(guest.pages.count, grid.first + grid.span) - grid.first) / size);
  into.fill(2, Math.max(0, end));
}
