"""The contract, one body for every hypervisor: memslots, errnos, dirty logs, the VMM's view, the end of runs."""

import errno
import threading

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.exits import HltExit, Interrupted, IoExit, ProtectionExit, ShutdownExit, VoidExit
from engine.model.layout import MAX_RAM, PML4
from engine.model.memslot import Memslot, SlotFlags
from engine.model.page_set import PageSet
from engine.model.registers import Registers
from engine.model.resolution import Complete
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import MIB, RAM, Guest, facts

DATA, PAGE, VOID = Guest.DATA, Guest.PAGE, Guest.VOID
LOG = int(SlotFlags.LOG)


def test_errnos_of_set_mask_and_vtls(guest: Guest) -> None:
    page = PageRange.of(PAGE, PAGE_SIZE)
    for vtl, rights in [(1, Rights.RX), (2, Rights.RX), (-1, Rights.RX), (0, Rights.W), (0, Rights.R | Rights.KX)]:
        with pytest.raises(HypervisorError) as raised:
            guest.vm.set_mask(vtl, page, rights)
        assert raised.value.errno == errno.EINVAL
    last = MAX_RAM >> 12
    for pages in (PageRange(last - 1, 2), PageRange(-1, 1), PageSet([0, last])):
        with pytest.raises(HypervisorError) as raised:
            guest.vm.set_mask(0, pages, Rights.RX)
        assert raised.value.errno == errno.EINVAL
    assert guest.vm.masks(0) == []
    with pytest.raises(HypervisorError) as raised:
        guest.vcpu.enter_vtl(2)
    assert raised.value.errno == errno.EINVAL


def test_a_second_vcpu_of_the_same_number_exists_already(guest: Guest) -> None:
    with pytest.raises(HypervisorError) as raised:
        guest.vm.create_vcpu(0, PML4)
    assert raised.value.errno == errno.EEXIST


def test_masks_are_maximal_runs(guest: Guest) -> None:
    for gpa in (PAGE, PAGE + PAGE_SIZE, PAGE + 0x8000):
        guest.fence(Rights.RX, gpa)
    guest.fence(Rights.NONE, VOID)
    first, void = PAGE >> 12, VOID >> 12
    assert guest.vm.masks(0) == [
        (PageRange(first, 2), Rights.RX),
        (PageRange(first + 8, 1), Rights.RX),
        (PageRange(void, 1), Rights.NONE),
    ]
    assert (guest.vm.mask(0, first), guest.vm.mask(0, first + 2)) == (Rights.RX, Rights.RWX)
    assert guest.vm.masks(1) == []
    assert guest.vm.masks(0, PageRange(first + 1, 8)) == [
        (PageRange(first + 1, 1), Rights.RX),
        (PageRange(first + 8, 1), Rights.RX),
    ]
    assert guest.vm.masks(0, PageRange(first + 2, 6)) == []


def test_a_mask_on_scattered_pages_is_set_at_once(guest: Guest) -> None:
    first = PAGE >> 12
    pages = PageSet([first, first + 1, first + 4, VOID >> 12])
    guest.vm.set_mask(0, pages, Rights.RX)
    assert PageSet(gfn for run, _ in guest.vm.masks(0) for gfn in run) == pages
    guest.load("mov [rbx], rax\nmov [rbx+0x2000], rax\nmov [rbx+0x4000], rax\nhlt", rbx=PAGE)
    assert [facts(exit)[:3] for exit in guest.drive()] == [
        ("ProtectionExit", "write", PAGE),
        ("ProtectionExit", "write", PAGE + 0x4000),
    ]
    guest.vm.set_mask(0, PageSet([first, first + 4]), Rights.RWX)
    assert [run for run, _ in guest.vm.masks(0)] == [PageRange(first + 1, 1), PageRange(VOID >> 12, 1)]
    guest.load("mov [rbx], rax\nhlt", rbx=PAGE)
    assert guest.drive() == []


