"""No privileged instruction slips past the guard: not by where it lies, nor by when it was written."""

import pytest

from engine.model.address import PAGE_SIZE
from engine.model.exits import AnyExit, HltExit, MsrExit, ShutdownExit
from engine.model.layout import PAGE_DIRECTORIES, PML4, code_base
from engine.model.resolution import Drop
from engine.model.rights import Rights
from engine.x86.assemble import assemble
from tests.engine.hypervisor.guest import Guest

DATA, PAGE = Guest.DATA, Guest.PAGE
UNKNOWN = 0x12345
RDMSR = "0f32"


def _reads(guest: Guest) -> list[int]:
    """RIPs of the MSR exits until the guest halts."""
    found = guest.drive(lambda _: Drop(), limit=300)
    assert all(isinstance(exit, MsrExit) for exit in found), found
    return [exit.rip for exit in found]


@pytest.fixture(autouse=True)
def _on(sim: Guest) -> None:
    sim.vm.enable_msr_exits()


@pytest.mark.parametrize("before", range(PAGE_SIZE - 6, PAGE_SIZE))
@pytest.mark.parametrize("code", [RDMSR, "48" + RDMSR, "66f3" + RDMSR])
def test_across_the_end_of_a_page_and_behind_prefixes(sim: Guest, before: int, code: str) -> None:
    start = PAGE + before
    sim.load("nop", at=start)
    sim.memory.write(start, bytes.fromhex(code) + b"\xf4")
    sim.load("jmp rbx", rbx=start, rcx=UNKNOWN)
    assert _reads(sim) == [start]


def test_in_the_middle_of_a_block_with_its_flags(sim: Guest) -> None:
    sim.load("mov eax, 1\ncmp eax, 2\nrdmsr\nsetc r8b\nhlt", rcx=UNKNOWN)
    exit = sim.vcpu.run()
    assert isinstance(exit, MsrExit)
    assert sim.vcpu.registers().rflags & 1
    sim.vcpu.resolve(exit, Drop())
    assert sim.drive() == []
    assert sim.vcpu.registers().r8 == 1


WRITES = "mov word ptr [rbx], 0x320f\nmov byte ptr [rbx+2], 0xc3\n"


def test_written_by_the_vcpu_itself_into_its_own_page(sim: Guest) -> None:
    code = f"call target\n{WRITES}call target\nhlt\ntarget: nop\nnop\nret"
    target = code_base(0) + assemble(code, code_base(0)).code.index(b"\x90\x90\xc3")
    sim.load(code, rcx=UNKNOWN, rbx=target)
    assert _reads(sim) == [target]


def test_written_into_a_page_that_has_been_executed(sim: Guest) -> None:
    sim.load("nop\nnop\nret", at=PAGE)
    sim.load(f"call rbx\n{WRITES}call rbx\ncall rbx\nhlt", rcx=UNKNOWN, rbx=PAGE)
    assert _reads(sim) == [PAGE, PAGE]


def test_written_again_and_again(sim: Guest) -> None:
    sim.load("nop\nnop\nret", at=PAGE)
    sim.load(
        f"again: call rbx\n{WRITES}call rbx\nmov word ptr [rbx], 0x9090\ndec r9\njnz again\ncall rbx\nhlt",
        rcx=UNKNOWN,
        rbx=PAGE,
        r9=5,
    )
    assert _reads(sim) == [PAGE] * 5


@pytest.mark.parametrize("first", ["call r10", "nop", "mov al, [rbx]", "mov byte ptr [rbx+8], 1"])
def test_written_through_another_address_of_the_page(sim: Guest, first: str) -> None:
    """The 2 MiB at 3 GiB are those at DATA; code is executed at one address and written at the other."""
    entry = PAGE_DIRECTORIES + 3 * PAGE_SIZE
    sim.memory.write(entry, (DATA | 0xE3).to_bytes(8, "little"))
    alias = (3 << 30) + PAGE - DATA
    sim.load("nop\nnop\nret", at=PAGE)
    sim.load(f"{first}\n{WRITES}call r10\nmov word ptr [rbx], 0x9090\ncall r10\nhlt", rcx=UNKNOWN, rbx=PAGE, r10=alias)
    assert _reads(sim) == [alias]


def test_written_by_another_vcpu(sim: Guest) -> None:
    sim.vcpus.append(sim.vm.create_vcpu(1, PML4))
    sim.load("again: nop\nnop\njmp again", rcx=UNKNOWN)
    sim.load("mov word ptr [rbx], 0x320f\nhlt", at=code_base(1), vcpu=1, rbx=code_base(0))
    sim.vcpu.run(50)
    assert isinstance(sim.vcpus[1].run(), HltExit)
    assert isinstance(sim.vcpu.run(), MsrExit)


def test_written_by_the_vmm_and_under_a_fence(sim: Guest) -> None:
    sim.load("nop\nnop\nret", at=PAGE)
    sim.load("call rbx\nhlt", rcx=UNKNOWN, rbx=PAGE)
    assert _reads(sim) == []
    sim.memory.write(PAGE, bytes.fromhex(RDMSR))
    sim.load("call rbx\nhlt", rcx=UNKNOWN, rbx=PAGE)
    assert _reads(sim) == [PAGE]
    sim.fence(Rights.NONE)
    sim.load("jmp rbx\nhlt", rcx=UNKNOWN, rbx=PAGE)
    exit: AnyExit = sim.vcpu.run()
    assert exit.rip == PAGE
    assert not isinstance(exit, MsrExit)


def test_more_places_than_can_be_watched_one_by_one(sim: Guest) -> None:
    sim.memory.write(PAGE, bytes.fromhex(RDMSR) * 200 + b"\xf4")
    sim.load("jmp rbx", rcx=UNKNOWN, rbx=PAGE)
    assert _reads(sim) == [PAGE + 2 * n for n in range(200)]


def test_data_that_looks_like_it_is_no_instruction(sim: Guest) -> None:
    sim.load("mov eax, 0x320f320f\nmov r8d, eax\nhlt")
    assert sim.drive() == []
    assert sim.vcpu.registers().r8 == 0x320F320F


def test_single_steps_stop_there_too(sim: Guest) -> None:
    sim.load("nop\nrdmsr\nhlt", rcx=UNKNOWN)
    sim.vcpu.run(1)
    before = sim.vcpu.instructions or 0
    exit = sim.vcpu.run(1)
    assert isinstance(exit, MsrExit)
    assert sim.vcpu.instructions == before
    sim.vcpu.resolve(exit, Drop())
    assert sim.vcpu.instructions == before + 1


def test_without_an_idt_a_refused_value_is_the_end(sim: Guest) -> None:
    sim.load("mov cr4, rax\nhlt", rax=0)
    assert isinstance(sim.vcpu.run(), ShutdownExit)
