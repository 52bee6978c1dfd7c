"""The guest's code as it stands now, however often it was read before."""

import ctypes

import pytest

from engine.hypervisor.sim.code_pages import CodePages
from engine.hypervisor.sim.ram import Ram
from engine.hypervisor.sim.space import Space
from engine.hypervisor.sim.text import GuestText
from engine.hypervisor.sim.translate import Translator
from engine.model.address import PAGE_SIZE
from engine.model.layout import PAGE_DIRECTORIES, PML4
from engine.model.memslot import Memslot
from engine.x86.paging import LARGE, PRESENT, WRITABLE, identity_tables

MIB = 1 << 20
RIP = 0x200123
NOP, STORE = b"\x90" * 16, b"\x48\x89\x07" + b"\x90" * 13


class Code:
    """Two slots of 2 MiB each, and four of RAM behind."""

    def __init__(self) -> None:
        self.space, self.ram = Space(8 * MIB, 1), Ram(8 * MIB)
        self.space.set_memory_region(Memslot(0, 0, 2 * MIB, 0))
        self.space.set_memory_region(Memslot(1, 2 * MIB, 2 * MIB, 2 * MIB))
        for gpa, table in identity_tables().items():
            self.ram.view[gpa : gpa + len(table)] = table
        tables = Translator(self.space, self.ram, CodePages(2048, 1))
        self.text = GuestText(tables, ctypes.c_uint64(PML4), self.space, self.ram)
        self.put(RIP, STORE)

    def put(self, offset: int, code: bytes) -> None:
        self.ram.view[offset : offset + len(code)] = code

    def shown(self, rip: int = RIP) -> str:
        return self.text.line(rip).text


@pytest.fixture
def code() -> Code:
    found = Code()
    assert found.shown() == found.shown() == "mov [rdi], rax"
    return found


def test_bytes_that_change(code: Code) -> None:
    code.put(RIP, NOP)
    assert code.shown() == "nop"
    code.put(RIP, STORE)
    assert code.shown() == "mov [rdi], rax"


def test_tables_that_lead_elsewhere(code: Code) -> None:
    code.put(0x123, NOP)
    code.ram.words[(PAGE_DIRECTORIES >> 3) + 1] = LARGE | WRITABLE | PRESENT
    assert code.shown() == "nop"
    code.ram.words[(PAGE_DIRECTORIES >> 3) + 1] = 0
    assert (code.text.line(RIP).code, code.shown()) == (b"", "")


def test_a_slot_that_moves_in_ram_and_one_that_goes(code: Code) -> None:
    code.space.set_memory_region(Memslot(1, 2 * MIB, 0, 0))
    assert code.shown() == ""
    code.put(4 * MIB + 0x123, NOP)
    code.space.set_memory_region(Memslot(1, 2 * MIB, 2 * MIB, 4 * MIB))
    assert code.shown() == "nop"


def test_an_instruction_across_pages_that_lie_apart(code: Code) -> None:
    last = 4 * MIB - 1
    code.put(last, STORE[:1])
    assert code.text.line(last).text == ""
    code.space.set_memory_region(Memslot(2, 4 * MIB, PAGE_SIZE, 6 * MIB))
    code.put(6 * MIB, STORE[1:])
    assert code.text.line(last).text == "mov [rdi], rax"
    code.put(6 * MIB, b"\x89\x1f")
    assert code.text.line(last).text == "mov [rdi], rbx"
