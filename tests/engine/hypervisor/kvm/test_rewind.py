"""Stores that KVM has finished all but their bytes, executed again exactly once."""

import pytest

from engine.model.exits import AnyExit, ProtectionExit
from engine.model.resolution import Complete, Resolution, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

PAGE = Guest.PAGE
OLD = 0x1111111111111111
CARRY = 1

CASES = {
    "mov": ("mov [rbx], rdx", 5),
    "push": ("lea rsp, [rbx+8]\npush rdx", 5),
    "inc": ("inc qword ptr [rbx]", OLD + 1),
    "add": ("add [rbx], rdx", OLD + 5),
    "xadd": ("xadd [rbx], rdx", OLD + 5),
    "adc": ("stc\nadc [rbx], rdx", OLD + 6),
    "rcl": ("clc\nrcl qword ptr [rbx], 1", OLD * 2),
    "cmpxchg": ("mov rax, [rbx]\ncmpxchg [rbx], rdx", 5),
    "cmpxchg other": ("mov eax, 1\ncmpxchg [rbx], rdx", OLD),
    "stosb": ("mov al, 7\nstosb", OLD & ~0xFF | 7),
    "rep stosb": ("mov al, 7\nmov ecx, 2\nrep stosb", OLD & ~0xFFFF | 0x707),
    "rip relative": ("mov [rip + 0x1FFFF9], rdx", None),
    "inc over the edge": ("inc qword ptr [rbx - 4]", OLD),
    "not over the edge": ("not qword ptr [rbx - 4]", OLD ^ 0xFFFFFFFF),
    "lock xadd": ("lock xadd [rbx], rdx", OLD + 5),
    "lock cmpxchg": ("mov rax, [rbx]\nlock cmpxchg [rbx], rdx", 5),
}


def _run(guest: Guest, assembly: str, rights: Rights, retry: bool) -> tuple[dict[str, int], bytes, int]:
    """Registers and memory at the end, and how many denials there were."""
    guest.memory.write(PAGE - 8, b"\x11" * 8)
    guest.memory.write(PAGE, b"\x11" * 16)
    guest.fence(rights)
    guest.load(f"{assembly}\nhlt", rbx=PAGE, rdi=PAGE, rdx=5)

    def answer(exit: AnyExit) -> Resolution:
        assert isinstance(exit, ProtectionExit)
        if retry:
            guest.fence(Rights.RWX)
            return Retry()
        return Complete()

    exits = guest.drive(answer)
    registers = guest.vcpu.registers()
    return (
        {name: getattr(registers, name) for name in registers.__struct_fields__},
        guest.memory.read(PAGE - 8, 24),
        len(exits),
    )


@pytest.mark.parametrize("rights", [Rights.RX, Rights.NONE], ids=["RX", "none"])
@pytest.mark.parametrize("name", CASES)
def test_retry_and_complete_end_like_an_open_page(guest: Guest, name: str, rights: Rights) -> None:
    """Registers, flags and memory are what they are when nothing was ever fenced."""
    assembly, word = CASES[name]
    registers, memory, none = _run(guest, assembly, Rights.RWX, retry=True)
    assert none == 0
    if word is not None:
        assert int.from_bytes(memory[8:16], "little") == word
    for retry in (True, False):
        again, bytes_then, denied = _run(guest, assembly, rights, retry)
        assert (again, bytes_then) == (registers, memory)
        if word is not None:
            assert denied >= 1


def test_between_the_denial_and_the_answer_nothing_has_happened(guest: Guest) -> None:
    guest.fence(Rights.RX)
    guest.load("push rdx\nhlt", rsp=PAGE + 8, rdx=5)
    before = guest.vcpu.registers()
    exit = guest.vcpu.run()
    assert guest.vcpu.registers() == before
    guest.vcpu.resolve(exit, Retry())
    guest.vcpu.settle()
    assert guest.vcpu.registers() == before


def test_a_retried_load_leaves_the_registers_alone(guest: Guest) -> None:
    guest.fence(Rights.NONE)
    guest.load("mov rdx, [rbx]\nhlt", rbx=PAGE, rdx=5)
    before = guest.vcpu.registers()
    guest.vcpu.resolve(guest.vcpu.run(), Retry())
    guest.vcpu.settle()
    assert guest.vcpu.registers() == before
    assert isinstance(guest.vcpu.run(), ProtectionExit)
