// Decodes a frame as docs/frame.md lays it out.

/** @typedef {import("./types").Frame} Frame */
/** @typedef {{type: number, bytes: Uint8Array<ArrayBuffer>}} Section */

const VERSION = 1;
const HEADER = 40;
const HEAD = 12;
const KEYFRAME = 1;
const MERGED = 2;
const ZLIB = 1;
const text = new TextDecoder();
/** A string, a whole number of 16 digits or more, or any other number: the first two keep their digits from the third. */
const LONG = /("(?:[^"\\]|\\.)*")|(-?\d{16,})(?![\d.eE])|-?\d[\d.eE+-]*/g;

/**
 * The frame in `buffer`; rejects with an Error that says what is wrong with the bytes.
 * @param {ArrayBuffer} buffer
 * @returns {Promise<Frame>}
 */
export async function decode(buffer) {
  const view = new DataView(buffer);
  const frame = header(view);
  for (const section of await Promise.all(sections(view))) fill(frame, section);
  return frame;
}

/**
 * @param {DataView} view
 * @returns {Frame}
 */
function header(view) {
  if (view.byteLength < HEADER || view.getUint8(0) !== VERSION) {
    throw new Error(`not a frame of version ${VERSION}: reload the page`);
  }
  const flags = view.getUint8(1);
  return {
    keyframe: (flags & KEYFRAME) !== 0,
    merged: (flags & MERGED) !== 0,
    seq: view.getUint32(4, true),
    time: Number(view.getBigUint64(8, true)),
    pages: view.getUint32(16, true),
    firstSeq: view.getUint32(20, true),
    leftOut: view.getUint32(24, true),
    encodedAt: Number(view.getBigUint64(32, true)) / 1e6,
    ...{ info: null, status: null, dirty: null, masks: null, exits: [], faults: null },
  };
}

/**
 * @param {DataView} view
 * @returns {Promise<Section>[]}
 */
function sections(view) {
  const found = [];
  let at = HEADER;
  for (let left = view.getUint16(2, true); left > 0; left--) {
    const stored = view.getUint32(at + 4, true);
    const bytes = new Uint8Array(/** @type {ArrayBuffer} */ (view.buffer), at + HEAD, stored);
    found.push(section(view.getUint8(at), view.getUint8(at + 1), view.getUint32(at + 8, true), bytes));
    at += HEAD + stored + (-stored & 3);
  }
  return found;
}

/**
 * @param {number} type
 * @param {number} encoding
 * @param {number} length
 * @param {Uint8Array<ArrayBuffer>} stored
 * @returns {Promise<Section>}
 */
async function section(type, encoding, length, stored) {
  const bytes = encoding === ZLIB ? await inflate(stored) : stored;
  if (bytes.length !== length) throw new Error(`section ${type}: ${bytes.length} bytes, not ${length}`);
  return { type, bytes };
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * @param {Frame} frame
 * @param {Section} section
 */
function fill(frame, { type, bytes }) {
  switch (type) {
    case 1: frame.info = json(bytes); break;
    case 2: frame.status = json(bytes); break;
    case 3: frame.dirty = words(bytes); break;
    case 4: frame.masks = words(bytes); break;
    case 5: frame.exits = json(bytes); break;
    case 6: frame.faults = words(bytes); break;
  }
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
function words(bytes) {
  // Sections begin on a multiple of 4, so the words can be read where they lie.
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}

/**
 * JSON in which an integer too long for a number becomes its decimal text instead of a rounded number.
 * @param {Uint8Array} bytes
 */
export function json(bytes) {
  return JSON.parse(text.decode(bytes).replace(LONG, (found, _text, long) => (long ? `"${long}"` : found)));
}
