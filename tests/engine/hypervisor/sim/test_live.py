"""The registers in the engine's memory are those that its interface tells."""

from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.cpu.core import Core
from engine.hypervisor.sim.memory import SimMemory
from engine.hypervisor.sim.processor import Processor
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space
from engine.model.layout import PML4
from engine.model.registers import Registers

SIZE = 1 << 20
WORD = st.integers(0, (1 << 64) - 1)
FIXED, TF, OTHERS = 0x2, 0x100, 0xED5
VALUES = st.builds(
    Registers,
    **{name: WORD for name in Registers.__struct_fields__[:-1]},
    rflags=st.sampled_from([FIXED, FIXED | TF, FIXED | OTHERS, FIXED | OTHERS | TF]),
)


@pytest.fixture
def core() -> Iterator[Core]:
    with closing(_core(PML4)) as made:
        yield made


def _core(cr3: int) -> Core:
    space, ram, code = Space(SIZE, 2), Ram(SIZE), CodePages(SIZE >> 12, 1)
    return Processor(0, cr3, space, ram, code, SimMemory(space, ram, code)).core


@given(VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_they_are_read_as_they_were_set(core: Core, values: Registers) -> None:
    core.set_registers(values)
    assert core.live.general() == msgspec.structs.astuple(values)[:-1]
    assert core.live.flags.value & TF == values.rflags & TF
    assert core.rip() == values.rip
    assert core.live.cr3.value == PML4


@given(VALUES, WORD)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_instruction_is_skipped_and_nothing_else(core: Core, values: Registers, rip: int) -> None:
    core.set_registers(values)
    core.live.rip.value = rip
    assert core.registers() == msgspec.structs.replace(values, rip=rip)


@given(VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_two_engines_have_their_own(core: Core, values: Registers) -> None:
    core.set_registers(Registers())
    with closing(_core(PML4 + 0x1000)) as other:
        other.set_registers(values)
        assert (core.registers(), core.live.cr3.value) == (Registers(), PML4)
        assert (other.rip(), other.live.cr3.value) == (values.rip, PML4 + 0x1000)
