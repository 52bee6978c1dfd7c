// The timeline: a lane per vCPU with its states and exits, then slot changes, mask changes and dirty harvests.

import { ticks, tickText, toPixel } from "../base/scale.js";
import { firstFrom } from "../model/history.js";
import { styleOf } from "./kinds.js";
import { drawHigher, drawSwitches, vtlColour } from "./switches.js";

/** @typedef {import("../base/scale.js").Scale} Scale */
/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("../model/history.js").Stay} Stay */
/** @typedef {import("../model/types").ExitRecord} ExitRecord */
/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {{context: CanvasRenderingContext2D, scale: Scale, palette: Palette}} Lane */
/** @typedef {{vcpus: number, laneHeight: number, axis: number}} Rows */

/**
 * Where lanes lie in `height` pixels: vCPUs first, then three more, the axis below.
 * @param {number} vcpus
 * @param {number} height
 * @param {number} font
 * @returns {Rows}
 */
export function rowsFor(vcpus, height, font) {
  const axis = font + 8;
  return { vcpus, laneHeight: Math.max(8, (height - axis) / (vcpus + 3)), axis };
}

/**
 * @param {Lane} lane
 * @param {Guest} guest
 * @param {Rows} rows
 * @param {ExitRecord | null} chosen
 */
export function drawLanes(lane, guest, rows, chosen) {
  const { history, info } = guest;
  for (let vcpu = 0; vcpu < rows.vcpus; vcpu++) {
    const [top, height] = begin(lane, rows, vcpu, `vCPU ${vcpu}`);
    drawStays(lane, history.stays[vcpu] ?? [], top, height, history.time);
  }
  drawExits(lane, history.records, rows);
  for (let vcpu = 0; vcpu < rows.vcpus; vcpu++) {
    drawSwitches(lane, history.stays[vcpu] ?? [], vcpu * rows.laneHeight + 1.5, rows.laneHeight - 3);
  }
  drawMarks(lane, rows, rows.vcpus, "slots", history.slotMarks, "--slot");
  drawMarks(lane, rows, rows.vcpus + 1, "masks", history.maskMarks, "--mask");
  drawDirty(lane, rows, history.dirty);
  drawLosses(lane, rows, history.losses);
  drawAxis(lane, rows, info?.clock ?? "host ns");
  if (chosen) drawChosen(lane, chosen, rows);
}

/**
 * The lane's background and name; its top and height.
 * @param {Lane} lane
 * @param {Rows} rows
 * @param {number} index
 * @param {string} name
 * @returns {[number, number]}
 */
