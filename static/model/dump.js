// Guest memory as a dump: sixteen bytes a line, with the numbers and letters that they may be.

const WIDTH = 16;
const ZEROS = "00".repeat(WIDTH);

/**
 * @typedef {{at: number, bytes: string, words: string, text: string, left: number}} DumpLine `left`: how many lines of
 *   zeros this one stands for; 0 for a line of its own
 */

/**
 * Lines of `data`, hex of bytes from `gpa` on. Of zeros that go on only the first line is told.
 * @param {number} gpa
 * @param {string} data
 * @returns {DumpLine[]}
 */
export function dumpLines(gpa, data) {
  /** @type {DumpLine[]} */
  const lines = [];
  for (let from = 0; from < data.length; from += WIDTH * 2) {
    const hex = data.slice(from, from + WIDTH * 2);
    const last = lines.at(-1);
    if (hex === ZEROS && last?.left) last.left++;
    else lines.push({ at: gpa + from / 2, ...shown(hex), left: hex === ZEROS ? 1 : 0 });
  }
  return lines;
}

/** @param {string} hex */
function shown(hex) {
  const bytes = hex.match(/../g) ?? [];
  return { bytes: bytes.join(" "), words: wordsOf(bytes), text: bytes.map(letter).join("") };
}

/**
 * Each eight bytes as a little-endian number.
 * @param {string[]} bytes
 */
function wordsOf(bytes) {
  const halves = [bytes.slice(0, 8), bytes.slice(8)].filter((half) => half.length > 0);
  return halves.map((half) => "0x" + BigInt("0x" + [...half].reverse().join("")).toString(16)).join(" ");
}

/** @param {string} byte */
function letter(byte) {
  const code = Number.parseInt(byte, 16);
  return code > 0x20 && code < 0x7f ? String.fromCharCode(code) : ".";
}
