// A canvas that fits its box on any screen density.

/**
 * @typedef {object} Surface
 * @property {HTMLCanvasElement} canvas
 * @property {CanvasRenderingContext2D} context drawing in CSS pixels
 * @property {number} width CSS pixels
 * @property {number} height
 * @property {number} ratio device pixels per CSS pixel
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 * @returns {Surface}
 */
export function surface(canvas, settings) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", settings));
  return { canvas, context, width: 0, height: 0, ratio: 1 };
}

/**
 * Takes on the size of the canvas's box; true when that changed anything (and cleared the canvas).
 * @param {Surface} surface
 */
export function fit(surface) {
  const { canvas, context } = surface;
  const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio];
  if (width === surface.width && height === surface.height && ratio === surface.ratio) return false;
  Object.assign(surface, { width, height, ratio });
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return true;
}
