"""Exits as the screen shows them: with the instruction's text and its neighbours."""

from functools import lru_cache

from engine.abi.tlfs.registers import RegisterName
from engine.machine.vsm_msrs import MSRS
from engine.model.events import ExitTaken, InterceptDelivered
from engine.model.exits import AnyExit, HypercallExit, IoExit, MemoryExit, MsrExit, SynicExit, exit_kind
from engine.model.resolution import Complete, Drop, Inject, Resolution, Retry
from engine.session.calls import Outcome, call_record, switch_record
from engine.session.status import ExitRecord, Line, MessageRecord
from engine.x86.decode import decode

NEIGHBOURS = 2
Listing = tuple[tuple[int, str], ...]
"""Address and text of each instruction of a vCPU's program, ascending."""


def exit_record(
    event: ExitTaken,
    listing: Listing,
    outcome: Outcome | None = None,
    setter: int | None = None,
    told: InterceptDelivered | None = None,
) -> ExitRecord:
    """`setter`: who set the mask that denied it, as engine.session.fold numbers them."""
    exit = event.exit
    memory = exit if isinstance(exit, MemoryExit) else None
    return ExitRecord(
        seq=event.seq,
        time=event.time,
        vcpu=exit.vcpu,
        vtl=exit.vtl,
        kind=exit_kind(exit),
        rip=exit.rip,
        text=exit.text or instruction_text(exit.code, exit.rip),
        listing=around(exit.rip, exit.code, listing),
        raw=exit.raw,
        answer=_answer(event.resolution),
        gpa=memory.gpa if memory else None,
        gva=memory.gva if memory else None,
        access=str(memory.access) if memory else None,
        size=memory.size if memory else getattr(exit, "size", None),
        data=_data(exit),
        mask=event.mask,
        port=exit.port if isinstance(exit, IoExit) else None,
        index=exit.index if isinstance(exit, MsrExit | SynicExit) else None,
        register=_register(exit),
        given=_given(exit, event.resolution),
        setter=setter,
        call=call_record(exit, outcome),
        switch=switch_record(outcome),
        message=MessageRecord(told.vtl, told.queued, told.message.hex()) if told else None,
    )


@lru_cache(maxsize=4096)
def instruction_text(code: bytes, rip: int) -> str:
    """Intel syntax; empty when there are no bytes."""
    found = decode(code, rip) if code else None
    return found.text if found else code.hex(" ")


@lru_cache(maxsize=1024)
def _index(listing: Listing) -> dict[int, int]:
    return {address: at for at, (address, _) in enumerate(listing)}


def around(rip: int, code: bytes, listing: Listing) -> list[Line]:
    """The instruction at `rip` with its neighbours; alone when the listing does not have it."""
    at = _index(listing).get(rip)
    if at is None:
        return [Line(rip, instruction_text(code, rip), here=True)] if code else []
    near = listing[max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1]
    return [Line(address, text, here=address == rip) for address, text in near]


def _answer(resolution: Resolution | None) -> str:
    match resolution:
        case Complete():
            return "complete"
        case Retry():
            return "retry"
        case Drop():
            return "drop"
        case Inject():
            return "inject"
        case None:
            return ""


def _register(exit: AnyExit) -> str | None:
    """The name of a synthetic register that VSM keeps."""
    name = MSRS.get(exit.index) if isinstance(exit, MsrExit | SynicExit) else None
    return None if name is None else RegisterName(name).name


def _given(exit: AnyExit, resolution: Resolution | None) -> str | None:
    """Hex of what the VMM gave to a load, IN or RDMSR."""
    reads = isinstance(exit, MemoryExit | IoExit | MsrExit) and exit.data is None
    data = resolution.data if reads and isinstance(resolution, Complete) else None
    return None if data is None else data.hex()


def _data(exit: AnyExit) -> str | None:
    if isinstance(exit, HypercallExit):
        return f"{exit.input:016x}"
    data: bytes | None = getattr(exit, "data", None)
    return None if data is None else data.hex()
