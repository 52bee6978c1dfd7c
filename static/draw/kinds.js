// How each kind of exit looks everywhere: its colour, its letter, its band in a lane, and what it is in a sentence.

/**
 * @typedef {object} KindStyle
 * @property {number} order
 * @property {string} letter
 * @property {string} colour custom property
 * @property {number} from top of the band in a lane, 0 to 1
 * @property {number} to
 * @property {string} about
 */

/** @type {Record<string, KindStyle>} */
export const KINDS = {
  protection: {
    order: 0, letter: "P", colour: "--fault", from: 0, to: 1,
    about: "The page is in a slot, but the mask of the vCPU's VTL lacks the right that the instruction needs.",
  },
  void: {
    order: 1, letter: "V", colour: "--void-ink", from: 0, to: 0.5,
    about: "No memslot held the page at that moment: the access went nowhere.",
  },
  mmio: {
    order: 2, letter: "M", colour: "--slot-ro", from: 0.25, to: 0.75,
    about: "A store to a read-only slot, which KVM hands to the VMM as device memory.",
  },
  io: { order: 3, letter: "I", colour: "--vtl0", from: 0.5, to: 1, about: "The guest executed IN or OUT on an I/O port." },
  msr: {
    order: 4, letter: "S", colour: "--slot", from: 0.1, to: 0.5,
    about: "The guest executed RDMSR or WRMSR on a model-specific register that the hypervisor does not keep itself.",
  },
  hypercall: {
    order: 5, letter: "C", colour: "--vtl1", from: 0.15, to: 0.6,
    about: "The guest called the hypervisor through the hypercall page.",
  },
  synic: {
    order: 10, letter: "Y", colour: "--slot", from: 0.1, to: 0.5,
    about: "The guest wrote a register of the synthetic interrupt controller, which the kernel keeps and only tells about.",
  },
  hlt: { order: 6, letter: "H", colour: "--ok", from: 0, to: 1, about: "The guest executed HLT: this vCPU is done until it is woken." },
  ring_full: {
    order: 7, letter: "R", colour: "--slot-ro", from: 0.4, to: 0.9,
    about: "The vCPU's ring of dirty pages reached its soft limit: it waits until the VMM has emptied it.",
  },
  interrupted: {
    order: 11, letter: "N", colour: "--vtl1", from: 0.4, to: 0.9,
    about: "An interrupt for a higher VTL: the VMM brought the vCPU out of the guest to enter that.",
  },
  shutdown: { order: 8, letter: "T", colour: "--fault", from: 0, to: 1, about: "Triple fault: the vCPU is dead." },
  internal_error: {
    order: 9, letter: "E", colour: "--fault", from: 0, to: 1,
    about: "The hypervisor itself could not go on; its own numbers are with the exit.",
  },
};

/** @type {KindStyle} */
const OTHER = { order: 12, letter: "?", colour: "--dim", from: 0.7, to: 1, about: "A return of the vCPU to the VMM." };

/**
 * @param {string} kind
 * @returns {KindStyle}
 */
export function styleOf(kind) {
  return KINDS[kind] ?? OTHER;
}
