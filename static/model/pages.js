// What every page is: the slot that holds it and the rights VTL0 has, page by page and in blocks of 32.

import { ALL, setterText } from "../base/rights.js";
import { fromTriples } from "../base/runs.js";
import { BLOCK } from "./heat.js";

/** @typedef {import("./types").SlotStatus} SlotStatus */

const SETTER_SHIFT = 4;

export class Pages {
  /** @param {number} count */
  constructor(count) {
    this.count = count;
    /** Index into `slots` plus one; 0 is void. */
    this.owner = new Uint8Array(count);
    this.rights = new Uint8Array(count).fill(ALL);
    /** Who took rights away, see setterText; of no meaning where none is missing. */
    this.setters = new Uint8Array(count);
    this.missing = new Uint8Array(Math.ceil(count / BLOCK));
    this.backed = new Uint8Array(Math.ceil(count / BLOCK));
    /** @type {SlotStatus[]} */
    this.slots = [];
    /** @type {{first: number, count: number, key: number}[]} */
    this.masks = [];
    /** Goes up with every change, for those who keep something made from the pages. */
    this.version = 0;
  }

  /**
   * True when the slots differ from those before.
   * @param {SlotStatus[]} slots
   */
  setSlots(slots) {
    if (JSON.stringify(slots) === JSON.stringify(this.slots)) return false;
    this.slots = slots;
    this.owner.fill(0);
    this.backed.fill(0);
    slots.forEach(({ base, size }, index) => {
      const [first, end] = [base / 4096, (base + size) / 4096];
      this.owner.fill(index + 1, first, end);
      this.backed.fill(1, Math.floor(first / BLOCK), Math.ceil(end / BLOCK));
    });
    this.version++;
    return true;
  }

  /**
   * @param {Uint32Array} triples runs of pages whose mask is not RWX; rights, and from bit 4 on who set them
   */
  setMasks(triples) {
    const masks = fromTriples(triples);
    if (JSON.stringify(masks) === JSON.stringify(this.masks)) return false;
    this.masks = masks;
    this.rights.fill(ALL);
    this.setters.fill(0);
    this.missing.fill(0);
    for (const { first, count, key } of masks) {
      this.rights.fill(key & ALL, first, first + count);
      this.setters.fill(key >> SETTER_SHIFT, first, first + count);
      const end = Math.ceil((first + count) / BLOCK);
      for (let block = Math.floor(first / BLOCK); block < end; block++) this.missing[block] |= ALL & ~key;
    }
    this.version++;
    return true;
  }

  /**
   * The slot that holds a page, or null in the void.
   * @param {number} gfn
   */
  slotOf(gfn) {
    const owner = this.owner[gfn] ?? 0;
    return owner === 0 ? null : this.slots[owner - 1];
  }

  /**
   * Who took rights from pages of [first, end): `a command`, or several; empty where none is missing.
   * @param {number} first
   * @param {number} end
   */
  settersIn(first, end) {
    const found = new Set();
    for (let page = first; page < Math.min(end, this.count); page++) {
      if (this.rights[page] !== ALL) found.add(setterText(this.setters[page]));
    }
    return [...found].join(" and ");
  }

  /**
   * Rights missing from any page of [first, end).
   * @param {number} first
   * @param {number} end
   */
  missingIn(first, end) {
    let missing = 0;
    for (let at = first, stop = Math.min(end, this.count); at < stop; ) {
      const whole = at % BLOCK === 0 && at + BLOCK <= stop;
      missing |= whole ? this.missing[at >>> 5] : ALL & ~this.rights[at];
      at += whole ? BLOCK : 1;
    }
    return missing;
  }

  /**
   * Whether any page of [first, end) is in a slot.
   * @param {number} first
   * @param {number} end
   */
  backedIn(first, end) {
    return this.slots.some(({ base, size }) => base / 4096 < end && (base + size) / 4096 > first);
  }
}
