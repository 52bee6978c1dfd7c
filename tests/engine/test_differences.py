"""The rows of docs/differences.md."""

import pytest

from engine.hypervisor.contract.errors import HypervisorMissing
from engine.machine.build import build
from engine.model.exits import HltExit, ProtectionExit
from engine.model.rights import Rights
from engine.session.host import Host, host_for

BASE = 0x200000
FENCED = {"vtl": 0, "base": BASE + 0x1000, "pages": 1, "mask": "RX"}
CROSSING = f"mov rdi, {BASE + 0xFFC:#x}\nmov rax, 0x1122334455667788\nmov [rdi], rax\nhlt"
LOCKED = f"mov rdi, {BASE + 0x1000:#x}\nlock inc qword ptr [rdi]\nhlt"

LOADS = f"mov rdi, {BASE:#x}\nmov rax, [rdi+0x5000]\nmov [rdi+0x2000], rax\nhlt"


@pytest.fixture
def kvm(scenario) -> Host:
    try:
        return host_for(scenario(vcpus=[{"guest": "spin"}]), "kvm")
    except HypervisorMissing as missing:
        pytest.skip(f"NO KVM ON THIS HOST: {missing.reason}")


def denied(scenario, host: Host, asm: str) -> tuple[ProtectionExit, bytes]:
    """The first exit of this guest, and the bytes before the fence at that moment."""
    machine = build(host.hypervisor, scenario(vcpus=[{"asm": asm}], masks=[FENCED]), lambda kind, fields: None)
    try:
        exit = machine.vcpus[0].run()
        assert isinstance(exit, ProtectionExit)
        return exit, machine.vm.memory().read(BASE + 0xFFC, 4)
    finally:
        machine.vm.close()


def test_1_a_crossing_store_is_half_done_while_its_exit_is_open_unless_denied_whole(
    scenario, kvm: Host, sim: Host
) -> None:
    on_kvm, on_sim = denied(scenario, kvm, CROSSING), denied(scenario, sim, CROSSING)
    assert on_kvm[0].gpa == on_sim[0].gpa == BASE + 0x1000
    assert on_kvm[1] == (bytes(4) if kvm.hypervisor.capabilities.denies_whole else bytes.fromhex("88776655"))
    assert on_sim[1] == bytes(4)


def test_2_each_clock_is_named(kvm: Host, sim: Host) -> None:
    assert kvm.hypervisor.capabilities.clock == "host ns"
    assert sim.hypervisor.capabilities.clock == "guest instructions"


def test_3_masks(kvm: Host, sim: Host) -> None:
    assert set(kvm.hypervisor.capabilities.masks) == {Rights.NONE, Rights.R, Rights.RX, Rights.RWX}
    assert set(sim.hypervisor.capabilities.masks) == {Rights.NONE, Rights.R, Rights.RW, Rights.RX, Rights.RWX}


def test_4_what_a_locked_store_writes_is_told_only_where_it_is_denied_whole(scenario, kvm: Host, sim: Host) -> None:
    told = (1).to_bytes(8, "little")
    assert denied(scenario, kvm, LOCKED)[0].data == (told if kvm.hypervisor.capabilities.denies_whole else None)
    assert denied(scenario, sim, LOCKED)[0].data == told


def test_5_a_first_load_may_be_in_the_log(scenario, kvm: Host, sim: Host) -> None:
    def logged(host: Host) -> set[int]:
        machine = build(host.hypervisor, scenario(vcpus=[{"asm": LOADS}]), lambda kind, fields: None)
        try:
            machine.vm.get_dirty_log(1)
            assert isinstance(machine.vcpus[0].run(), HltExit)
            bitmap = int.from_bytes(machine.vm.get_dirty_log(1), "little")
            return {n for n in range(512) if bitmap >> n & 1}
        finally:
            machine.vm.close()

    assert logged(sim) == {2}
    assert logged(kvm) == ({2, 5} if kvm.hypervisor.capabilities.logs_loads else {2})


def test_6_an_emulating_kernel_tells_every_store_and_can_lose_pages(scenario, kvm: Host, sim: Host) -> None:
    ringed = scenario(vcpus=[{"asm": f"mov rdi, {BASE:#x}\nmov [rdi], rax\nmov [rdi], rcx\nhlt"}], dirty="ring")
    told: list[int] = []
    for host in (kvm, sim):
        machine = build(host.hypervisor, ringed, lambda kind, fields: None)
        assert isinstance(machine.vcpus[0].run(), HltExit)
        told.append(len(machine.vcpus[0].harvest_dirty_ring().pages))
        machine.vm.close()
    assert told == [2 if kvm.hypervisor.capabilities.ring_reason else 1, 1]
    assert sim.hypervisor.capabilities.ring_reason == ""
