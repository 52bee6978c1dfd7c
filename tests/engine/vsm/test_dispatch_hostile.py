"""Whatever a guest passes, it gets a status, #UD or an intercept; never does anything raise."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, CallCode
from engine.abi.tlfs.status import HvStatus
from engine.vsm.calls.table import calls
from engine.vsm.control import InputValue, ResultValue
from engine.vsm.dispatch import Served
from engine.vsm.parameters import CallRegisters
from engine.vsm.profile import PROFILES, TLFS
from engine.vsm.view import Caller
from tests.engine.vsm.partition import INPUT, OUTPUT, Partition

U64 = st.integers(0, (1 << 64) - 1)
CALLERS = st.builds(Caller, st.integers(0, 1), st.integers(0, 2), st.sampled_from([0, 0, 0, 3]), st.booleans())
PROFILE = st.sampled_from(sorted(PROFILES))
CODES = st.sampled_from([int(code) for code in CallCode])
SELF = PARTITION_ID_SELF.to_bytes(8, "little")
CONTROLS = st.builds(
    InputValue,
    code=CODES,
    fast=st.booleans(),
    variable_header=st.sampled_from([0, 0, 0, 1, 1023]),
    nested=st.sampled_from([False] * 7 + [True]),
    rep_count=st.integers(0, 6) | st.integers(0, 4095),
    rep_start=st.sampled_from([0, 0, 1]) | st.integers(0, 4095),
    reserved=st.sampled_from([0] * 7 + [1]),
)
PLACES = st.sampled_from([INPUT, OUTPUT, INPUT + 8, 0xFF_FF0, (1 << 64) - 8]) | U64


def check(guest: Partition, caller: Caller, registers: CallRegisters) -> None:
    served = guest.once(caller, registers)
    if isinstance(served, Served):
        assert served.status in HvStatus
        assert ResultValue.decode(served.rax) == ResultValue(served.status, served.reps)
        assert served.finished or served.status is HvStatus.SUCCESS
        assert served.reps <= InputValue.decode(registers.rcx).rep_count


@settings(max_examples=300)
@given(PROFILE, CALLERS, U64, U64, U64, st.binary(min_size=96, max_size=96))
def test_random_registers(profile: str, caller: Caller, rcx: int, rdx: int, r8: int, xmm: bytes) -> None:
    guest = Partition(PROFILES[profile], maximum_vtl=2, mbec=True).enable(1, 2, mbec=True)
    check(guest, caller, CallRegisters(rcx=rcx, rdx=rdx, r8=r8, xmm=xmm))


@settings(max_examples=600)
@given(PROFILE, CALLERS, CONTROLS, PLACES, PLACES, st.binary(max_size=400), st.booleans())
def test_calls_with_random_input(
    profile: str, caller: Caller, control: InputValue, rdx: int, r8: int, data: bytes, own: bool
) -> None:
    """In registers too; half of them about the partition itself, so that they get further."""
    guest = Partition(PROFILES[profile], maximum_vtl=2, mbec=True).enable(1, 2, mbec=True)
    data = SELF + data if own else data
    guest.memory[INPUT : INPUT + len(data)] = data
    registers = CallRegisters(rcx=control.encode(), rdx=rdx, r8=r8)
    if control.fast:
        registers = registers.with_output(0, data[:112].ljust(112, b"\x00"))
    check(guest, Caller(caller.vp, caller.vtl), registers)


@settings(max_examples=300)
@given(st.sampled_from(sorted(calls(TLFS))), st.integers(0, 255), st.binary(min_size=8, max_size=230))
def test_each_call_past_its_first_checks(code: int, vtl: int, rest: bytes) -> None:
    """Own partition, own processor, any VTL and any rest."""
    guest = Partition(maximum_vtl=2, mbec=True).enable(1, 2, mbec=True)
    data = SELF + VP_INDEX_SELF.to_bytes(4, "little") + bytes([vtl, 0, 0, 0]) + rest
    guest.memory[INPUT : INPUT + len(data)] = data
    reps = 3 if calls(TLFS)[code].is_rep else 0
    rcx = InputValue(code=code, rep_count=reps).encode()
    check(guest, Caller(0, 2), CallRegisters(rcx=rcx, rdx=INPUT, r8=OUTPUT))
