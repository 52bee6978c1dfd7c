"""The initial context of a processor, 224 bytes."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from engine.abi.tlfs.processor import InitialVpContext
from engine.vsm.context import InitialContext, Segment, Table, decode_context, encode_context

CONTEXT = InitialContext(
    rip=0x1, rsp=0x2, rflags=0x3,
    cs=Segment(0x10, 0x11, 0x12, 0x13), ds=Segment(0x20), es=Segment(0x30), fs=Segment(0x40),
    gs=Segment(0x50), ss=Segment(0x60), tr=Segment(0x70), ldtr=Segment(0x80),
    idtr=Table(0x90, 0x91, 0x92), gdtr=Table(0xA0, 0xA1),
    efer=0xB0, cr0=0xB1, cr3=0xB2, cr4=0xB3, pat=0xB4,
)  # fmt: skip
BYTES = (
    struct.pack("<QQQ", 1, 2, 3)
    + struct.pack("<QIHH", 0x10, 0x11, 0x12, 0x13)
    + b"".join(struct.pack("<QQ", base, 0) for base in range(0x20, 0x90, 0x10))
    + struct.pack("<IHHQ", 0x92, 0, 0x91, 0x90)
    + struct.pack("<IHHQ", 0, 0, 0xA1, 0xA0)
    + struct.pack("<5Q", 0xB0, 0xB1, 0xB2, 0xB3, 0xB4)
)


def test_bytes_from_the_layout() -> None:
    assert bytes(encode_context(CONTEXT)) == BYTES
    assert decode_context(InitialVpContext.from_buffer_copy(BYTES)) == CONTEXT


@given(st.binary(min_size=224, max_size=224))
def test_any_context_comes_back_byte_for_byte(data: bytes) -> None:
    assert bytes(encode_context(decode_context(InitialVpContext.from_buffer_copy(data)))) == data
