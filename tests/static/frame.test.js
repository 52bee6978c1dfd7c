import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";
import { decode, json } from "../../static/model/frame.js";

/**
 * Bytes of a frame, laid out by hand from docs/frame.md.
 * @param {{flags?: number, sections: {type: number, body: Buffer, zlib?: boolean}[]}} given
 */
function frame({ flags = 0, sections }) {
  const header = Buffer.alloc(40);
  header.writeUInt8(1, 0);
  header.writeUInt8(flags, 1);
  header.writeUInt16LE(sections.length, 2);
  header.writeUInt32LE(7, 4);
  header.writeBigUInt64LE(12_418_000_000n, 8);
  header.writeUInt32LE(1024, 16);
  header.writeUInt32LE(5, 20);
  header.writeUInt32LE(3, 24);
  header.writeBigUInt64LE(1_763_856_000_000_500_000n, 32);
  const bytes = Buffer.concat([header, ...sections.flatMap(section)]);
  return new Uint8Array(bytes).buffer;
}

/** @param {{type: number, body: Buffer, zlib?: boolean}} given */
function section({ type, body, zlib = false }) {
  const stored = zlib ? deflateSync(body) : body;
  const head = Buffer.alloc(12);
  head.writeUInt8(type, 0);
  head.writeUInt8(zlib ? 1 : 0, 1);
  head.writeUInt32LE(stored.length, 4);
  head.writeUInt32LE(body.length, 8);
  return [head, stored, Buffer.alloc((4 - (stored.length % 4)) % 4)];
}

test("the header's fields", async () => {
  const decoded = await decode(frame({ flags: 3, sections: [] }));
  assert.equal(decoded.keyframe, true);
  assert.equal(decoded.merged, true);
  assert.deepEqual([decoded.seq, decoded.firstSeq, decoded.pages, decoded.leftOut], [7, 5, 1024, 3]);
  assert.equal(decoded.time, 12_418_000_000);
  assert.ok(Math.abs(decoded.encodedAt - 1_763_856_000_000.5) < 0.01);
  assert.equal(decoded.status, null);
});

test("sections plain and deflated, of lengths that need padding", async () => {
  const dirty = Buffer.alloc(128);
  dirty[66] = 0b10001;
  const decoded = await decode(frame({
    sections: [
      { type: 2, body: Buffer.from('{"phase":"running"}') },
      { type: 3, body: dirty, zlib: true },
      { type: 5, body: Buffer.from('[{"seq":1,"rip":65567}]'), zlib: true },
      { type: 6, body: Buffer.from(new Uint32Array([0x210, 0x211]).buffer) },
    ],
  }));
  assert.equal(decoded.status?.phase, "running");
  assert.equal(decoded.dirty?.length, 32);
  assert.equal(decoded.dirty?.[16], 0b10001 << 16);
  assert.equal(decoded.exits[0].rip, 65567);
  assert.deepEqual([...(decoded.faults ?? [])], [0x210, 0x211]);
});

test("a section of an unknown type is passed over", async () => {
  const decoded = await decode(frame({ sections: [{ type: 77, body: Buffer.from("later") }] }));
  assert.equal(decoded.seq, 7);
});

test("another version, and a section that is not as long as it says, are refused", async () => {
  const other = frame({ sections: [] });
  new DataView(other).setUint8(0, 2);
  await assert.rejects(decode(other), /version 1/);
  const short = frame({ sections: [{ type: 3, body: Buffer.alloc(8) }] });
  new DataView(short).setUint32(48, 16, true);
  await assert.rejects(decode(short), /8 bytes, not 16/);
});

test("long integers keep their digits; fractions and text stay what they are", () => {
  const text = '{"rax":18446744073709551615,"rate":425.12345678901234567,"e":1e-10,"why":"a 12345678901234567 \\" b","n":[-5,1]}';
  assert.deepEqual(json(new TextEncoder().encode(text)), {
    rax: "18446744073709551615", rate: 425.12345678901235, e: 1e-10, why: 'a 12345678901234567 " b', n: [-5, 1],
  });
});
