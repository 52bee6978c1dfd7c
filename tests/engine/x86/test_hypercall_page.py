"""The hypercall page is one page: an OUT to the private port, and back."""

from engine.x86.decode import listing
from engine.x86.hypercall_page import page_bytes


def test_it_calls_out_and_returns() -> None:
    page = page_bytes()
    assert len(page) == 4096
    assert [line.text for line in listing(page, 0x7000)][:3] == ["out 0xe8, eax", "ret", "int3"]
