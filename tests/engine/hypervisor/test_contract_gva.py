"""An exit says which instruction it is, in words, and by which guest-virtual address it came to the page."""

import pytest

from engine.model.address import PAGE_SIZE
from engine.model.exits import IoExit, MemoryExit
from engine.model.layout import PAGE_DIRECTORIES, code_base
from engine.model.memslot import Memslot, SlotFlags
from engine.model.resolution import Complete, Retry
from engine.model.rights import Access, Rights
from engine.x86.assemble import assemble
from engine.x86.decode import decode
from engine.x86.paging import ACCESSED, DIRTY, LARGE, PRESENT, WRITABLE
from tests.engine.hypervisor.guest import Guest

PAGE, DATA, VOID = Guest.PAGE, Guest.DATA, Guest.VOID
WINDOW = 1 << 30
"""gva of 2 MiB that the tests map elsewhere."""
TABLE = 0x1F000
CALLED = code_base(0) + 0x100
ENTRY = PRESENT | WRITABLE | ACCESSED | DIRTY
UPPER = ENTRY & ~DIRTY
R, W = Access.READ, Access.WRITE
Told = tuple[str, Access, int | None, int]

STORES = [
    ("mov [rbx], rax", {"rbx": PAGE + 8}),
    ("mov byte ptr [rbx + rcx*4 - 8], 5", {"rbx": PAGE, "rcx": 4}),
    ("mov [ebx], eax", {"rbx": PAGE + 0x100}),
    ("add [rbx], ax", {"rbx": PAGE}),
    ("push rax", {"rsp": PAGE + 0x20}),
    ("call rcx", {"rsp": PAGE + 0x20, "rcx": CALLED}),
    ("stosb", {"rdi": PAGE + 3}),
    ("std\nstosd", {"rdi": PAGE + 0x30}),
    ("rep stosb", {"rdi": PAGE, "rcx": 3}),
    ("movsq", {"rdi": PAGE + 0x40, "rsi": DATA}),
    ("xadd [rbx], rax", {"rbx": PAGE}),
    ("lock inc qword ptr [rbx]", {"rbx": PAGE + 0x18}),
    ("xchg [rbx], rax", {"rbx": PAGE + 0x18}),
]
LOADS = [
    ("mov rax, [rbx + 8]", {"rbx": PAGE}),
    ("mov rbx, [rbx]", {"rbx": PAGE}),
    ("pop rax", {"rsp": PAGE}),
    ("lodsd", {"rsi": PAGE + 4}),
    ("movsb", {"rdi": DATA, "rsi": PAGE + 7}),
    ("cmpsb", {"rsi": DATA, "rdi": PAGE}),
]


def told(guest: Guest, limit: int = 4) -> list[Told]:
    """Text, access, gva and gpa of each exit, with every access let pass."""
    exits = [exit for exit in guest.drive(lambda _: Complete(), limit) if isinstance(exit, MemoryExit)]
    for exit in exits:
        found = decode(exit.code, exit.rip)
        assert found is None or found.text == exit.text
    return [(exit.text, exit.access, exit.gva, exit.gpa) for exit in exits]


def map_window(guest: Guest, gpa: int = DATA) -> None:
    """WINDOW onto `gpa`, in one page of 2 MiB."""
    _entry(guest, PAGE_DIRECTORIES + PAGE_SIZE, gpa | ENTRY | LARGE)


def map_pages(guest: Guest, *gpas: int) -> None:
    """The first pages of WINDOW onto pages of their own."""
    _entry(guest, PAGE_DIRECTORIES + PAGE_SIZE, TABLE | UPPER)
    for at, gpa in enumerate(gpas):
        _entry(guest, TABLE + 8 * at, gpa | ENTRY)


def _entry(guest: Guest, at: int, value: int) -> None:
    guest.memory.write(at, value.to_bytes(8, "little"))


def _moved(registers: dict[str, int], by: int) -> dict[str, int]:
    """Pointers into slot 1 with `by` added."""
    return {name: value + by if DATA <= value < VOID else value for name, value in registers.items()}


@pytest.mark.parametrize("by", [0, WINDOW - DATA], ids=["identity", "elsewhere"])
@pytest.mark.parametrize(("text", "registers"), STORES)
def test_of_a_denied_store(guest: Guest, text: str, registers: dict[str, int], by: int) -> None:
    guest.fence(Rights.RX)
    map_window(guest)
    guest.memory.write(CALLED, assemble("hlt", CALLED).code)
    guest.load(f"{text}\nhlt", **_moved(registers, by))
    found = told(guest)
    assert found
    assert all(words and access is W and gva == gpa + by for words, access, gva, gpa in found)


