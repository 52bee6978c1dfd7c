"""From the registers of a hypercall to its result: validation, one stretch of reps, continuation, output."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from engine.abi.tlfs.status import HvStatus
from engine.vsm.call import Call, RepResult, size_of
from engine.vsm.control import InputValue, ResultValue
from engine.vsm.effects import AnyEffect, WriteMemory
from engine.vsm.parameters import CallRegisters, Denied, Room, Undefined, decode, elements, read_input, room
from engine.vsm.view import Caller, Memory, View


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A hypercall that was taken. While `finished` is False, the guest's RIP stays at the call: it makes it again."""

    control: InputValue
    status: HvStatus
    reps: int
    """Completed in all, earlier stretches included."""
    finished: bool
    rax: int
    """The result value; meaningless until the call is finished."""
    registers: CallRegisters
    """RCX with the new rep start index, and output where the call is fast."""
    effects: tuple[AnyEffect, ...]
    header: bytes = b""
    """As the call read it; empty where it was refused before."""
    elements: tuple[bytes, ...] = ()
    """Of the reps that this stretch tried, done or not."""
    output: bytes = b""
    """Of this stretch."""


def serve(
    calls: Mapping[int, Call], caller: Caller, view: View, memory: Memory, registers: CallRegisters
) -> Served | Undefined | Denied:
    """Serve one stretch of a call. Whatever the guest passes, it gets an answer: nothing raises."""
    # Legal Hypercall Environments: most privileged mode, protected mode.
    if caller.cpl or caller.real_mode:
        return Undefined()
    control = InputValue.decode(registers.rcx)
    call = calls.get(control.code)
    if call is None:
        return _ended(control, registers, HvStatus.INVALID_HYPERCALL_CODE)
    status = validate(call, control, view)
    if status is not None:
        return _ended(control, registers, status)
    needs = room(call, control)
    data = read_input(needs, control, registers, memory, view)
    if isinstance(data, HvStatus):
        return _ended(control, registers, data)
    if isinstance(data, Undefined | Denied):
        return data
    reps = _stretch(call, control, view)
    result = call.function(caller, view, decode(call, needs, control, data, reps))
    served = _done(call, control, needs, result, registers, caller)
    given = elements(call, needs, data, reps)
    return replace(served, header=data[: needs.header], elements=given, output=result.output)


def validate(call: Call, control: InputValue, view: View) -> HvStatus | None:
    """The input value against the call's shape (TLFS, Common Hypercall Status Codes); None: it may go on.

    SUCCESS is an answer too: of a profile that lets a rep call have no reps.
    """
    if control.reserved or control.nested:
        return HvStatus.INVALID_HYPERCALL_INPUT
    # Variable Sized Hypercall Input Headers: illegal for a call that is not documented as accepting them.
    if control.variable_header and not call.variable:
        return HvStatus.INVALID_HYPERCALL_INPUT
    if not call.is_rep:
        return HvStatus.INVALID_HYPERCALL_INPUT if control.rep_count or control.rep_start else None
    if control.rep_count == 0:
        return view.profile.zero_reps if control.rep_start == 0 else HvStatus.INVALID_HYPERCALL_INPUT
    return HvStatus.INVALID_HYPERCALL_INPUT if control.rep_start >= control.rep_count else None


def _stretch(call: Call, control: InputValue, view: View) -> range:
    """The reps to do before the guest gets a chance to run: at least one, at most what the profile says."""
    if not call.is_rep:
        return range(0)
    stop = min(control.rep_count, control.rep_start + view.profile.reps_at_once)
    return range(control.rep_start, stop)


def _ended(control: InputValue, registers: CallRegisters, status: HvStatus) -> Served:
    """Refused before anything was done."""
    rax = ResultValue(status).encode()
    return Served(control=control, status=status, reps=0, finished=True, rax=rax, registers=registers, effects=())


def _done(
    call: Call, control: InputValue, needs: Room, result: RepResult, registers: CallRegisters, caller: Caller
) -> Served:
    reps = control.rep_start + result.done
    more = result.status is HvStatus.SUCCESS and call.is_rep and reps < control.rep_count
    # Volatile Registers: a rep call leaves the new rep start index in RCX.
    after = replace(control, rep_start=reps) if call.is_rep else control
    changed = replace(registers, rcx=after.encode())
    effects = result.effects
    at = size_of(call.output_element) * control.rep_start
    if result.output and control.fast:
        changed = changed.with_output(needs.fast_output + at, result.output)
    elif result.output:
        effects += (WriteMemory(registers.r8 + at, result.output, caller.vtl),)
    return Served(
        control=control,
        status=result.status,
        reps=reps,
        finished=not more and result.status is not HvStatus.TIMEOUT,
        rax=ResultValue(result.status, reps).encode(),
        registers=changed,
        effects=effects,
    )
