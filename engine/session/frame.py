"""Encoding a frame: docs/frame.md. Done once per tick, whoever watches."""

import struct
from typing import Any

import msgspec

FRAME_VERSION = 1
KEYFRAME, MERGED = 1, 2
INFO, STATUS, DIRTY, MASKS, EXITS, FAULTS = 1, 2, 3, 4, 5, 6
HEADER = struct.Struct("<BBHIQIIIIQ")
SECTION = struct.Struct("<BBHII")
RAW, ZLIB = 0, 1
_json = msgspec.json.Encoder()


class Section(msgspec.Struct, frozen=True, gc=False):
    """`raw_size`: length after decoding."""

    kind: int
    encoding: int
    raw_size: int
    payload: bytes


class Header(msgspec.Struct, frozen=True, gc=False):
    flags: int
    seq: int
    time: int
    pages: int
    first_seq: int
    left_out: int
    host_ns: int


def json_section(kind: int, value: Any) -> Section:
    payload = _json.encode(value)
    return Section(kind, RAW, len(payload), payload)


def u32_section(kind: int, values: list[int]) -> Section:
    payload = struct.pack(f"<{len(values)}I", *values)
    return Section(kind, RAW, len(payload), payload)


def bitmap_section(bitmap: bytes, packed: bool, pages: int) -> Section:
    return Section(DIRTY, ZLIB if packed else RAW, (pages + 63) // 64 * 8, bitmap)


def encode_frame(header: Header, sections: list[Section]) -> bytes:
    h = header
    parts = [
        HEADER.pack(
            FRAME_VERSION, h.flags, len(sections), h.seq, h.time, h.pages, h.first_seq, h.left_out, 0, h.host_ns
        )
    ]
    for section in sections:
        parts.append(SECTION.pack(section.kind, section.encoding, 0, len(section.payload), section.raw_size))
        parts.append(section.payload)
        parts.append(bytes(-len(section.payload) % 4))
    return b"".join(parts)


def decode_frame(data: bytes) -> tuple[Header, list[Section]]:
    """The inverse of encode_frame; ValueError for another version."""
    version, flags, count, seq, time, pages, first_seq, left_out, _, host_ns = HEADER.unpack_from(data)
    if version != FRAME_VERSION:
        raise ValueError(f"frame version {version}: this reads version {FRAME_VERSION}")
    sections: list[Section] = []
    at = HEADER.size
    for _index in range(count):
        kind, encoding, _, stored, raw_size = SECTION.unpack_from(data, at)
        at += SECTION.size
        sections.append(Section(kind, encoding, raw_size, data[at : at + stored]))
        at += stored + -stored % 4
    return Header(flags, seq, time, pages, first_seq, left_out, host_ns), sections
