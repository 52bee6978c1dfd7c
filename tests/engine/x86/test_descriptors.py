"""Interrupt gates, written and read."""

from hypothesis import given
from hypothesis import strategies as st

from engine.x86.descriptors import GATE_SIZE, gate_offset, idt


@given(st.dictionaries(st.integers(0, 255), st.integers(0, (1 << 64) - 1), min_size=1))
def test_a_table_leads_where_it_was_told_to(handlers: dict[int, int]) -> None:
    table = idt(handlers)
    gates = [table[at : at + GATE_SIZE] for at in range(0, len(table), GATE_SIZE)]
    assert len(gates) == max(handlers) + 1
    assert {vector: gate_offset(gate) for vector, gate in enumerate(gates) if any(gate)} == handlers


def test_an_interrupt_gate_by_hand() -> None:
    """SDM Vol. 3, figure 6-8: offset in three parts, selector 8, type 14, present."""
    assert idt({0: 0x1122334455667788}) == bytes.fromhex("8877 0800 00 8e 6655 44332211 00000000")
