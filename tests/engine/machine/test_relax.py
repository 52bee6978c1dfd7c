"""The policy relax where the VTL's mask is not what denied the access."""

from engine.hypervisor.contract.extensions import PermissionBitmap
from engine.hypervisor.sim.partition import SimHypervisor
from engine.machine.build import build
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.events import ExitTaken, MaskChanged
from engine.model.exits import ProtectionExit
from engine.model.layout import code_base
from engine.model.registers import Registers
from engine.model.rights import Rights
from engine.x86.assemble import assemble

PAGE = 0x200000


def test_an_access_that_permissions_deny_in_the_highest_vtl_exits_again_until_they_are_lifted(scenario) -> None:
    told: list[type] = []
    machine = build(
        SimHypervisor(),
        scenario(on_protection="relax", vcpus=[{"guest": "spin"}]),
        lambda kind, fields: told.append(kind),
    )
    vcpu, bitmap, page = machine.vcpus[0], machine.vm.extension(PermissionBitmap), PageRange.of(PAGE, PAGE_SIZE)
    bitmap.set_permissions(page, Rights.R)
    vcpu.enter_vtl(1)
    machine.vm.memory().write(code_base(0), assemble("mov [rbx], rax\nhlt", code_base(0)).code)
    vcpu.set_registers(Registers(rip=code_base(0), rbx=PAGE, rax=3))
    for _ in range(3):
        exit = vcpu.run()
        assert isinstance(exit, ProtectionExit)
        machine.take(vcpu, exit)
    assert not machine.is_over(0)
    assert told.count(ExitTaken) == 3
    assert MaskChanged not in told
    bitmap.set_permissions(page, Rights.RWX)
    machine.take(vcpu, vcpu.run())
    assert machine.states[0] == "halted"
    machine.vm.close()
