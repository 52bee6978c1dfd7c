"""Commands on a vm, on every hypervisor: what they change is what they tell."""

import pytest

from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.machine.operations import carry_out
from engine.model.commands import DeleteSlot, Harvest, MoveSlot, Run, SetMask, SetSlot
from engine.model.events import DirtyHarvested, MaskChanged, SlotChanged
from engine.model.memslot import Memslot
from engine.session.host import Host

RAM = 4 << 20
SLOT = Memslot(1, 0x200000, 0x100000, 0x200000, 1)


@pytest.fixture
def vm(host: Host):
    made = host.hypervisor.create_vm(RAM)
    made.set_memory_region(SLOT)
    yield made
    made.close()


def test_a_mask_tells_what_was_there_before(vm) -> None:
    carry_out(vm, SetMask(base=0x201000, pages=2, rights=0), RAM)
    [(kind, fields)] = carry_out(vm, SetMask(base=0x200000, pages=2, rights=0xD), RAM)
    assert kind is MaskChanged
    assert fields["before"] == ((0x201, 1, 0),)
    assert vm.mask(0, 0x202) == 0


def test_moving_keeps_offset_and_flags(vm) -> None:
    [(kind, fields)] = carry_out(vm, MoveSlot(1, 0x300000), RAM)
    assert kind is SlotChanged
    assert fields == {"before": SLOT, "after": Memslot(1, 0x300000, 0x100000, 0x200000, 1)}


def test_deleting_and_adding(vm) -> None:
    [(_, gone)] = carry_out(vm, DeleteSlot(1), RAM)
    assert gone == {"before": SLOT, "after": None}
    [(_, back)] = carry_out(vm, SetSlot(SLOT), RAM)
    assert back == {"before": None, "after": SLOT}


def test_setting_a_slot_to_what_it_is_changes_nothing(vm) -> None:
    assert carry_out(vm, SetSlot(SLOT), RAM) == []


def test_a_harvest_tells_the_dirty_pages_and_the_next_one_nothing(vm) -> None:
    vm.memory().write(0x203000, b"x")
    [(kind, fields)] = carry_out(vm, Harvest(), RAM)
    assert (kind, fields["count"]) == (DirtyHarvested, 1)
    assert carry_out(vm, Harvest(), RAM) == []


@pytest.mark.parametrize(
    ("command", "argument"),
    [
        (SetMask(base=0x200800, pages=1, rights=0), "base"),
        (SetMask(base=0x200000, pages=0, rights=0), "pages"),
        (SetMask(base=0x3FF000, pages=2, rights=0), "pages"),
        (SetMask(base=0x200000, pages=1, rights=0, vtl=9), "vtl"),
        (DeleteSlot(5), "slot"),
        (MoveSlot(1, 0x380000), "base"),
        (SetSlot(Memslot(2, 0x300000, 0x100000, 0x380000)), "offset"),
    ],
)
def test_what_is_refused_names_the_argument_and_changes_nothing(vm, command, argument: str) -> None:
    with pytest.raises(HypervisorError) as refused:
        carry_out(vm, command, RAM)
    assert refused.value.argument == argument
    assert vm.slots == {1: SLOT}


def test_masks_that_make_no_sense_are_refused(vm) -> None:
    for rights in (2, 4, 8, 10, 14):
        with pytest.raises((HypervisorError, Unsupported)):
            carry_out(vm, SetMask(base=0x200000, pages=1, rights=rights), RAM)


def test_other_commands_do_not_concern_the_vm(vm) -> None:
    assert carry_out(vm, Run(), RAM) == []
