"""The contract: an access answered with Retry waits in its VTL while the vCPU is in another."""

import pytest

from engine.model.address import PageRange
from engine.model.exits import HltExit, ProtectionExit
from engine.model.resolution import Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.guest import Guest

PAGE = 0x210000


@pytest.mark.parametrize("code", ["mov [rdi], rax", "mov rax, [rdi]", "inc qword ptr [rdi]"])
def test_a_denied_access_is_made_when_its_vtl_goes_on(guest: Guest, code: str) -> None:
    page = PageRange(PAGE >> 12, 1)
    guest.vm.memory().write(PAGE, (5).to_bytes(8, "little"))
    guest.vm.set_mask(0, page, Rights.NONE)
    guest.load(f"mov rdi, {PAGE:#x}\nmov rax, 7\n{code}\nhlt")
    exit = guest.vcpu.run()
    assert isinstance(exit, ProtectionExit)
    guest.vcpu.resolve(exit, Retry())
    guest.vcpu.enter_vtl(1)
    guest.vcpu.enter_vtl(0)
    assert guest.vcpu.registers().rip == exit.rip
    guest.vm.set_mask(0, page, Rights.RWX)
    assert isinstance(guest.vcpu.run(), HltExit)
    found = int.from_bytes(guest.vm.memory().read(PAGE, 8), "little")
    expected = {"mov [rdi], rax": (7, 7), "mov rax, [rdi]": (5, 5), "inc qword ptr [rdi]": (6, 7)}
    assert (found, guest.vcpu.registers().rax) == expected[code]
