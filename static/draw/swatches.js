// The legend's samples, drawn with the map's own colours and patterns.

import { ALL, W, X } from "../base/rights.js";
import { maskPatterns, voidPattern } from "./patterns.js";
import { fit, surface } from "./surface.js";

/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {import("./surface.js").Surface} Surface */

/** @type {Record<string, (on: Surface, palette: Palette) => void>} */
const SAMPLES = {
  heat: (on, palette) => {
    for (let x = 0; x < on.width; x++) {
      const pixel = palette.heat[Math.round(40 + (215 * x) / on.width)];
      fill(on, `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`, x, 1);
    }
  },
  W: (on, palette) => masked(on, palette, W),
  R: (on, palette) => masked(on, palette, ALL),
  X: (on, palette) => masked(on, palette, X),
  void: (on, palette) => {
    fill(on, palette.css("--cell-void"));
    fill(on, voidPattern(on.context, palette, on.ratio));
  },
  fault: (on, palette) => fill(on, palette.css("--fault")),
};

/** @param {Palette} palette */
export function drawSwatches(palette) {
  for (const canvas of document.querySelectorAll("canvas[data-swatch]")) {
    if (!(canvas instanceof HTMLCanvasElement)) continue;
    const on = surface(canvas);
    fit(on);
    SAMPLES[canvas.dataset.swatch ?? ""]?.(on, palette);
  }
}

/**
 * @param {Surface} on
 * @param {Palette} palette
 * @param {number} missing
 */
function masked(on, palette, missing) {
  fill(on, palette.css("--cell"));
  fill(on, maskPatterns(on.context, palette, on.ratio)(missing));
}

/**
 * @param {Surface} on
 * @param {string | CanvasPattern} style
 * @param {number} [x]
 * @param {number} [width]
 */
function fill({ context, width: all, height }, style, x = 0, width = all) {
  context.fillStyle = style;
  context.fillRect(x, 0, width, height);
}