def test_a_mask_on_no_page_changes_nothing(guest: Guest) -> None:
    guest.vm.set_mask(0, PageSet(), Rights.RX)
    guest.vm.set_mask(0, PageRange(7, 0), Rights.RX)
    assert guest.vm.masks(0) == []


def test_the_log_has_what_was_written_since_it_was_read(guest: Guest) -> None:
    stores = "mov [rbx], rax\nmov [rbx+0x3000], rax\nmov rcx, [rbx+0x5000]\nhlt"
    guest.load(stores, rbx=DATA)
    guest.drive()
    loaded = {DATA + 0x5000} if guest.vm.capabilities.logs_loads else set[int]()
    assert guest.dirty() == {DATA, DATA + 0x3000} | loaded
    assert guest.dirty() == set()
    guest.load(stores, rbx=DATA)
    guest.drive()
    assert guest.dirty() == {DATA, DATA + 0x3000}


def test_the_vmm_marks_what_it_writes_itself(guest: Guest) -> None:
    guest.memory.write(DATA + 0x1FFC, b"12345678")
    assert guest.dirty() == {DATA + 0x1000, DATA + 0x2000}
    assert guest.memory.read(DATA + 0x1FFC, 8) == b"12345678"


def test_the_vmm_cannot_touch_the_void_not_even_partly(guest: Guest) -> None:
    for act in (lambda: guest.memory.write(VOID - 4, b"12345678"), lambda: guest.memory.read(VOID - 4, 8)):
        with pytest.raises(HypervisorError) as raised:
            act()
        assert raised.value.errno == errno.EFAULT
    assert guest.memory.read(VOID - 4, 4) == bytes(4)


def test_masks_do_not_bind_the_vmm(guest: Guest) -> None:
    guest.fence(Rights.NONE)
    guest.memory.write(PAGE, b"through")
    assert guest.memory.read(PAGE, 7) == b"through"


def test_a_moved_slot_takes_its_data_along_and_leaves_the_masks(guest: Guest) -> None:
    guest.fence(Rights.RX, PAGE)
    guest.vm.set_memory_region(Memslot(1, VOID, 2 * MIB, 2 * MIB, LOG))
    moved = PAGE - DATA + VOID
    guest.load("mov rcx, [rsi]\nmov [rsi], rax\nmov [rbx], rax\nhlt", rbx=PAGE, rsi=moved, rax=5)
    exits = guest.drive()
    assert [facts(exit) for exit in exits] == [("VoidExit", "write", PAGE, 8)]
    assert guest.vcpu.registers().rcx == 0x1111111111111111
    assert guest.word(moved) == 5


def test_a_slot_that_comes_back_is_fenced_as_before(guest: Guest) -> None:
    guest.fence(Rights.RX, PAGE)
    guest.vm.set_memory_region(Memslot(1, DATA, 0, 2 * MIB))
    store = "mov [rbx], rax\nhlt"
    guest.load(store, rbx=PAGE)
    assert isinstance(guest.drive()[0], VoidExit)
    guest.vm.set_memory_region(Memslot(1, DATA, 2 * MIB, 2 * MIB, LOG))
    guest.load(store, rbx=PAGE)
    assert isinstance(guest.drive()[0], ProtectionExit)


def test_lifting_and_setting_a_mask_is_seen_at_once(guest: Guest) -> None:
    for rights, exits in [(Rights.RX, 1), (Rights.RWX, 0), (Rights.RX, 1), (Rights.NONE, 1), (Rights.RWX, 0)]:
        guest.fence(rights)
        guest.load("mov [rbx], rax\nhlt", rbx=PAGE)
        assert len(guest.drive()) == exits


def test_vtl1_is_not_bound_and_has_registers_of_its_own(guest: Guest) -> None:
    guest.fence(Rights.NONE)
    guest.load("hlt", rbx=PAGE, r12=12)
    guest.vcpu.enter_vtl(1)
    assert guest.vcpu.vtl == 1
    guest.load("mov [rbx], rax\nhlt", rbx=PAGE, rax=1)
    assert guest.drive() == []
    assert guest.word() == 1
    assert PAGE in guest.dirty()
    guest.vcpu.enter_vtl(0)
    assert guest.vcpu.registers().r12 == 12


