"""The fold: what a log says is so."""

from engine.model.bitmap import pack_bitmap
from engine.model.commands import Churn, DeleteSlot, SetMask, SetPolicy, SetSlot, SetSpeed
from engine.model.events import (
    CommandTaken,
    DirtyHarvested,
    ExitTaken,
    HypercallServed,
    InterceptDelivered,
    MaskChanged,
    PhaseChanged,
    SlotChanged,
    VcpuChanged,
    VtlSwitched,
)
from engine.model.exits import HypercallExit, IoExit, ProtectionExit
from engine.model.memslot import Memslot
from engine.model.page_set import PageSet
from engine.model.rights import Access
from engine.model.scenario import Scenario, VcpuSpec
from engine.session.fold import MOST_SETTER, RECENT_EXITS, SETTER_SHIFT, Setter, View

SLOT = Memslot(1, 0x200000, 0x100000, 0x200000, 1)
SCENARIO = Scenario(name="x", ram=4 << 20, slots=(SLOT,), vcpus=(VcpuSpec(guest="spin"), VcpuSpec(guest="spin")))


def folded(*events) -> View:
    view = View(SCENARIO)
    for event in events:
        view.apply(event)
    return view


def denied(seq: int, gpa: int = 0x210000) -> ExitTaken:
    exit = ProtectionExit(vcpu=1, rip=0x12007, gpa=gpa, access=Access.WRITE, size=8, data=bytes(8))
    return ExitTaken(seq=seq, time=seq, exit=exit, mask=1)


def hypercall(seq: int) -> ExitTaken:
    return ExitTaken(seq=seq, time=seq, exit=HypercallExit(vcpu=1, vtl=1, input=0x4_0000_000C, rdx=0x10100, r8=0))


def served(seq: int, vtl: int = 1) -> HypercallServed:
    what, status = "ModifyVtlProtectionMask", "SUCCESS"
    return HypercallServed(seq=seq, time=seq, vcpu=1, vtl=vtl, call=what, status=status, reps=4, count=4, finished=True)


def test_exits_are_counted_by_kind_and_by_vcpu() -> None:
    out = ExitTaken(seq=2, time=2, exit=IoExit(vcpu=0, port=0x10, size=1, data=b"x"))
    view = folded(denied(1), out)
    assert dict(view.exits) == {"protection": 1, "io": 1}
    assert [(vcpu.exits, vcpu.rip) for vcpu in view.vcpus] == [(1, 0), (1, 0x12007)]


def test_what_no_frame_will_carry_is_counted() -> None:
    view = folded(*(denied(seq) for seq in range(1, RECENT_EXITS + 11)))
    assert len(view.fresh_exits) == RECENT_EXITS
    assert view.unshown == 10
    assert view.exits.total() == RECENT_EXITS + 10


def test_a_page_that_is_denied_often_is_one_fault() -> None:
    assert list(folded(denied(1), denied(2), denied(3, 0x213000)).fresh_faults) == [0x210, 0x213]


def test_slots_come_move_and_go() -> None:
    moved = Memslot(1, 0x300000, 0x100000, 0x200000, 1)
    added = SlotChanged(seq=1, time=0, before=None, after=SLOT)
    assert folded(added).slots == {1: SLOT}
    assert folded(added, SlotChanged(seq=2, time=0, before=SLOT, after=moved)).slots == {1: moved}
    assert folded(added, SlotChanged(seq=2, time=0, before=SLOT, after=None)).slots == {}


def test_masks_of_vtl0_are_kept_by_page() -> None:
    fence = MaskChanged(seq=1, time=0, vtl=0, first=0x210, pages=4, rights=1, before=())
    lifted = MaskChanged(seq=2, time=0, vtl=0, first=0x211, pages=1, rights=15, before=((0x211, 1, 1),))
    assert list(folded(fence, lifted).masks.runs()) == [(0x210, 1, 1), (0x212, 2, 1)]


def test_a_mask_says_who_set_it() -> None:
    def fence(seq: int, gfn: int, setter: int = 0) -> MaskChanged:
        return MaskChanged(seq=seq, time=0, vtl=0, first=gfn, pages=1, rights=1, before=(), setter=setter)

    view = folded(
        fence(1, 0x210),
        CommandTaken(seq=2, time=0, command=SetMask(base=0x211000, pages=1, rights=1)),
        fence(3, 0x211),
        CommandTaken(seq=4, time=0, command=SetMask(base=0x212000, pages=1, rights=1), by="script"),
        fence(5, 0x212),
        fence(6, 0x213, setter=1),
        fence(7, 0x214, setter=2),
        fence(8, 0x215, setter=15),
    )
    setters = [key >> SETTER_SHIFT for _, _, key in view.masks.runs()]
    assert setters == [Setter.SCENARIO, Setter.COMMAND, Setter.SCRIPT, Setter.VTL1, Setter.VTL1 + 1, MOST_SETTER]


