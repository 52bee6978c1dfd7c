// The guest as the frames so far tell it: the last frame's values, page by page arrays, and what happened lately.

import { countBits } from "../base/bits.js";
import { cooling, Heat } from "./heat.js";
import { History, slotChange } from "./history.js";
import { Pages } from "./pages.js";

/** @typedef {import("./types").Frame} Frame */
/** @typedef {import("./types").Info} Info */
/** @typedef {import("./types").Status} Status */

const DIRTY_HALF_LIFE = 1400;
const FAULT_HALF_LIFE = 450;

export class Guest {
  constructor() {
    /** @type {Info | null} */
    this.info = null;
    /** @type {Status | null} */
    this.status = null;
    this.pages = new Pages(0);
    this.heat = new Heat(0, cooling(DIRTY_HALF_LIFE, 40));
    this.faults = new Heat(0, cooling(FAULT_HALF_LIFE, 0));
    this.history = new History();
    this.time = 0;
    this.seq = 0;
    this.encodedAt = 0;
    /** ms of running seen: ages count in it, so that a paused picture keeps its heat. */
    this.now = 1;
    /** Goes up when a run begins anew. */
    this.generation = 0;
    /** What the first frame tells is how things are, not that they changed. */
    this.isFirst = true;
  }

  get running() {
    return this.status?.phase === "running";
  }

  get ended() {
    return this.status?.phase === "ended";
  }

  /**
   * Lets `elapsed` ms pass on the clock that heat ages by.
   * @param {number} elapsed
   */
  pass(elapsed) {
    if (this.running) this.now += Math.min(250, Math.round(elapsed));
  }

  /**
   * @param {Frame} frame
   */
  apply(frame) {
    if (frame.pages !== this.pages.count) this.resize(frame.pages);
    else if (this.isAnew(frame)) this.begin();
    this.time = frame.time;
    this.seq = frame.seq;
    this.encodedAt = frame.encodedAt;
    if (frame.info) this.info = frame.info;
    this.history.addExits(frame.exits);
    if (frame.status) this.applyStatus(frame.time, frame.status);
    if (frame.masks && this.pages.setMasks(frame.masks) && !this.isFirst) this.history.markMasks(frame.time, "masks changed");
    this.applyMemory(frame);
    this.isFirst = false;
    this.history.time = frame.time;
  }

  /**
   * @param {number} time
   * @param {Status} status
   */
  applyStatus(time, status) {
    const known = this.isFirst ? status.dirty_losses : (this.status?.dirty_losses ?? 0);
    if (status.dirty_losses > known) this.history.markLoss(time, "ring entries lost");
    this.status = status;
    this.history.addStates(time, status);
    const before = this.pages.slots;
    if (this.pages.setSlots(status.slots) && !this.isFirst) this.history.markSlots(time, slotChange(before, status.slots));
  }

  /** @param {Frame} frame */
  applyMemory(frame) {
    if (frame.dirty) {
      this.heat.mark(frame.dirty, this.now);
      this.history.addDirty(frame.time, countBits(frame.dirty));
    }
    if (frame.faults) this.faults.markPages(frame.faults, this.now);
  }

  /**
   * A reset begins a new log: its sequence numbers start again.
   * @param {Frame} frame
   */
  isAnew(frame) {
    return frame.status !== null && this.status !== null && frame.status.last_seq < this.status.last_seq;
  }

  begin() {
    this.heat.clear();
    this.faults.clear();
    this.history.clear();
    this.generation++;
    this.isFirst = true;
  }

  /** @param {number} pages */
  resize(pages) {
    this.pages = new Pages(pages);
    this.heat = new Heat(pages, this.heat.table);
    this.faults = new Heat(pages, this.faults.table);
    this.history.clear();
    this.generation++;
    this.isFirst = true;
  }
}
