// Everything that is drawn: puts model and view state into the draw functions, each canvas only when it must.

import { gridFor } from "../base/grid.js";
import { isHostClock, roundUp, wholeSpan } from "../base/scale.js";
import { whole } from "../base/viewport.js";
import { drawLanes, rowsFor } from "../draw/lanes.js";
import { HeatImage } from "../draw/map.js";
import { drawMarks } from "../draw/marks.js";
import { drawOverview } from "../draw/overview.js";
import { readPalette } from "../draw/palette.js";
import { maskPatterns, voidPattern } from "../draw/patterns.js";
import { fit, surface } from "../draw/surface.js";
import { drawSwatches } from "../draw/swatches.js";
import { chosenExit, chosenSlot, cursor, layers, selection, timeWindow, viewport } from "../state/view.js";
import { byId } from "./element.js";

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("../base/scale.js").Scale} Scale */

const SECONDS = 10;

export class Screen {
  /** @param {Guest} guest */
  constructor(guest) {
    this.guest = guest;
    this.heat = surface(byId("map-heat"), { alpha: false });
    this.marks = surface(byId("map-marks"));
    this.overview = surface(byId("overview"));
    this.lanes = surface(byId("time-lanes"));
    this.image = new HeatImage();
    this.marked = "";
    this.grid = gridFor(0, 1, { left: 0, top: 0, width: 1, height: 1 });
    /** @type {Scale} */
    this.scale = { from: 0, to: 1, left: 0, width: 1 };
    this.rows = rowsFor(1, 1, 10);
    this.palette = readPalette();
    /** @type {{masks: import("../draw/patterns.js").MaskPatterns, voided: CanvasPattern} | null} */
    this.patterns = null;
  }

  /** Takes colours and type size from the theme anew. */
  restyle() {
    this.palette = readPalette();
    this.patterns = null;
    this.marked = "";
    drawSwatches(this.palette);
  }

  paint() {
    const { guest, palette } = this;
    const total = guest.pages.count;
    if (total === 0) return;
    if (viewport.value.span === 0 || viewport.value.span > total) viewport.set(whole(total));
    fit(this.heat);
    this.layOut();
    this.image.draw(this.heat, this.grid, guest, palette, layers.value);
    this.paintMarks();
    fit(this.overview);
    drawOverview(this.overview, guest, viewport.value, palette);
    this.paintLanes();
  }

  layOut() {
    const { width, height } = this.heat;
    const { font } = this.palette;
    const area = { left: Math.round(font * 7.2), top: 1, width: Math.round(width - font * 13), height: height - 2 };
    this.grid = gridFor(viewport.value.first, viewport.value.span, area);
  }

  /** Marks change seldom; what they are made from is compared before they are drawn again. */
  paintMarks() {
    const { guest, grid, palette } = this;
    const focused = document.activeElement === byId("map");
    const changed = fit(this.marks);
    const made = JSON.stringify([
      grid, guest.pages.version, guest.generation, guest.info?.system_pages, layers.value, selection.value,
      focused && cursor.value, chosenSlot.value,
    ]);
    if (!changed && made === this.marked) return;
    this.marked = made;
    const { context, width, height, ratio } = this.marks;
    if (changed || !this.patterns) {
      this.patterns = { masks: maskPatterns(context, palette, ratio), voided: voidPattern(context, palette, ratio) };
    }
    context.clearRect(0, 0, width, height);
    drawMarks({
      ...{ context, grid, guest, palette, layers: layers.value, ...this.patterns, selection: selection.value },
      ...{ cursor: focused ? cursor.value : null, chosenSlot: chosenSlot.value, right: grid.area.left + grid.area.width + 6 },
    });
  }

  paintLanes() {
    fit(this.lanes);
    const { context, width, height } = this.lanes;
    const { palette, guest } = this;
    const left = Math.round(palette.font * 6);
    const [from, to] = this.window();
    this.scale = { from, to, left, width: Math.max(1, width - left - 1) };
    this.rows = rowsFor(guest.status?.vcpus.length ?? 1, height, palette.font);
    context.clearRect(0, 0, width, height);
    drawLanes({ context, scale: this.scale, palette }, guest, this.rows, chosenExit.value);
  }

  /**
   * First and last time shown: chosen, or the last ten seconds of the clock; of a run that ended sooner, all of it.
   * @returns {[number, number]}
   */
  window() {
    const { end, span } = timeWindow.value;
    const { guest } = this;
    const usual = this.usualSpan();
    const whole = guest.ended ? wholeSpan(guest.history.records.at(-1)?.time ?? 0, usual) : null;
    const width = span ?? whole ?? usual;
    const to = end ?? (whole ? width : Math.max(guest.history.time, width));
    return [to - width, to];
  }

  usualSpan() {
    const clock = this.guest.info?.clock ?? "host ns";
    if (isHostClock(clock)) return SECONDS * 1e9;
    const perSecond = (this.guest.time / Math.max(1, this.guest.now)) * 1000;
    return roundUp(Math.max(1000, perSecond * SECONDS));
  }
}
