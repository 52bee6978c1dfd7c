// Marks of VTLs on a vCPU's lane: as many lines along the top as the VTL that runs is high, a triangle where it switches.

import { toPixel } from "../base/scale.js";

/** @typedef {import("../model/history.js").Stay} Stay */
/** @typedef {import("./lanes.js").Lane} Lane */

const ARM = 4;
const LINE = 2;
const MOST_LINES = 4;
const COLOURS = 2;

/**
 * Its name among the page's colours: VTLs from 2 on share one, and differ by their lines.
 * @param {number} vtl
 */
export function vtlColour(vtl) {
  return `--vtl${Math.min(vtl, COLOURS)}`;
}

/**
 * Triangles point up into a higher VTL and down into a lower one; where they would touch, the first stands for all.
 * @param {Lane} lane
 * @param {Stay[]} stays
 * @param {number} top
 * @param {number} height
 */
export function drawSwitches({ context, scale, palette }, stays, top, height) {
  context.fillStyle = palette.css("--ink");
  let last = -Infinity;
  for (let i = 1; i < stays.length; i++) {
    const up = stays[i].vtl > stays[i - 1].vtl;
    const x = Math.round(toPixel(scale, stays[i].time));
    if (stays[i].vtl === stays[i - 1].vtl || x - last < 3 * ARM || x < scale.left || x > scale.left + scale.width) continue;
    last = x;
    triangle(context, x, up ? top + 1 : top + height - 1, up ? ARM + 1 : -ARM - 1);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} tip
 * @param {number} tall
 */
function triangle(context, x, tip, tall) {
  context.beginPath();
  context.moveTo(x, tip);
  context.lineTo(x - ARM, tip + tall);
  context.lineTo(x + ARM, tip + tall);
  context.fill();
}

/**
 * @param {Lane} lane
 * @param {number} vtl
 * @param {number} from
 * @param {number} to
 * @param {number} top
 */
export function drawHigher({ context, palette }, vtl, from, to, top) {
  context.fillStyle = palette.css(vtlColour(vtl));
  for (const line of linesOf(vtl)) context.fillRect(from, top + line, to - from, LINE);
}

/**
 * How far below the lane's top the lines of a VTL begin: none for VTL0, at most four.
 * @param {number} vtl
 */
export function linesOf(vtl) {
  return Array.from({ length: Math.min(vtl, MOST_LINES) }, (_, at) => 2 * LINE * at);
}