def test_a_denied_access_knows_who_had_set_the_mask_by_then() -> None:
    fence = MaskChanged(seq=1, time=0, vtl=0, first=0x210, pages=1, rights=1, before=())
    command = CommandTaken(seq=3, time=0, command=SetMask(base=0x210000, pages=1, rights=0xD))
    again = MaskChanged(seq=4, time=0, vtl=0, first=0x210, pages=1, rights=0xD, before=((0x210, 1, 1),))
    unknown = denied(6, 0x300000)
    view = folded(fence, denied(2), command, again, denied(5), unknown)
    assert view.fresh_setters == {2: Setter.SCENARIO, 5: Setter.COMMAND}


def test_what_a_call_came_to_is_kept_with_its_exit_as_long_as_that_is_fresh() -> None:
    switched = VtlSwitched(seq=4, time=0, vcpu=1, from_vtl=1, to_vtl=0, reason="return")
    view = folded(hypercall(1), served(2), hypercall(3), switched)
    assert view.fresh_outcomes == {1: served(2), 3: switched}
    assert (view.vcpus[1].vtl, view.vcpus[1].switches, view.vcpus[0].switches) == (0, 1, 0)
    for seq in range(5, 5 + RECENT_EXITS):
        view.apply(denied(seq))
    assert view.fresh_outcomes == {}


def test_the_message_of_a_denied_access_is_kept_with_its_exit() -> None:
    told = InterceptDelivered(
        seq=2, time=0, vcpu=1, vtl=1, from_vtl=0, gpa=0, gva=0, access="write", rip=0, queued=False, message=bytes(256)
    )
    view = folded(denied(1), told)
    assert view.fresh_messages == {1: told}
    for seq in range(3, 3 + RECENT_EXITS):
        view.apply(denied(seq))
    assert view.fresh_messages == {}


def test_dirt_of_several_harvests_is_merged_and_taken_once() -> None:
    def harvested(seq: int, *gfns: int) -> DirtyHarvested:
        bitmap, packed = pack_bitmap(PageSet(gfns).bitmap(1024))
        return DirtyHarvested(seq=seq, time=0, count=len(gfns), bitmap=bitmap, packed=packed)

    view = folded(harvested(1, 5, 6), harvested(2, 6, 700))
    assert view.take_dirty() == PageSet([5, 6, 700])
    assert view.take_dirty() == PageSet()
    assert view.dirty_pages == 4


def test_only_accepted_commands_change_the_view() -> None:
    refused = CommandTaken(seq=1, time=0, command=SetPolicy("halt"), error="no")
    assert folded(refused).on_protection == "complete"
    assert folded(CommandTaken(seq=1, time=0, command=SetPolicy("halt"))).on_protection == "halt"
    assert folded(CommandTaken(seq=1, time=0, command=SetSpeed(5.0))).speed == 5.0


def test_churn_counts_its_deletions_and_additions() -> None:
    on = CommandTaken(seq=1, time=0, command=Churn(1, 50.0))
    off_and_on = [
        CommandTaken(seq=2, time=0, command=DeleteSlot(1), by="churn"),
        CommandTaken(seq=3, time=0, command=SetSlot(SLOT), by="churn"),
    ]
    view = folded(on, *off_and_on)
    assert (view.churn, view.churned) == (Churn(1, 50.0), 2)
    assert folded(on, CommandTaken(seq=2, time=0, command=Churn(1, 0.0))).churn is None


def test_phase_and_vcpu_states_are_the_last_ones_told() -> None:
    view = folded(
        PhaseChanged(seq=1, time=0, phase="running"),
        VcpuChanged(seq=2, time=0, vcpu=0, state="halted", why="hlt"),
        PhaseChanged(seq=3, time=0, phase="ended", why="limit:exits"),
    )
    assert (view.phase, view.why, view.vcpus[0].state, view.last_seq) == ("ended", "limit:exits", "halted", 3)


def test_harvests_that_lost_ring_entries_are_counted() -> None:
    lost, whole = (DirtyHarvested(seq=n, time=0, count=0, bitmap=b"", packed=False, lost=n < 3) for n in (1, 3))
    assert folded(lost).dirty_losses == 1
    assert folded(lost, whole).dirty_losses == 1