@pytest.mark.parametrize("by", [0, WINDOW - DATA], ids=["identity", "elsewhere"])
@pytest.mark.parametrize(("text", "registers"), LOADS)
def test_of_a_denied_load(guest: Guest, text: str, registers: dict[str, int], by: int) -> None:
    guest.fence(Rights.NONE)
    map_window(guest)
    guest.load(f"{text}\nhlt", **_moved(registers, by))
    found = told(guest)
    assert found
    assert all(access is R and gva == gpa + by for _, access, gva, gpa in found)


@pytest.mark.parametrize("text", ["mov [rbx], rax", "mov rax, [rbx]"])
def test_of_the_void(guest: Guest, text: str) -> None:
    map_window(guest, VOID)
    guest.load(f"{text}\nhlt", rbx=WINDOW + 0x123)
    assert [one[0::2] for one in told(guest)] == [(text, WINDOW + 0x123)]


def test_of_a_store_to_a_readonly_slot(guest: Guest) -> None:
    guest.vm.set_memory_region(Memslot(2, VOID, PAGE_SIZE, VOID, int(SlotFlags.READONLY)))
    map_pages(guest, VOID)
    guest.load("mov [rbx], al\nhlt", rbx=WINDOW + 5)
    assert told(guest) == [("mov [rbx], al", W, WINDOW + 5, VOID + 5)]


@pytest.mark.parametrize("text", ["mov [rbx], rax", "lock add [rbx], rax", "add [rbx], rax"])
def test_of_each_part_of_a_store_across_pages_that_are_no_neighbours(guest: Guest, text: str) -> None:
    guest.fence(Rights.RX)
    guest.fence(Rights.RX, PAGE + 5 * PAGE_SIZE)
    map_pages(guest, PAGE + 5 * PAGE_SIZE, PAGE)
    guest.load(f"{text}\nhlt", rbx=WINDOW + PAGE_SIZE - 3)
    parts = [(gva, gpa) for _, _, gva, gpa in told(guest)]
    assert parts == [(WINDOW + PAGE_SIZE - 3, PAGE + 6 * PAGE_SIZE - 3), (WINDOW + PAGE_SIZE, PAGE)]


def test_two_pages_that_show_the_same_bytes_are_told_apart_by_the_page_tables(guest: Guest) -> None:
    """Both operands of a cmps are at the same offset of their pages; only one is denied."""
    guest.fence(Rights.NONE)
    map_pages(guest, PAGE + PAGE_SIZE, PAGE)
    guest.load("cmpsb\nhlt", rsi=WINDOW + 8, rdi=WINDOW + PAGE_SIZE + 8)
    assert [one[2:] for one in told(guest)] == [(WINDOW + PAGE_SIZE + 8, PAGE + 8)]


def test_of_a_fetch(guest: Guest) -> None:
    guest.memory.write(PAGE, assemble("jmp rcx", PAGE).code)
    guest.fence(Rights.NONE)
    map_window(guest)
    guest.load("call next\nhlt\nnext: pop rcx\njmp rax", rax=WINDOW + PAGE - DATA)
    assert [one[1:] for one in told(guest)] == [(Access.EXECUTE, WINDOW + PAGE - DATA, PAGE)]


def test_of_a_store_told_again(guest: Guest) -> None:
    guest.fence(Rights.RX)
    guest.load("push rax\nhlt", rsp=PAGE + 0x10)
    first = guest.vcpu.run()
    guest.vcpu.resolve(first, Retry())
    again = guest.vcpu.run()
    assert isinstance(first, MemoryExit)
    assert isinstance(again, MemoryExit)
    assert (first.gva, first.text) == (again.gva, again.text) == (PAGE + 8, "push rax")


def test_an_address_that_the_instruction_has_overwritten_is_not_made_up(guest: Guest) -> None:
    """On KVM the store is told with the instruction over: RAX is not what it was."""
    guest.fence(Rights.RX)
    guest.load("xadd [rax], rax\nhlt", rax=PAGE)
    assert all(gva in (None, gpa) for _, _, gva, gpa in told(guest))


@pytest.mark.parametrize("text", ["out 0x10, al", "in al, 0x10"])
def test_text_of_port_access(guest: Guest, text: str) -> None:
    guest.load(f"{text}\nhlt")
    (exit,) = guest.drive()
    assert isinstance(exit, IoExit)
    assert exit.text == text


def test_a_moved_mapping_is_told_by_where_it_is_now(guest: Guest) -> None:
    """The same instruction again, its page mapped elsewhere and its page tables changed in between."""
    guest.fence(Rights.RX, pages=2)
    gvas: list[int | None] = []
    for page in (0, 1):
        map_pages(guest, *[PAGE, PAGE + PAGE_SIZE][page:])
        guest.load("mov [rbx], al\nmov rcx, cr3\nmov cr3, rcx\nhlt", rbx=WINDOW + 1)
        gvas += [gva for _, _, gva, _ in told(guest)]
    assert gvas == [WINDOW + 1] * 2
