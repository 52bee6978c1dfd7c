"""SINT0's slot: a message is not overwritten, and the one that waits comes at EOM."""

import pytest

from engine.abi.tlfs.messages import MESSAGE_SIZE
from engine.abi.tlfs.registers import RegisterName as Name
from engine.vsm.effects import AnyEffect
from engine.vsm.intercept import SynicMessage, encode_message
from engine.vsm.synic import post
from engine.vsm.vsm_registers import RULES
from tests.engine.vsm.partition import Partition

PAGE = 0x4000
MESSAGES = [encode_message(SynicMessage(payload=bytes([number]))) for number in range(3)]


def write(guest: Partition, name: Name, value: int) -> object:
    rule = RULES[name].write
    assert rule is not None
    found = rule(guest, 0, 1, value)
    if isinstance(found, tuple):
        guest.perform(found)
    return found


def posted(guest: Partition, message: bytes) -> tuple[AnyEffect, ...] | None:
    effects = post(guest, 0, 1, message)
    guest.perform(effects or ())
    return effects


@pytest.fixture
def guest() -> Partition:
    made = Partition().enable(1)
    write(made, Name.SIMP, PAGE | 1)
    return made


def slot(guest: Partition) -> bytes:
    return bytes(guest.memory[PAGE : PAGE + MESSAGE_SIZE])


def test_nobody_is_told_without_a_message_page() -> None:
    assert posted(Partition().enable(1), MESSAGES[0]) is None


def test_an_empty_slot_gets_the_message(guest) -> None:
    posted(guest, MESSAGES[0])
    assert slot(guest) == MESSAGES[0]


def test_a_full_slot_is_flagged_and_one_message_waits(guest) -> None:
    posted(guest, MESSAGES[0])
    posted(guest, MESSAGES[1])
    assert (slot(guest)[5], slot(guest)[16:]) == (1, MESSAGES[0][16:])
    assert posted(guest, MESSAGES[2]) is None


def test_eom_gives_the_message_that_waits_to_an_emptied_slot_only(guest) -> None:
    posted(guest, MESSAGES[0])
    posted(guest, MESSAGES[1])
    write(guest, Name.EOM, 0)
    assert slot(guest)[16:] == MESSAGES[0][16:]
    guest.memory[PAGE : PAGE + 4] = bytes(4)
    write(guest, Name.EOM, 0)
    assert slot(guest) == MESSAGES[1]
    assert write(guest, Name.EOM, 0) == ()


def test_each_vtl_and_processor_has_its_own_message_page(guest) -> None:
    read = RULES[Name.SIMP].read
    assert [read(guest, vp, vtl) for vp, vtl in ((0, 1), (0, 0), (1, 1))] == [PAGE | 1, 0, 0]
    assert RULES[Name.EOM].read(guest, 0, 1) == 0
