// Which pages the map shows: zooming by powers of two, moving in steps, never beyond the guest's memory.

/** @typedef {{first: number, span: number}} Viewport */

const LEAST = 64;

/**
 * The whole of memory.
 * @param {number} total pages
 * @returns {Viewport}
 */
export function whole(total) {
  return { first: 0, span: total };
}

/**
 * Half or twice as many pages, with `around` kept where it is as far as the edges allow.
 * @param {Viewport} viewport
 * @param {boolean} closer
 * @param {number} around page
 * @param {number} total
 * @returns {Viewport}
 */
export function zoomed(viewport, closer, around, total) {
  const power = closer ? Math.ceil(Math.log2(viewport.span)) - 1 : Math.floor(Math.log2(viewport.span)) + 1;
  const span = Math.min(total, Math.max(Math.min(LEAST, total), 2 ** power));
  const part = (around - viewport.first) / viewport.span;
  return placed(around - part * span, span, total);
}

/**
 * @param {Viewport} viewport
 * @param {number} pages how far, negative for down
 * @param {number} total
 * @returns {Viewport}
 */
export function moved(viewport, pages, total) {
  return placed(viewport.first + pages, viewport.span, total);
}

/**
 * The same zoom with `page` in sight: unchanged when it is, otherwise with the page in the middle.
 * @param {Viewport} viewport
 * @param {number} page
 * @param {number} total
 * @returns {Viewport}
 */
export function showing(viewport, page, total) {
  if (page >= viewport.first && page < viewport.first + viewport.span) return viewport;
  return placed(page - viewport.span / 2, viewport.span, total);
}

/**
 * @param {number} first
 * @param {number} span
 * @param {number} total
 * @returns {Viewport}
 */
function placed(first, span, total) {
  // A sixteenth of the view is a whole number of rows, so that the columns keep their meaning while moving.
  const step = Math.max(1, 2 ** Math.floor(Math.log2(span / 16)));
  const aligned = Math.round(first / step) * step;
  return { first: Math.max(0, Math.min(total - span, aligned)), span };
}
