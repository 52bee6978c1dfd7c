import random

from hypothesis import given
from hypothesis import strategies as st

from engine.model.bitmap import pack_bitmap, unpack_bitmap


@given(st.binary(max_size=4096))
def test_packing_loses_nothing(bitmap: bytes) -> None:
    assert unpack_bitmap(*pack_bitmap(bitmap)) == bitmap


def test_clean_pages_are_packed_and_noise_is_left_alone() -> None:
    assert pack_bitmap(bytes(131072))[1]
    assert not pack_bitmap(random.Random(1).randbytes(131072))[1]
