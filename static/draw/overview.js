// The strip of all RAM: hottest page a column, slots and void, masks along the foot, the viewport as a frame.

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("../state/view.js").Viewport} Viewport */
/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {import("./surface.js").Surface} Surface */

/**
 * @param {Surface} surface
 * @param {Guest} guest
 * @param {Viewport} viewport
 * @param {Palette} palette
 */
export function drawOverview({ context, width, height }, guest, viewport, palette) {
  const count = guest.pages.count;
  context.fillStyle = palette.css("--cell-void");
  context.fillRect(0, 0, width, height);
  if (count === 0) return;
  for (let x = 0; x < width; x++) {
    const first = Math.floor((x * count) / width);
    drawColumn(context, x, height, first, Math.max(first + 1, Math.floor(((x + 1) * count) / width)), guest, palette);
  }
  drawViewport(context, width, height, count, viewport, palette);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} height
 * @param {number} first
 * @param {number} end
 * @param {Guest} guest
 * @param {Palette} palette
 */
function drawColumn(context, x, height, first, end, guest, palette) {
  if (guest.pages.backedIn(first, end)) {
    context.fillStyle = cssPixel(palette.heat[guest.heat.level(guest.heat.latest(first, end), guest.now)]);
    context.fillRect(x, 0, 1, height);
  }
  const fault = guest.faults.level(guest.faults.latest(first, end), guest.now);
  if (fault > 24) {
    context.fillStyle = palette.css("--fault");
    context.fillRect(x, 0, 1, height * 0.55);
  }
  if (guest.pages.missingIn(first, end)) {
    context.fillStyle = palette.css("--mask");
    context.fillRect(x, height - 3, 1, 3);
  }
}

/** @param {number} pixel */
function cssPixel(pixel) {
  return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {number} count
 * @param {Viewport} viewport
 * @param {Palette} palette
 */
function drawViewport(context, width, height, count, viewport, palette) {
  const left = (viewport.first / count) * width;
  const shown = Math.min(width - left, Math.max(3, (viewport.span / count) * width));
  context.strokeStyle = palette.css("--select");
  context.lineWidth = 2;
  context.strokeRect(left + 1, 1, shown - 2, height - 2);
}
