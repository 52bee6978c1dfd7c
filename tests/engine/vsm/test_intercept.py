"""Memory intercept messages: byte vectors from the layout tables, and not a bit lost."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from engine.abi.tlfs.messages import InterceptAccess, MessageType
from engine.model.system_registers import Segment
from engine.vsm.intercept import (
    LONG,
    SHORT,
    Intercept,
    InterceptedRegisters,
    SynicMessage,
    decode_message,
    decode_payload,
    encode_message,
    encode_payload,
)

READ = Intercept(
    vp=1,
    instruction_length=3,
    cr8=2,
    access=InterceptAccess.READ,
    execution_state=0b10100,
    cs=Segment(0, 0xFFFF_FFFF, 0x08, 0xA09B),
    rip=0x10007,
    rflags=0x2,
    cache_type=6,
    byte_count=3,
    access_info=0b11,
    gva=0x210000,
    gpa=0x210008,
    instruction=bytes.fromhex("488b00").ljust(16, b"\x00"),
)
"""`mov rax, [rax]` on a page without R."""
READ_BYTES = b"".join(
    [
        struct.pack("<IBBH", 1, 0x23, 0, 0x14),
        struct.pack("<QIHH", 0, 0xFFFF_FFFF, 0x08, 0xA09B),
        struct.pack("<QQ", 0x10007, 0x2),
        struct.pack("<IBBBB", 6, 3, 0b11, 0, 0),
        struct.pack("<QQ", 0x210000, 0x210008),
        bytes.fromhex("488b00") + bytes(13),
    ]
)
REGISTERS = InterceptedRegisters(Segment(1, 2, 3, 4), Segment(5, 6, 7, 8), tuple(range(0x100, 0x110)))
REGISTER_BYTES = (
    struct.pack("<QIHH", 1, 2, 3, 4) + struct.pack("<QIHH", 5, 6, 7, 8) + struct.pack("<16Q", *range(0x100, 0x110))
)


def test_the_short_form() -> None:
    assert len(READ_BYTES) == SHORT == 0x50
    assert encode_payload(READ) == READ_BYTES
    assert decode_payload(READ_BYTES) == READ


def test_the_long_form() -> None:
    whole = Intercept(**{name: getattr(READ, name) for name in READ.__struct_fields__} | {"registers": REGISTERS})
    assert len(READ_BYTES + REGISTER_BYTES) == LONG == 0xF0
    assert encode_payload(whole) == READ_BYTES + REGISTER_BYTES
    assert decode_payload(READ_BYTES + REGISTER_BYTES) == whole


def test_the_message() -> None:
    data = encode_message(SynicMessage(payload=READ_BYTES, flags=1, sender=7))
    head = struct.pack("<IBBHQ", 0x8000_0001, 0x50, 1, 0, 7)
    assert data == head + READ_BYTES + bytes(240 - 0x50)
    assert decode_message(data) == SynicMessage(type=MessageType.GPA_INTERCEPT, payload=READ_BYTES, flags=1, sender=7)


@given(st.one_of(st.binary(min_size=SHORT, max_size=SHORT), st.binary(min_size=LONG, max_size=LONG)))
def test_any_payload_comes_back_byte_for_byte(payload: bytes) -> None:
    decoded = decode_payload(payload)
    assert decoded is not None
    assert encode_payload(decoded) == payload


@given(st.binary(max_size=300))
def test_other_lengths_are_no_payload(payload: bytes) -> None:
    assert (decode_payload(payload) is not None) == (len(payload) in (SHORT, LONG))


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=240, max_size=240))
def test_any_message_comes_back_up_to_its_payload_size(head: bytes, payload: bytes) -> None:
    decoded = decode_message(head + payload)
    assert (decoded is None) == (head[4] > 240)
    if decoded is not None:
        assert encode_message(decoded) == head + payload[: head[4]].ljust(240, b"\x00")
