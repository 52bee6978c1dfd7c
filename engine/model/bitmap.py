"""Dirty bitmaps on the wire and in the log: packed by zlib level 1 where that pays."""

import zlib

_SAMPLE = 2048
_WORTH = 0.35


def pack_bitmap(bitmap: bytes) -> tuple[bytes, bool]:
    """The bitmap, and whether it is compressed. Scattered bits cost ten times the time and save little."""
    if len(bitmap) > 8 * _SAMPLE and _density(bitmap) > _WORTH:
        return bitmap, False
    packed = zlib.compress(bitmap, 1)
    return (packed, True) if len(packed) < len(bitmap) else (bitmap, False)


def unpack_bitmap(bitmap: bytes, packed: bool) -> bytes:
    return zlib.decompress(bitmap) if packed else bitmap


def _density(bitmap: bytes) -> float:
    """Compressed share of four samples."""
    step = len(bitmap) // 4
    sample = b"".join(bitmap[at : at + _SAMPLE] for at in range(0, 4 * step, step))
    return len(zlib.compress(sample, 1)) / len(sample)
