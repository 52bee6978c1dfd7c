// What happened lately, for the stream and the timeline: exits, vCPU states, slot and mask changes, dirty harvests.

/** @typedef {import("./types").ExitRecord} ExitRecord */
/** @typedef {import("./types").Status} Status */
/** @typedef {{time: number, state: string, vtl: number}} Stay a vCPU's state from `time` on */
/** @typedef {{time: number, what: string}} Mark */

const MOST_RECORDS = 6000;
const MOST_MARKS = 4000;

export class History {
  constructor() {
    /** @type {ExitRecord[]} oldest first */
    this.records = [];
    /** @type {Stay[][]} one list a vCPU */
    this.stays = [];
    /** @type {Mark[]} */
    this.slotMarks = [];
    /** @type {Mark[]} */
    this.maskMarks = [];
    /** @type {{time: number, pages: number}[]} */
    this.dirty = [];
    /** @type {Mark[]} harvests for which the host had lost entries of a ring */
    this.losses = [];
    this.time = 0;
  }

  clear() {
    Object.assign(this, new History());
  }

  /** @param {ExitRecord[]} records */
  addExits(records) {
    for (const record of records) this.addVtls(record);
    this.records.push(...records);
    trim(this.records, MOST_RECORDS);
  }

  /**
   * An exit tells which VTL its vCPU was in, and which one it goes on in.
   * @param {ExitRecord} record
   */
  addVtls({ time, vcpu, vtl, switch: switched }) {
    const stays = (this.stays[vcpu] ??= []);
    for (const now of switched ? [vtl, switched.to_vtl] : [vtl]) {
      if (stays.at(-1)?.vtl !== now) stays.push({ time, state: "running", vtl: now });
    }
    trim(stays, MOST_MARKS);
  }

  /**
   * @param {number} time
   * @param {Status} status
   */
  addStates(time, status) {
    for (const { index, state, vtl } of status.vcpus) {
      const stays = (this.stays[index] ??= []);
      const last = stays.at(-1);
      if (last && last.state === state && last.vtl === vtl) continue;
      stays.push({ time, state, vtl });
      trim(stays, MOST_MARKS);
    }
  }

  /**
   * @param {number} time
   * @param {string} what
   */
  markSlots(time, what) {
    this.slotMarks.push({ time, what });
    trim(this.slotMarks, MOST_MARKS);
  }

  /**
   * @param {number} time
   * @param {string} what
   */
  markMasks(time, what) {
    this.maskMarks.push({ time, what });
    trim(this.maskMarks, MOST_MARKS);
  }

  /**
   * @param {number} time
   * @param {number} pages
   */
  addDirty(time, pages) {
    this.dirty.push({ time, pages });
    trim(this.dirty, MOST_MARKS);
  }

  /**
   * @param {number} time
   * @param {string} what
   */
  markLoss(time, what) {
    this.losses.push({ time, what });
    trim(this.losses, MOST_MARKS);
  }

  /** @param {number} seq */
  find(seq) {
    return this.records.find((record) => record.seq === seq) ?? null;
  }
}

/**
 * Index of the first item whose time is at least `time`.
 * @param {readonly {time: number}[]} items ascending
 * @param {number} time
 */
export function firstFrom(items, time) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items[middle].time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * How one list of slots became another, in words: `slot 1 deleted`.
 * @param {readonly {slot: number, base: number, flags: number}[]} before
 * @param {readonly {slot: number, base: number, flags: number}[]} after
 */
export function slotChange(before, after) {
  const changes = [];
  for (const { slot, base, flags } of after) {
    const old = before.find((one) => one.slot === slot);
    if (!old) changes.push(`slot ${slot} added`);
    else if (old.base !== base) changes.push(`slot ${slot} moved`);
    else if (old.flags !== flags) changes.push(`slot ${slot} flags`);
  }
  for (const { slot } of before) if (!after.some((one) => one.slot === slot)) changes.push(`slot ${slot} deleted`);
  return changes.join(", ");
}

/**
 * Drops the oldest once there are a quarter too many, so that dropping stays rare.
 * @param {unknown[]} items
 * @param {number} most
 */
function trim(items, most) {
  if (items.length > most * 1.25) items.splice(0, items.length - most);
}
