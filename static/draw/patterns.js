// Patterns for what colour alone must not say: missing rights, the void. The legend is drawn with the same ones.

import { KX, R, UX, W, X } from "../base/rights.js";

/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {(missing: number) => CanvasPattern} MaskPatterns */

/**
 * Pattern for a set of missing rights: strokes `/` for W, crossed for R, dots for X; half the dots for KX or UX alone.
 * @param {CanvasRenderingContext2D} context
 * @param {Palette} palette
 * @param {number} ratio device pixels per CSS pixel
 * @returns {MaskPatterns}
 */
export function maskPatterns(context, palette, ratio) {
  /** @type {Map<number, CanvasPattern>} */
  const made = new Map();
  return (missing) => {
    const found = made.get(missing) ?? tiled(context, ratio, 6, (tile) => maskTile(tile, missing, palette));
    made.set(missing, found);
    return found;
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Palette} palette
 * @param {number} ratio
 */
export function voidPattern(context, palette, ratio) {
  return tiled(context, ratio, 4, (tile) => {
    tile.fillStyle = palette.css("--void-line");
    tile.fillRect(1, 0, 1, 4);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} ratio
 * @param {number} size
 * @param {(tile: CanvasRenderingContext2D) => void} draw
 */
function tiled(context, ratio, size, draw) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.round(size * ratio);
  const tile = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  tile.scale(ratio, ratio);
  draw(tile);
  const pattern = /** @type {CanvasPattern} */ (context.createPattern(canvas, "repeat"));
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}

/**
 * @param {CanvasRenderingContext2D} tile
 * @param {number} missing
 * @param {Palette} palette
 */
function maskTile(tile, missing, palette) {
  tile.fillStyle = palette.css("--mask");
  // A rim in the colour of the ground keeps the lines apart from whatever heat they lie on.
  for (const [colour, width] of /** @type {[string, number][]} */ ([[`${palette.css("--bg")}80`, 2.6], [palette.css("--mask"), 1.2]])) {
    tile.strokeStyle = colour;
    tile.lineWidth = width;
    if (missing & (R | W)) stroke(tile, [[-1, 1, 1, -1], [-1, 7, 7, -1], [5, 7, 7, 5]]);
    if (missing & R) stroke(tile, [[-1, 5, 1, 7], [-1, -1, 7, 7], [5, -1, 7, 1]]);
  }
  if (missing & KX) tile.fillRect(1, 1, 2, 2);
  if (missing & UX) tile.fillRect(4, 4, 2, 2);
  if ((missing & X) === X && missing & W) tile.fillRect(2.5, 2.5, 1, 1);
}

/**
 * @param {CanvasRenderingContext2D} tile
 * @param {number[][]} lines
 */
function stroke(tile, lines) {
  tile.beginPath();
  for (const [x0, y0, x1, y1] of lines) {
    tile.moveTo(x0, y0);
    tile.lineTo(x1, y1);
  }
  tile.stroke();
}
