"""Registers by their names: what is set is read, bit for bit."""

from hypothesis import given
from hypothesis import strategies as st

from engine.machine.vsm_registers import SYSTEM, XMM, read_system, read_xmm, with_context, with_system, with_xmm
from engine.model.system_registers import SEGMENTS, TABLES, SystemRegisters
from engine.vsm.context import InitialContext, decode_context, encode_context

_64, _128 = st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 128) - 1)
_PADDING = (1 << 48) - 1
"""In front of a table's limit."""
_segments = [name for name, field in SYSTEM.items() if field in SEGMENTS]
_tables = [name for name, field in SYSTEM.items() if field in TABLES]
_words = [name for name in SYSTEM if name not in (*_segments, *_tables)]


@given(st.sampled_from(_words), _64)
def test_a_word(name: int, value: int) -> None:
    assert read_system(with_system(SystemRegisters(), name, value), name) == value


@given(st.sampled_from(_segments), _128)
def test_a_segment_has_128_bits(name: int, value: int) -> None:
    assert read_system(with_system(SystemRegisters(), name, value), name) == value


@given(st.sampled_from(_tables), _128)
def test_a_table_has_80_bits_and_padding(name: int, value: int) -> None:
    assert read_system(with_system(SystemRegisters(), name, value), name) == value & ~_PADDING


@given(st.sampled_from(XMM), _128, st.binary(min_size=256, max_size=256))
def test_an_xmm_register_is_one_of_sixteen(name: int, value: int, registers: bytes) -> None:
    changed = with_xmm(registers, name, value)
    others = [other for other in XMM if other != name]
    assert read_xmm(changed, name) == value
    assert [read_xmm(changed, other) for other in others] == [read_xmm(registers, other) for other in others]


@given(st.sampled_from(list(SYSTEM)), _128)
def test_a_context_gives_what_it_has_and_leaves_the_rest(name: int, value: int) -> None:
    before = with_system(SystemRegisters(), name, value)
    after = with_context(before, InitialContext(cr3=0x5000))
    kept = SYSTEM[name] not in InitialContext.__struct_fields__ and SYSTEM[name] != "cr3"
    assert read_system(after, name) == (read_system(before, name) if kept else 0x5000 if SYSTEM[name] == "cr3" else 0)


@given(st.binary(min_size=216, max_size=216))
def test_whatever_bytes_a_context_is(raw: bytes) -> None:
    """They become system registers, right or wrong; which they are is the vCPU's to say."""
    layout = type(encode_context(InitialContext()))
    context = decode_context(layout.from_buffer_copy(raw.ljust(224, b"\x00")))
    assert with_context(SystemRegisters(), context).cr3 == context.cr3
