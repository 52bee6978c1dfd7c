"""The fields of an intercept message on screen, against the decoder of the vsm layer."""

import struct

import pytest

from engine.abi.tlfs.messages import ExecutionState, InterceptAccess, MemoryAccessInfo
from engine.session.message_layout import message_fields
from engine.vsm.context import Segment
from engine.vsm.intercept import Intercept, InterceptedRegisters, SynicMessage, encode_message, encode_payload
from engine.vsm.layout import bits

MESSAGE = encode_message(
    SynicMessage(
        flags=1,
        sender=0x77,
        payload=encode_payload(
            Intercept(
                vp=3,
                instruction_length=4,
                cr8=9,
                access=InterceptAccess.WRITE,
                execution_state=bits(ExecutionState, cpl=3, efer_lma=1, vtl=2),
                cs=Segment(0x1000, 0xFFFF, 8, 0xA09B),
                rip=0x10064,
                cache_type=6,
                byte_count=4,
                access_info=bits(MemoryAccessInfo, gva_valid=1, tlb_locked=1),
                gva=0x7F0000,
                gpa=0x210008,
                instruction=bytes.fromhex("48890048"),
                registers=InterceptedRegisters(Segment(), Segment(), tuple(range(0x100, 0x110))),
            )
        ),
    )
)
FIELDS = {field.name or field.bits[0].name: field for field in message_fields()}


def value(name: str) -> int:
    field = FIELDS[name]
    return int.from_bytes(MESSAGE[field.at : field.at + field.size], "little")


def test_they_cover_the_message_without_gap_or_overlap() -> None:
    at = 0
    for field in message_fields():
        assert field.at == at
        at += field.size
    assert at == len(MESSAGE)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("type", 0x8000_0001), ("payload size", 0xF0), ("sender", 0x77), ("vp index", 3), ("access", 1),
        ("cs.base", 0x1000), ("cs.selector", 8), ("cs.attributes", 0xA09B), ("rip", 0x10064), ("cache type", 6),
        ("gva", 0x7F0000), ("gpa", 0x210008), ("rax", 0x100), ("r15", 0x10F),
        ("instruction bytes", int.from_bytes(bytes.fromhex("48890048"), "little")),
    ],
)  # fmt: skip
def test_a_field_is_where_the_message_has_it(name: str, expected: int) -> None:
    assert value(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pending", {"pending": 1}),
        ("instruction length", {"instruction length": 4, "cr8": 9}),
        ("execution state", {"cpl": 3, "efer lma": 1, "vtl": 2}),
        ("memory access info", {"gva valid": 1, "tlb locked": 1}),
    ],
)
def test_bit_fields_are_told_by_their_bits(name: str, expected: dict[str, int]) -> None:
    found = {bit.name: value(name) >> bit.first & (1 << bit.width) - 1 for bit in FIELDS[name].bits}
    assert {bit: number for bit, number in found.items() if number} == expected


def test_numbers_that_mean_something_have_words() -> None:
    assert FIELDS["type"].words[str(struct.unpack_from("<I", MESSAGE)[0])] == "gpa intercept"
    assert FIELDS["access"].words == {"0": "read", "1": "write", "2": "execute"}
    assert FIELDS["cache type"].words["6"] == "write back"
