// What a VTL may do to a page: TLFS bits, their text, and which change of one right a host can enforce.

export const R = 1;
export const W = 2;
export const KX = 4;
export const UX = 8;
export const X = KX | UX;
export const ALL = 15;
/** Who set a mask, as engine/session/fold.py numbers them. */
const SETTERS = ["the scenario", "a command", "the script"];

/** @param {number} setter */
export function setterText(setter) {
  return SETTERS[setter] ?? `a hypercall of VTL${setter - SETTERS.length + 1}`;
}

/**
 * Fixed width, for tables and cells: `RWX`, `R--`, `R-K`, `---`.
 * @param {number} rights
 */
export function rightsText(rights) {
  const execute = (rights & X) === X ? "X" : rights & KX ? "K" : rights & UX ? "U" : "-";
  return (rights & R ? "R" : "-") + (rights & W ? "W" : "-") + execute;
}

/**
 * What is missing, in words: `no W`, `no W, no X`, `no access`.
 * @param {number} rights
 */
export function missingText(rights) {
  if ((rights & ALL) === 0) return "no access";
  const missing = [];
  if (!(rights & R)) missing.push("no R");
  if (!(rights & W)) missing.push("no W");
  if (!(rights & X)) missing.push("no X");
  else if (!(rights & KX)) missing.push("no KX");
  else if (!(rights & UX)) missing.push("no UX");
  return missing.join(", ");
}

/**
 * Whether some mask of the host gives kernel and user execution apart from each other.
 * @param {readonly number[]} masks
 */
export function executesApart(masks) {
  return masks.some((mask) => (mask & KX ? 1 : 0) !== (mask & UX ? 1 : 0));
}

/**
 * The mask that switching `bits` on or off leads to, or null when this host has none.
 *
 * Taking R away takes everything (TLFS: W and X need R). Giving a right brings R along; from no access at all it
 * brings whatever the smallest mask of this host brings.
 * @param {number} rights
 * @param {number} bits
 * @param {readonly number[]} masks
 * @returns {number | null}
 */
export function flip(rights, bits, masks) {
  return (rights & bits) === bits ? taken(rights, bits, masks) : given(rights, bits, masks);
}

/**
 * @param {number} rights
 * @param {number} bits
 * @param {readonly number[]} masks
 */
function taken(rights, bits, masks) {
  const wanted = rights & ~bits;
  if (masks.includes(wanted)) return wanted;
  return bits === R && masks.includes(0) ? 0 : null;
}

/**
 * @param {number} rights
 * @param {number} bits
 * @param {readonly number[]} masks
 */
function given(rights, bits, masks) {
  const wanted = rights | bits;
  for (const exact of [wanted, wanted | R]) if (masks.includes(exact)) return exact;
  if (rights !== 0) return null;
  const wider = masks.filter((mask) => (mask & wanted) === wanted);
  return wider.length ? wider.reduce((best, mask) => (size(mask) < size(best) ? mask : best)) : null;
}

/** @param {number} mask */
function size(mask) {
  return (mask & 1) + ((mask >> 1) & 1) + ((mask >> 2) & 1) + ((mask >> 3) & 1);
}
