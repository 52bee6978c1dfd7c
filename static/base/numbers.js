// Numbers as people read and write them here: hex addresses, binary sizes, rates with a unit.

/** @typedef {import("../model/types").Wide} Wide */

/**
 * `0x210000`.
 * @param {Wide} value
 */
export function hex(value) {
  return "0x" + BigInt(value).toString(16);
}

/**
 * gpa of a page: `0x210000` for gfn 0x210.
 * @param {number} gfn
 */
export function gpaText(gfn) {
  return "0x" + (gfn * 4096).toString(16);
}

/**
 * The same with leading zeros, so that the addresses of a guest of `pages` pages line up.
 * @param {number} gfn
 * @param {number} pages
 */
export function gpaColumn(gfn, pages) {
  const digits = Math.max(6, ((pages - 1) * 4096).toString(16).length);
  return "0x" + (gfn * 4096).toString(16).padStart(digits, "0");
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/**
 * `2 MiB`, `1.5 MiB`, `4094 MiB`: the largest unit that says it exactly with at most two decimals.
 * @param {number} size
 */
export function bytes(size) {
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1 && Number.isInteger((size / 1024) * 100)) {
    size /= 1024;
    unit++;
  }
  return `${size} ${UNITS[unit]}`;
}

/**
 * `1 page`, `2,048 pages`.
 * @param {number} count
 */
export function pagesText(count) {
  return count === 1 ? "1 page" : `${grouped(count)} pages`;
}

/**
 * `48,213`.
 * @param {number} value
 */
export function grouped(value) {
  return Math.round(value).toLocaleString("en");
}

/**
 * At most four characters and a suffix: `812`, `1.2k`, `2k`, `34k`, `5.1M`.
 * @param {number} value
 */
export function short(value) {
  if (value < 10 && value % 1 !== 0) return value.toFixed(1);
  if (value < 999.5) return String(Math.round(value));
  const [divisor, suffix] = value < 999_500 ? [1e3, "k"] : value < 999.5e6 ? [1e6, "M"] : [1e9, "G"];
  const scaled = value / Number(divisor);
  return (scaled < 9.95 ? String(Number(scaled.toFixed(1))) : String(Math.round(scaled))) + suffix;
}

const SIZE = /^(0x[0-9a-f]+|\d+(?:\.\d+)?)\s*([kmg]i?b?)?$/i;
/** @type {Record<string, number>} */
const FACTOR = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Bytes from `2MiB`, `0x200000`, `4096`; null when it is none of them or no whole number.
 * @param {string} text
 */
export function parseSize(text) {
  const match = SIZE.exec(text.trim());
  if (match === null) return null;
  const value = Number(match[1]) * (match[2] ? FACTOR[match[2][0].toLowerCase()] : 1);
  return Number.isSafeInteger(value) ? value : null;
}

/**
 * A gpa as typed into the find box: hex with or without 0x; a size with a unit also goes.
 * @param {string} text
 */
export function parseAddress(text) {
  const bare = text.trim().replaceAll("_", "");
  if (/^[0-9a-f]+$/i.test(bare)) return Number.parseInt(bare, 16);
  return parseSize(bare);
}
