import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.model.bitmap import pack_bitmap
from engine.model.page_set import PageSet
from engine.session.frame import (
    EXITS,
    FAULTS,
    INFO,
    KEYFRAME,
    MASKS,
    STATUS,
    Header,
    Section,
    bitmap_section,
    decode_frame,
    encode_frame,
    json_section,
    u32_section,
)
from engine.session.merge import merge

PAGES = 512
pages = st.sets(st.integers(0, PAGES - 1))


def frame(seq: int, *sections: Section, flags: int = 0) -> bytes:
    return encode_frame(Header(flags, seq, seq * 10, PAGES, seq, 0, seq), [json_section(STATUS, {"n": seq}), *sections])


def dirty(gfns: set[int]) -> Section:
    return bitmap_section(*pack_bitmap(PageSet(gfns).bitmap(PAGES)), PAGES)


def section(data: bytes, kind: int) -> Section | None:
    return next((found for found in decode_frame(data)[1] if found.kind == kind), None)


def dirty_pages(data: bytes) -> set[int]:
    import zlib

    found = section(data, 3)
    assert found is not None
    return set(PageSet.of_bitmap(zlib.decompress(found.payload) if found.encoding else found.payload))


@given(pages, pages, pages)
def test_no_dirty_page_is_lost_however_many_frames_are_merged(a: set[int], b: set[int], c: set[int]) -> None:
    merged = merge(merge(frame(1, dirty(a)), frame(2, dirty(b))), frame(3, dirty(c)))
    assert dirty_pages(merged) == a | b | c


def test_the_newer_status_and_masks_win_and_an_older_mask_is_kept_when_nothing_newer_came() -> None:
    older = frame(1, u32_section(MASKS, [1, 1, 1]))
    assert section(merge(older, frame(2)), MASKS) == u32_section(MASKS, [1, 1, 1])
    newer = frame(2, u32_section(MASKS, [2, 1, 0]))
    assert section(merge(older, newer), MASKS) == u32_section(MASKS, [2, 1, 0])
    assert section(merge(older, newer), STATUS) == json_section(STATUS, {"n": 2})


def test_older_exit_records_are_counted_not_kept() -> None:
    merged = merge(frame(1, json_section(EXITS, [1, 2, 3])), frame(2, json_section(EXITS, [4])))
    exits = section(merged, EXITS)
    assert exits is not None
    assert msgspec.json.decode(exits.payload) == [4]
    header, _ = decode_frame(merged)
    assert (header.left_out, header.first_seq, header.seq) == (3, 1, 2)


def test_a_keyframe_stays_one_and_keeps_its_info() -> None:
    merged = merge(frame(1, json_section(INFO, {"name": "x"}), flags=KEYFRAME), frame(2))
    assert decode_frame(merged)[0].flags & KEYFRAME
    assert section(merged, INFO) == json_section(INFO, {"name": "x"})


def test_each_faulted_page_is_named_once() -> None:
    merged = merge(frame(1, u32_section(FAULTS, [5, 6])), frame(2, u32_section(FAULTS, [6, 7])))
    faults = section(merged, FAULTS)
    assert faults is not None
    assert sorted(memoryview(faults.payload).cast("I")) == [5, 6, 7]
