// Exits and dirty pages a second over the last minute.

import { short } from "../base/numbers.js";

/** @typedef {import("./palette.js").Palette} Palette */

const SAMPLES = 120;

export class Rates {
  /** @param {HTMLElement} holder */
  constructor(holder) {
    this.holder = holder;
    /** @type {[number[], (number | null)[], (number | null)[]]} */
    this.data = [[], [], []];
    /** @type {uPlot | null} */
    this.plot = null;
    this.began = performance.now();
  }

  /**
   * Adds a sample; call it a few times a second, not every frame.
   * @param {number} exits
   * @param {number} dirty
   */
  add(exits, dirty) {
    const [times, first, second] = this.data;
    times.push((performance.now() - this.began) / 1000);
    first.push(exits);
    second.push(dirty);
    if (times.length > SAMPLES) for (const series of this.data) series.shift();
    this.plot?.setData(this.data);
  }

  /**
   * Builds the plot anew: the colours or the size of type changed.
   * @param {Palette} palette
   */
  restyle(palette) {
    this.plot?.destroy();
    this.plot = new uPlot(options(this.holder, palette), this.data, this.holder);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.holder;
    if (this.plot && (this.plot.width !== width || this.plot.height !== height)) this.plot.setSize({ width, height });
  }
}

/**
 * @param {HTMLElement} holder
 * @param {Palette} palette
 */
function options(holder, palette) {
  const font = `${palette.font}px ${palette.css("--ui")}`;
  const axis = (/** @type {string} */ scale, /** @type {number} */ side, /** @type {string} */ colour) => ({
    scale, side, font, stroke: palette.css(colour), size: palette.font * 3.2, gap: 2, space: palette.font * 3,
    grid: { show: side === 3, stroke: palette.css("--line"), width: 1 }, ticks: { show: false },
    values: (/** @type {unknown} */ _plot, /** @type {number[]} */ splits) => splits.map(short),
  });
  return {
    width: holder.clientWidth, height: holder.clientHeight, legend: { show: false }, cursor: { show: false },
    padding: [6, 0, palette.font, 0], pxAlign: 0,
    scales: { x: { time: false }, exits: { range: fromZero }, dirty: { range: fromZero } },
    axes: [{ show: false }, axis("exits", 3, "--fault-ink"), axis("dirty", 1, "--heat-ink")],
    series: [
      {},
      { scale: "exits", stroke: palette.css("--fault-ink"), width: 1.5, points: { show: false } },
      { scale: "dirty", stroke: palette.css("--heat-ink"), width: 1.5, dash: [4, 3], points: { show: false } },
    ],
  };
}

/**
 * @param {unknown} _plot
 * @param {number} _least
 * @param {number} most
 */
function fromZero(_plot, _least, most) {
  return [0, Math.max(10, (most || 0) * 1.15)];
}
