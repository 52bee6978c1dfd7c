"""The hypercall page is one page: an OUT to the private port, and back."""

from engine.x86.decode import listing
from engine.x86.hypercall_page import page_bytes


def test_it_calls_out_and_returns() -> None:
    page = page_bytes()
    assert len(page) == 4096
    assert [line.text for line in listing(page, 0x7000)][:3] == ["out 0xe8, eax", "ret", "int3"]


def test_vtl_call_and_return_are_at_their_offsets() -> None:
    page = page_bytes()
    found = [[line.text for line in listing(page[at:], 0x7000 + at)][:3] for at in (0x10, 0x20)]
    assert found == [["out 0xe9, eax", "ret", "int3"], ["out 0xea, eax", "ret", "int3"]]
