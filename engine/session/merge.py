"""Merging two frames into one, for a viewer that is behind: nothing queues, no dirty page is lost."""

import struct
import zlib

import msgspec

from engine.model.bitmap import pack_bitmap
from engine.session.frame import (
    DIRTY,
    EXITS,
    FAULTS,
    INFO,
    KEYFRAME,
    MASKS,
    MERGED,
    STATUS,
    ZLIB,
    Section,
    bitmap_section,
    decode_frame,
    encode_frame,
    u32_section,
)

MOST_FAULTS = 4096


def merge(older: bytes, newer: bytes) -> bytes:
    """One frame that leaves a viewer as both would, but for the older exit records, which are counted instead.

    A newer keyframe stands alone only with the older dirt, since heat is what the viewer adds up.
    """
    old_header, old = decode_frame(older)
    header, new = decode_frame(newer)
    before = {section.kind: section for section in old}
    after = {section.kind: section for section in new}
    kept = [after.get(kind) or before.get(kind) for kind in (INFO, STATUS, MASKS)]
    kept += [_dirty(before.get(DIRTY), after.get(DIRTY), header.pages)]
    kept += [_faults(before.get(FAULTS), after.get(FAULTS)), after.get(EXITS) or before.get(EXITS)]
    lost = _count(before.get(EXITS)) if EXITS in after else 0
    flags = MERGED | ((old_header.flags | header.flags) & KEYFRAME)
    merged = msgspec.structs.replace(
        header,
        flags=flags,
        first_seq=old_header.first_seq,
        left_out=old_header.left_out + header.left_out + lost,
    )
    return encode_frame(merged, [section for section in kept if section is not None])


def _raw(section: Section) -> bytes:
    return zlib.decompress(section.payload) if section.encoding == ZLIB else section.payload


def _dirty(older: Section | None, newer: Section | None, pages: int) -> Section | None:
    if older is None or newer is None:
        return newer or older
    bits = int.from_bytes(_raw(older), "little") | int.from_bytes(_raw(newer), "little")
    return bitmap_section(*pack_bitmap(bits.to_bytes(newer.raw_size, "little")), pages)


def _faults(older: Section | None, newer: Section | None) -> Section | None:
    if older is None or newer is None:
        return newer or older
    gfns = dict.fromkeys(_u32(newer) + _u32(older))
    return u32_section(FAULTS, list(gfns)[:MOST_FAULTS])


def _u32(section: Section) -> list[int]:
    return list(struct.unpack(f"<{len(section.payload) // 4}I", section.payload))


def _count(exits: Section | None) -> int:
    return 0 if exits is None else len(msgspec.json.decode(exits.payload))
