// Colours for canvas, read from the theme's custom properties: as CSS text and as the pixels of an ImageData.

/**
 * @typedef {object} Palette
 * @property {(name: string) => string} css text of a custom property
 * @property {Uint32Array} heat 256 pixels, 0 never written
 * @property {Uint32Array} fault 256 pixels by heat of the fault, over a page that is not hot
 * @property {number} background
 * @property {number} voided
 * @property {number} outside
 * @property {number} font px of small canvas text
 * @property {boolean} still less motion was asked for
 */

/** @returns {Palette} */
export function readPalette() {
  const style = getComputedStyle(document.documentElement);
  const css = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const stops = ["--cell", "--heat-old", "--heat-mid", "--heat-now"].map((name) => rgb(css(name)));
  return {
    css,
    heat: ramp(stops, [0, 40, 150, 255]),
    fault: ramp([stops[0], rgb(css("--fault")), rgb(css("--fault"))], [0, 90, 255]),
    background: pixel(rgb(css("--map-line"))),
    voided: pixel(rgb(css("--cell-void"))),
    outside: pixel(rgb(css("--bg"))),
    font: (Number.parseFloat(style.fontSize) * 10) / 12.5,
    still: matchMedia("(prefers-reduced-motion: reduce)").matches,
  };
}

/**
 * `#rrggbb` to its three parts.
 * @param {string} colour
 * @returns {number[]}
 */
export function rgb(colour) {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}

/**
 * A pixel as a little-endian ImageData word.
 * @param {number[]} colour
 */
export function pixel([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * 256 pixels through `stops` at positions `at`.
 * @param {number[][]} stops
 * @param {number[]} at
 */
export function ramp(stops, at) {
  const pixels = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    let stop = 1;
    while (stop < at.length - 1 && i > at[stop]) stop++;
    const part = (i - at[stop - 1]) / (at[stop] - at[stop - 1]);
    pixels[i] = pixel(stops[stop].map((end, k) => Math.round(stops[stop - 1][k] + (end - stops[stop - 1][k]) * part)));
  }
  return pixels;
}
