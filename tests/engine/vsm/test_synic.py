"""SINT0's slot: a message is not overwritten, and those that wait come at EOM, one each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.abi.tlfs.messages import MESSAGE_SIZE
from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.tlfs.status import HvStatus
from engine.vsm.effects import AcceptInterrupt
from engine.vsm.intercept import SynicMessage, encode_message
from engine.vsm.synic import MOST_WAITING, Posted, post
from engine.vsm.vsm_registers import RULES
from tests.engine.vsm.partition import Partition

PAGE = 0x4000
MESSAGES = [encode_message(SynicMessage(payload=bytes([number]))) for number in range(MOST_WAITING + 2)]


def write(guest: Partition, name: Name, value: int) -> object:
    rule = RULES[name].write
    assert rule is not None
    found = rule(guest, 0, 1, value)
    if isinstance(found, tuple):
        guest.perform(found)
    return found


def posted(guest: Partition, message: bytes) -> Posted | None:
    found = post(guest, 0, 1, message)
    guest.perform(found.effects if found else ())
    return found


@pytest.fixture
def guest() -> Partition:
    return listening()


def listening() -> Partition:
    made = Partition().enable(1)
    write(made, Name.SCONTROL, 1)
    write(made, Name.SIMP, PAGE | 1)
    return made


def slot(guest: Partition) -> bytes:
    return bytes(guest.memory[PAGE : PAGE + MESSAGE_SIZE])


def empty(guest: Partition) -> None:
    guest.memory[PAGE : PAGE + 4] = bytes(4)


@pytest.mark.parametrize("off", [Name.SCONTROL, Name.SIMP])
def test_nobody_is_told_without_synic_or_message_page(guest, off) -> None:
    write(guest, off, 0)
    assert posted(guest, MESSAGES[0]) is None


def test_an_empty_slot_gets_the_message(guest) -> None:
    found = posted(guest, MESSAGES[0])
    assert (slot(guest), found is not None and found.waits) == (MESSAGES[0], False)


def test_a_full_slot_is_flagged_and_the_next_waits(guest) -> None:
    posted(guest, MESSAGES[0])
    found = posted(guest, MESSAGES[1])
    assert (slot(guest)[5], slot(guest)[16:]) == (1, MESSAGES[0][16:])
    assert found is not None
    assert found.waits


def test_so_many_wait_and_no_more(guest) -> None:
    told = [posted(guest, message) is not None for message in MESSAGES]
    assert told == [True] * (MOST_WAITING + 1) + [False]


def test_eom_gives_the_message_that_waits_to_an_emptied_slot_only(guest) -> None:
    posted(guest, MESSAGES[0])
    posted(guest, MESSAGES[1])
    write(guest, Name.EOM, 0)
    assert slot(guest)[16:] == MESSAGES[0][16:]
    empty(guest)
    write(guest, Name.EOM, 0)
    assert slot(guest) == MESSAGES[1]
    assert write(guest, Name.EOM, 0) == ()


def test_a_message_that_finds_the_slot_emptied_goes_behind_those_that_wait(guest) -> None:
    """ "Another message buffer is queued" is one of three times when the queue is looked at (Messages)."""
    for message in MESSAGES[:2]:
        posted(guest, message)
    empty(guest)
    found = posted(guest, MESSAGES[2])
    assert (slot(guest)[16], slot(guest)[5], found is not None and found.waits) == (1, 1, True)


@given(st.lists(st.booleans(), max_size=30))
def test_messages_come_in_order_each_once_and_the_last_has_no_flag(takes: list[bool]) -> None:
    """True: the guest takes what is in its slot, if anything; False: the next number is posted."""
    guest, sent, taken = listening(), list[int](), list[int]()
    flags: list[int] = []

    def take() -> None:
        if slot(guest)[0]:
            taken.append(slot(guest)[16])
            flags.append(slot(guest)[5])
            empty(guest)
            write(guest, Name.EOM, 0)

    for number, takes_one in enumerate(takes):
        if takes_one:
            take()
        elif posted(guest, encode_message(SynicMessage(type=1, payload=bytes([number])))):
            sent.append(number)
    for _ in range(MOST_WAITING + 1):
        take()
    assert taken == sent
    assert flags[-1:] in ([], [0])


def test_each_vtl_and_processor_has_its_own_synic(guest) -> None:
    for name, value in ((Name.SIMP, PAGE | 1), (Name.SCONTROL, 1)):
        read = RULES[name].read
        assert [read(guest, vp, vtl) for vp, vtl in ((0, 1), (0, 0), (1, 1))] == [value, 0, 0]
    assert (RULES[Name.EOM].read(guest, 0, 1), RULES[Name.SVERSION].read(guest, 0, 1)) == (0, 1)


def test_a_message_page_beyond_the_gpa_space_is_refused(guest) -> None:
    assert write(guest, Name.SIMP, 1 << 60 | 1) is HvStatus.INVALID_REGISTER_VALUE


@pytest.mark.parametrize(("sint", "asked"), [(0x50, {0x50}), (0x1_0050, set()), (0x4_0050, set())])
def test_a_delivered_message_asks_for_the_interrupt_of_an_open_source(guest, sint, asked) -> None:
    """Masked, and polling: none. Nor does a message that waits ask before it is delivered."""
    write(guest, Name.SINT0, sint)
    posted(guest, MESSAGES[0])
    assert guest.partition.vps[0].vtls[1].requested == asked
    guest.perform([AcceptInterrupt(0, 1, 0x50)])
    posted(guest, MESSAGES[1])
    assert guest.partition.vps[0].vtls[1].requested == set()
    empty(guest)
    write(guest, Name.EOM, 0)
    assert guest.partition.vps[0].vtls[1].requested == asked


def test_sources_are_masked_at_first_and_keep_all_bits(guest) -> None:
    for number in range(16):
        assert RULES[Name.SINT0 + number].read(guest, 0, 1) == 0x1_0000
    write(guest, Name.SINT15, 0xFF)
    assert [RULES[name].read(guest, 0, 1) for name in (Name.SINT0, Name.SINT15)] == [0x1_0000, 0xFF]


@pytest.mark.parametrize(("sint", "taken"), [(0x0F, False), (0x10, True), (0x1_000F, True)])
def test_a_vector_below_16_is_refused_unless_masked(guest, sint, taken) -> None:
    found = write(guest, Name.SINT0, sint)
    assert (found is not HvStatus.INVALID_REGISTER_VALUE) == taken


def test_event_flags_are_not_kept() -> None:
    assert Name.SIEFP not in RULES
