"""The law of set_system_registers: whatever it is given, it takes all of it or leaves all as it was."""

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.model.system_registers import SEGMENTS, TABLES, Segment, SystemRegisters, TableRegister
from tests.engine.hypervisor.guest import LONG_MODE, Guest

_ET, _G = 1 << 4, 1 << 15
_SYSENTER = ("sysenter_eip", "sysenter_esp")


def _near(value: int) -> st.SearchStrategy[int]:
    """A bit more or less, or anything."""
    flipped = st.integers(0, 63).map(lambda bit: value ^ 1 << bit)
    return st.one_of(flipped, st.integers(-1, 1 << 64), st.integers(0, (1 << 32) - 1))


_numbers = {
    name: _near(getattr(LONG_MODE, name))
    for name in SystemRegisters.__struct_fields__
    if name not in (*SEGMENTS, *TABLES)
}
_segment = st.builds(
    Segment,
    _near(0),
    st.sampled_from([0, 0x67, 0xFFF, 0xF_FFFF, 0x10_0000, 0x1234_5FFF, 0xFFFF_FFFF]),
    st.integers(0, 0xFFFF),
    st.sampled_from([0xA09B, 0xC093, 0xC0F3, 0xA0FB, 0x8B, 0x82, 0, 0xC091, 0x9B]) | st.integers(0, 0xFFFF),
)
_tables = st.builds(TableRegister, _near(0), st.integers(-1, 1 << 16))
_changes = st.fixed_dictionaries(
    {}, optional=_numbers | dict.fromkeys(SEGMENTS, _segment) | dict.fromkeys(TABLES, _tables)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_changes)
@example({"cs": Segment(0, 0xFFFF_FFFF, 0x1B, 0xA0FB), "ss": Segment(0, 0xFFFF_FFFF, 0x23, 0xC0F3)})
@example({"ldtr": Segment(), "ds": Segment(), "cr8": 15})
def test_all_or_nothing(guest: Guest, changes: dict[str, Any]) -> None:
    before, wanted = guest.vcpu.system_registers(1), replace(LONG_MODE, **changes)
    try:
        guest.vcpu.set_system_registers(1, wanted)
    except (HypervisorError, Unsupported):
        assert guest.vcpu.system_registers(1) == before
    else:
        assert _kept(guest.vcpu.system_registers(1)) == _kept(wanted)


def _kept(registers: SystemRegisters) -> SystemRegisters:
    """What every processor keeps: CR0.ET reads as 1, AMD's SYSENTER addresses have 32 bits and its segments G by their
    limit alone, and a segment that is not there has nothing but its base."""
    shown: dict[str, Any] = {name: _shown(getattr(registers, name)) for name in SEGMENTS}
    shown |= {name: getattr(registers, name) & 0xFFFF_FFFF for name in _SYSENTER}
    return replace(registers, cr0=registers.cr0 | _ET, **shown)


def _shown(segment: Segment) -> Segment:
    if not segment.present:
        return replace(segment, limit=0, attributes=0)
    return replace(segment, attributes=segment.attributes & ~_G)
