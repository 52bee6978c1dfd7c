import pytest

from engine.model.events import ExitTaken, HypercallServed, InterceptDelivered, VtlSwitched
from engine.model.exits import AnyExit, HltExit, HypercallExit, IoExit, MsrExit, ProtectionExit, SynicExit
from engine.model.resolution import Complete, Retry
from engine.model.rights import Access
from engine.session.records import around, exit_record, instruction_text
from engine.session.status import CallRecord, Line, MessageRecord, SwitchRecord

LISTING = ((0x10000, "mov rdi,0x210000"), (0x10007, "inc qword ptr [rdi]"), (0x1000A, "jmp 0x10007"))
INC = bytes.fromhex("48ff07")


def test_a_denied_store_is_shown_with_its_instruction_and_neighbours() -> None:
    exit = ProtectionExit(
        vcpu=0,
        rip=0x10007,
        code=INC,
        raw="x",
        gpa=0x210000,
        access=Access.WRITE,
        size=8,
        data=(7).to_bytes(8, "little"),
    )
    record = exit_record(ExitTaken(seq=9, time=1, exit=exit, resolution=Complete(), mask=1), LISTING)
    assert (record.kind, record.gpa, record.access, record.mask) == ("protection", 0x210000, "write", 1)
    assert (record.data, record.answer) == ("0700000000000000", "complete")
    assert "inc" in record.text
    assert [line.here for line in record.listing] == [False, True, False]


def test_an_access_that_a_vtl_was_told_of_has_the_message() -> None:
    exit = ProtectionExit(
        vcpu=0, rip=0x10007, code=INC, raw="x", gpa=0x210000, access=Access.WRITE, size=8, data=bytes(8)
    )
    fields = {"vcpu": 0, "vtl": 1, "from_vtl": 0, "gpa": 0x210000, "gva": None, "access": "write", "rip": 0x10007}
    told = InterceptDelivered(seq=10, time=1, queued=True, message=bytes(range(256)), **fields)
    record = exit_record(ExitTaken(seq=9, time=1, exit=exit, resolution=Retry()), LISTING, told=told)
    assert record.message == MessageRecord(1, True, bytes(range(256)).hex())


def test_code_that_no_listing_has_is_disassembled_alone() -> None:
    assert around(0x200000, b"\xc3", LISTING) == [Line(0x200000, "ret", here=True)]
    assert around(0x200000, b"", LISTING) == []


def test_bytes_that_are_no_instruction_are_shown_as_bytes() -> None:
    assert instruction_text(b"\x06", 0) == "06"


def test_ports_and_ends() -> None:
    out = exit_record(ExitTaken(seq=1, time=0, exit=IoExit(vcpu=0, port=0x10, size=1, data=b"*")), ())
    assert (out.port, out.data, out.gpa) == (0x10, "2a", None)
    assert exit_record(ExitTaken(seq=1, time=0, exit=HltExit(vcpu=0)), ()).answer == ""
    assert exit_record(ExitTaken(seq=1, time=0, exit=HltExit(vcpu=0), resolution=Retry()), ()).answer == "retry"


@pytest.mark.parametrize(
    ("exit", "name"),
    [
        (MsrExit(vcpu=0, index=0x4000_0001), "HYPERCALL"),
        (MsrExit(vcpu=0, index=0x4B56_4DFF), None),
        (SynicExit(vcpu=0, index=0x4000_0083, control=0, event_page=0, message_page=0), "SIMP"),
        (HltExit(vcpu=0), None),
    ],
)
def test_a_synthetic_register_has_its_name(exit: AnyExit, name: str | None) -> None:
    assert exit_record(ExitTaken(seq=1, time=0, exit=exit), ()).register == name


def test_what_a_read_was_given() -> None:
    given = Complete((0x7001).to_bytes(8, "little"))
    read, write = (MsrExit(vcpu=0, index=0x4000_0001, data=data) for data in (None, bytes(8)))
    found = [exit_record(ExitTaken(seq=1, time=0, exit=exit, resolution=given), ()) for exit in (read, write)]
    assert [record.given for record in found] == ["0170000000000000", None]
    assert exit_record(ExitTaken(seq=1, time=0, exit=read, resolution=Complete()), ()).given is None


def test_a_hypercall_is_shown_by_its_fields_and_what_came_of_it() -> None:
    exit = HypercallExit(vcpu=0, vtl=1, input=0x40_01FE_0000_000C, rdx=0x210000, r8=0)
    told = HypercallServed(
        seq=2,
        time=0,
        vcpu=0,
        vtl=1,
        call="ModifyVtlProtectionMask",
        status="SUCCESS",
        reps=128,
        count=510,
        finished=False,
        header=(b"\xff" * 8 + (0x10_0000_000D).to_bytes(8, "little")),
        elements=tuple(gfn.to_bytes(8, "little") for gfn in range(0x210, 0x210 + 100)),
    )
    record = exit_record(ExitTaken(seq=1, time=0, exit=exit, resolution=Complete()), (), told)
    assert record.call == CallRecord(
        name="ModifyVtlProtectionMask",
        code=0xC,
        fast=False,
        start=64,
        count=510,
        reps=128,
        rdx=0x210000,
        r8=0,
        status="SUCCESS",
        finished=False,
        why="",
        fields=[("partition id", "self"), ("map flags", "0xd RX"), ("target vtl", "0x10 VTL0")],
        elements=[hex(gfn) for gfn in range(0x210, 0x250)],
        output=[],
    )


def test_a_vtl_switch_is_no_hypercall_by_number_and_an_unserved_call_is_neither() -> None:
    taken = ExitTaken(seq=1, time=0, exit=HypercallExit(vcpu=0, input=0, rdx=0, r8=0), resolution=Complete())
    switched = VtlSwitched(seq=2, time=0, vcpu=0, from_vtl=0, to_vtl=1, reason="call")
    assert exit_record(taken, (), switched).switch == SwitchRecord(0, 1, "call")
    assert exit_record(taken, (), switched).call is None
    unserved = exit_record(taken, ())
    assert (unserved.call, unserved.switch) == (None, None)