def test_hlt_is_past_itself(guest: Guest) -> None:
    guest.load("hlt\ninc rbx\nhlt")
    exit = guest.vcpu.run()
    assert isinstance(exit, HltExit)
    assert exit.rip == guest.vcpu.registers().rip == 0x10001
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rbx == 1


@pytest.mark.parametrize("instruction", ["ud2", "mov rax, [rbx]", "div edx"])
def test_an_exception_without_an_idt_is_a_triple_fault(guest: Guest, instruction: str) -> None:
    guest.load(instruction, rbx=1 << 40)
    assert isinstance(guest.vcpu.run(), ShutdownExit)


def test_a_vcpu_that_has_shut_down_stays_so(guest: Guest) -> None:
    guest.load("ud2\nhlt")
    exit = guest.vcpu.run()
    guest.vcpu.set_registers(Registers(rip=exit.rip + 2))
    assert guest.vcpu.run() == exit


def test_a_kick_ends_a_run_that_would_not_end(guest: Guest) -> None:
    guest.load("spin: inc rbx\njmp spin")
    timer = threading.Timer(0.05, guest.vcpu.kick)
    timer.start()
    exit = guest.vcpu.run()
    timer.join()
    assert isinstance(exit, Interrupted)
    assert guest.vcpu.registers().rbx > 0


def test_a_kick_before_the_run_counts(guest: Guest) -> None:
    guest.load("inc rbx\nhlt")
    guest.vcpu.kick()
    assert isinstance(guest.vcpu.run(), Interrupted)
    assert isinstance(guest.vcpu.run(), HltExit)
    assert guest.vcpu.registers().rbx == 1


def test_registers_come_back_as_they_were_set(guest: Guest) -> None:
    names = [name for name in Registers.__struct_fields__ if name not in ("rip", "rflags")]
    given = Registers(**{name: 0x1000 + n for n, name in enumerate(names)}, rip=0x10000, rflags=0x8D7)
    guest.vcpu.set_registers(given)
    assert guest.vcpu.registers() == given


@pytest.mark.parametrize("instruction", ["mov [rbx], rcx", "mov rcx, [rbx]", "inc qword ptr [rbx]", "out 0x10, al"])
def test_registers_are_not_set_while_an_exit_waits(guest: Guest, instruction: str) -> None:
    guest.fence(Rights.NONE)
    guest.load(f"{instruction}\nhlt", rbx=PAGE)
    exit = guest.vcpu.run()
    with pytest.raises(HypervisorError) as raised:
        guest.vcpu.set_registers(Registers(rip=0x10000))
    assert raised.value.errno == errno.EBUSY
    guest.vcpu.resolve(exit, Complete(bytes(8)))
    guest.drive()
    guest.vcpu.set_registers(Registers(rip=0x10000))


def test_code_the_vmm_patches_is_executed_as_patched(guest: Guest) -> None:
    for instruction, rcx in [("inc rcx", 1), ("dec rcx", (1 << 64) - 1), ("add rcx, 7", 7)]:
        guest.load(f"{instruction}\nhlt")
        guest.drive()
        assert guest.vcpu.registers().rcx == rcx


def test_all_of_ram_is_there_by_offset(guest: Guest) -> None:
    guest.memory.write(PAGE, b"by offset")
    ram = guest.vm.ram()
    assert ram.readonly
    assert len(ram) == RAM
    assert bytes(ram[PAGE : PAGE + 9]) == b"by offset"


def test_a_fenced_stack_and_port_in_one_program(guest: Guest) -> None:
    guest.fence(Rights.RX)
    guest.load("push rax\nout 0x10, eax\npop rcx\nhlt", rsp=PAGE + 0x100, rax=9)
    exits = guest.drive(lambda exit: Complete())
    assert [type(exit) for exit in exits] == [ProtectionExit, IoExit]
    assert guest.vcpu.registers().rcx == 9
    assert guest.vcpu.registers().rsp == PAGE + 0x100