function begin({ context, scale, palette }, rows, index, name) {
  const [top, height] = [index * rows.laneHeight + 1.5, rows.laneHeight - 3];
  context.fillStyle = palette.css("--lane");
  context.fillRect(scale.left, top, scale.width, height);
  context.fillStyle = palette.css("--dim");
  context.font = `${palette.font}px ${palette.css("--ui")}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(name, 0, top + height / 2);
  return [top, height];
}

/**
 * @param {Lane} lane
 * @param {Stay[]} stays
 * @param {number} top
 * @param {number} height
 * @param {number} now
 */
function drawStays(lane, stays, top, height, now) {
  const { context, scale, palette } = lane;
  stays.forEach((stay, i) => {
    const from = Math.max(scale.left, toPixel(scale, stay.time));
    const to = Math.min(scale.left + scale.width, toPixel(scale, stays[i + 1]?.time ?? now));
    if (to <= from) return;
    const colour = palette.css(stay.state === "running" ? `${vtlColour(stay.vtl)}-lane` : `--state-${stay.state}`);
    context.fillStyle = colour;
    context.fillRect(from, top, to - from, height);
    drawHigher(lane, stay.vtl, from, to, top);
    const label = stay.state === "running" ? `VTL${stay.vtl}` : stay.state;
    if (to - from < label.length * palette.font * 0.7 || exitBand(height, palette) === height) return;
    // The lines of a VTL above the first reach down into its name: they begin behind it.
    context.fillStyle = colour;
    if (stay.vtl > 1) context.fillRect(from, top, context.measureText(label).width + 8, height - exitBand(height, palette));
    context.fillStyle = palette.css("--lane-ink");
    context.fillText(label, from + 4, top + (height - exitBand(height, palette)) / 2 + 0.5);
  });
}

/**
 * How much of a lane exits take: its lower half where the state's name fits above, otherwise all of it.
 * @param {number} height
 * @param {Palette} palette
 */
function exitBand(height, palette) {
  return height > palette.font * 2 ? height - palette.font - 2 : height;
}

/**
 * At most one bar a pixel, lane and kind, higher for more exits. Each kind has a band of its own, so that colour is
 * not needed to tell them apart.
 * @param {Lane} lane
 * @param {ExitRecord[]} records
 * @param {Rows} rows
 */
function drawExits({ context, scale, palette }, records, rows) {
  const height = exitBand(rows.laneHeight - 3, palette);
  for (const { x, vcpu, kind, count } of binned(records, scale, rows)) {
    const style = styleOf(kind);
    const bottom = (vcpu + 1) * rows.laneHeight - 1.5 - height * (1 - style.to);
    const bar = height * (style.to - style.from) * Math.min(1, 0.5 + Math.log2(count) / 8);
    context.fillStyle = palette.css(style.colour);
    context.fillRect(x, bottom - bar, 1, bar);
  }
}

/**
 * How many exits of each kind fall on each pixel of each lane.
 * @param {ExitRecord[]} records
 * @param {Scale} scale
 * @param {Rows} rows
 */
function binned(records, scale, rows) {
  /** @type {Map<number, {x: number, vcpu: number, kind: string, count: number}>} */
  const bins = new Map();
  for (let i = firstFrom(records, scale.from); i < records.length && records[i].time <= scale.to; i++) {
    const { time, vcpu, kind } = records[i];
    if (vcpu >= rows.vcpus) continue;
    const x = Math.floor(toPixel(scale, time));
    const key = (x * 16 + vcpu) * 16 + styleOf(kind).order;
    const bin = bins.get(key);
    if (bin) bin.count++;
    else bins.set(key, { x, vcpu, kind, count: 1 });
  }
  return bins.values();
}

/**
 * @param {Lane} lane
 * @param {Rows} rows
 * @param {number} index
 * @param {string} name
 * @param {{time: number}[]} marks
 * @param {string} colour
 */
function drawMarks(lane, rows, index, name, marks, colour) {
  const [top, height] = begin(lane, rows, index, name);
  const { context, scale, palette } = lane;
  context.fillStyle = palette.css(colour);
  let last = -1;
  for (let i = firstFrom(marks, scale.from); i < marks.length && marks[i].time <= scale.to; i++) {
    const x = Math.floor(toPixel(scale, marks[i].time));
    if (x !== last) context.fillRect(x, top, 2, height);
    last = x;
  }
}

/**
 * Bars, logarithmic: one page is a stub, a million fill the lane.
 * @param {Lane} lane
 * @param {Rows} rows
 * @param {{time: number, pages: number}[]} dirty
 */
function drawDirty(lane, rows, dirty) {
  const [top, height] = begin(lane, rows, rows.vcpus + 2, "dirty log");
  const { context, scale, palette } = lane;
  context.fillStyle = palette.css("--heat-mid");
  for (let i = firstFrom(dirty, scale.from); i < dirty.length && dirty[i].time <= scale.to; i++) {
    const bar = height * Math.min(1, 0.15 + 0.85 * (Math.log10(dirty[i].pages) / 6));
    context.fillRect(Math.floor(toPixel(scale, dirty[i].time)), top + height - bar, 2, bar);
  }
}

/**
 * A cross on the dirty log's lane: there the host lost entries, and every logged page counts as written.
 * @param {Lane} lane
 * @param {Rows} rows
 * @param {{time: number}[]} losses
 */
function drawLosses({ context, scale, palette }, rows, losses) {
  const middle = (rows.vcpus + 2.5) * rows.laneHeight;
  const arm = Math.max(2, Math.min(5, rows.laneHeight / 2 - 2));
  context.strokeStyle = palette.css("--fault-ink");
  context.lineWidth = 1.5;
  let last = -Infinity;
  for (let i = firstFrom(losses, scale.from); i < losses.length && losses[i].time <= scale.to; i++) {
    const x = Math.floor(toPixel(scale, losses[i].time)) + 1;
    if (x - last < arm) continue;
    last = x;
    context.beginPath();
    for (const tilt of [-1, 1]) {
      context.moveTo(x - arm, middle - arm * tilt);
      context.lineTo(x + arm, middle + arm * tilt);
    }
    context.stroke();
  }
}

/**
 * @param {Lane} lane
 * @param {Rows} rows
 * @param {string} clock
 */
function drawAxis({ context, scale, palette }, rows, clock) {
  const top = (rows.vcpus + 3) * rows.laneHeight;
  context.fillStyle = palette.css("--dim");
  context.textBaseline = "top";
  for (const tick of ticks(scale.from, scale.to, scale.width / (palette.font * 9))) {
    const x = toPixel(scale, tick);
    context.fillRect(x, top, 1, 3);
    context.textAlign = x > scale.left + scale.width - 24 ? "right" : x < scale.left + 24 ? "left" : "center";
    context.fillText(tickText(tick, scale.to - scale.from, clock), x, top + 5);
  }
}

/**
 * @param {Lane} lane
 * @param {ExitRecord} chosen
 * @param {Rows} rows
 */
function drawChosen({ context, scale, palette }, chosen, rows) {
  const x = Math.round(toPixel(scale, chosen.time));
  if (x < scale.left || x > scale.left + scale.width) return;
  context.fillStyle = palette.css("--ink");
  context.fillRect(x, 0, 1, (rows.vcpus + 3) * rows.laneHeight);
  context.beginPath();
  const top = chosen.vcpu * rows.laneHeight;
  for (const [dx, dy] of [[-4, 0], [5, 0], [0.5, 6]]) context.lineTo(x + dx, top + dy);
  context.fill();
}
