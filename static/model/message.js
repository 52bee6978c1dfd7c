// An intercept message field by field, each beside its bytes; the layout comes with the frame.

import { hex } from "../base/numbers.js";

/** @typedef {import("./types").MessageField} MessageField */
/** @typedef {import("./types").BitField} BitField */

/**
 * One field: where it is, its bytes in memory order, and what they say.
 * @typedef {{at: string, bytes: string, name: string, value: string, zero: boolean}} Row
 */

const PAYLOAD_SIZE_AT = 4;
const PAYLOAD_AT = 16;
const WIDEST_NUMBER = 8;

/**
 * The fields that the message's payload size covers.
 * @param {MessageField[]} layout
 * @param {string} data 256 bytes in hex
 * @returns {Row[]}
 */
export function messageRows(layout, data) {
  const bytes = data.match(/../g) ?? [];
  const end = PAYLOAD_AT + Number.parseInt(bytes[PAYLOAD_SIZE_AT] ?? "0", 16);
  return layout.filter(({ at, size }) => at + size <= end).map((field) => row(field, bytes.slice(field.at, field.at + field.size)));
}

/**
 * @param {MessageField} field
 * @param {string[]} bytes
 * @returns {Row}
 */
function row(field, bytes) {
  const value = BigInt("0x" + [...bytes].reverse().join(""));
  return { at: hex(field.at), bytes: grouped(bytes), name: field.name, value: valueText(field, value), zero: value === 0n };
}

/**
 * Four bytes a group and eight a line, as in a dump of memory.
 * @param {string[]} bytes
 */
function grouped(bytes) {
  const lines = bytes.join("").match(/.{1,16}/g) ?? [];
  return lines.map((line) => line.replace(/.{8}(?=.)/, "$& ")).join("\n");
}

/**
 * @param {MessageField} field
 * @param {bigint} value
 */
function valueText({ size, name, bits, words }, value) {
  if (bits.length > 0) return bitsText(bits, value) || (name ? "all 0" : `${bits.map((bit) => bit.name).join(", ")} 0`);
  if (size > WIDEST_NUMBER) return "";
  const word = words[String(value)];
  return word === undefined ? "0x" + value.toString(16) : `0x${value.toString(16)} ${word}`;
}

/**
 * Those that are not 0: a single bit by its name, others with their number.
 * @param {BitField[]} bits
 * @param {bigint} value
 */
function bitsText(bits, value) {
  const parts = bits.map(({ name, first, width }) => ({ name, width, part: Number((value >> BigInt(first)) & ((1n << BigInt(width)) - 1n)) }));
  const said = parts.filter(({ part }) => part !== 0).map(({ name, width, part }) => (width === 1 ? name : `${name} ${part}`));
  return said.join(", ");
}
