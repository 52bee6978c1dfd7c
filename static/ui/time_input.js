// Hands on the timeline: W A S D, wheel and drag move it; a click chooses the exit next to it.

import { LEAST_SPAN, timeText, toPixel, toValue } from "../base/scale.js";
import { firstFrom } from "../model/history.js";
import { chosenExit, timeWindow } from "../state/view.js";
import { byId, setText } from "./element.js";

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("./screen.js").Screen} Screen */

const NEAR = 8;

/**
 * @param {Guest} guest
 * @param {Screen} screen
 * @returns {() => void}
 */
export function connectTime(guest, screen) {
  const time = byId("time");
  let from = { x: 0, end: 0, moved: false };
  time.addEventListener("pointerdown", (event) => {
    time.setPointerCapture(event.pointerId);
    from = { x: event.clientX, end: screen.scale.to, moved: false };
  });
  time.addEventListener("pointermove", (event) => {
    if (event.buttons !== 1 || (!from.moved && Math.abs(event.clientX - from.x) < 4)) return;
    from.moved = true;
    const span = screen.scale.to - screen.scale.from;
    setWindow(screen, from.end - ((event.clientX - from.x) / screen.scale.width) * span, span);
  });
  time.addEventListener("click", (event) => from.moved || choose(event, guest, screen));
  time.addEventListener("wheel", (event) => wheel(event, screen), { passive: false });
  byId("time-follow").addEventListener("click", () => timeWindow.set({ ...timeWindow.value, end: null }));
  return () => {
    const clock = guest.info?.clock ?? "host ns";
    setText(byId("time-range"), `${timeText(Math.max(0, screen.scale.from), clock)} – ${timeText(screen.scale.to, clock)}`);
    byId("time-follow").setAttribute("aria-pressed", String(timeWindow.value.end === null));
  };
}

/**
 * @param {Screen} screen
 * @param {number} factor
 */
export function zoomTime(screen, factor) {
  const { from, to } = screen.scale;
  const span = Math.max(LEAST_SPAN, (to - from) * factor);
  const centre = timeWindow.value.end === null ? null : (from + to) / 2;
  timeWindow.set({ end: centre === null ? null : centre + span / 2, span });
}

/**
 * @param {Screen} screen
 * @param {number} part of the window, negative for earlier
 */
export function moveTime(screen, part) {
  const { from, to } = screen.scale;
  setWindow(screen, to + (to - from) * part, to - from);
}

/**
 * Past the latest moment means: follow it again.
 * @param {Screen} screen
 * @param {number} end
 * @param {number} span
 */
function setWindow(screen, end, span) {
  timeWindow.set({ end: end >= screen.guest.history.time ? null : end, span });
}

/**
 * @param {WheelEvent} event
 * @param {Screen} screen
 */
function wheel(event, screen) {
  event.preventDefault();
  if (event.shiftKey || event.deltaX) moveTime(screen, Math.sign(event.deltaY || event.deltaX) * 0.1);
  else if (event.deltaY) zoomTime(screen, event.deltaY < 0 ? 0.7 : 1 / 0.7);
}

/**
 * @param {MouseEvent} event
 * @param {Guest} guest
 * @param {Screen} screen
 */
function choose(event, guest, screen) {
  const box = byId("time").getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const vcpu = Math.floor(y / screen.rows.laneHeight);
  const { records } = guest.history;
  let best = null;
  let distance = NEAR;
  for (let i = firstFrom(records, toValue(screen.scale, x - NEAR)); i < records.length; i++) {
    const away = Math.abs(toPixel(screen.scale, records[i].time) - x);
    if (toPixel(screen.scale, records[i].time) > x + NEAR) break;
    if (records[i].vcpu === vcpu && away < distance) [best, distance] = [records[i], away];
  }
  if (best) chosenExit.set(best);
}
