"""The rows of docs/differences.md."""

from collections.abc import Iterator

import pytest

from engine.conformance.handlers import handle, handler_of
from engine.hypervisor.contract.errors import HypervisorMissing, Unsupported
from engine.hypervisor.contract.extensions import Statistics
from engine.machine.build import build
from engine.model.cpuid import CpuidLeaf
from engine.model.exits import HltExit, InternalError, ProtectionExit, ShutdownExit
from engine.model.resolution import Inject
from engine.model.rights import Rights
from engine.session.host import Host, host_for
from tests.engine.hypervisor.guest import Guest

BASE = 0x200000
BP, UD, GP = 3, 6, 13
FENCED = {"vtl": 0, "base": BASE + 0x1000, "pages": 1, "mask": "RX"}
CROSSING = f"mov rdi, {BASE + 0xFFC:#x}\nmov rax, 0x1122334455667788\nmov [rdi], rax\nhlt"

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
    with_mbec = {Rights.R | Rights.UX, Rights.RW | Rights.UX}
    assert set(sim.hypervisor.capabilities.masks) == set(kvm.hypervisor.capabilities.masks) | {Rights.RW} | with_mbec
    assert (kvm.hypervisor.capabilities.mbec, sim.hypervisor.capabilities.mbec) == (False, True)


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


@pytest.fixture
def guests(kvm: Host, sim: Host) -> Iterator[tuple[Guest, Guest]]:
    """The same bare guest on real KVM and in the simulator."""
    pair = Guest(kvm.hypervisor), Guest(sim.hypervisor)
    yield pair
    for guest in pair:
        guest.vm.close()


def whole(guest: Guest) -> bool:
    return guest.vm.capabilities.denies_whole


def test_7_a_fence_in_the_way_of_an_exception(guests: tuple[Guest, Guest]) -> None:
    for guest in guests:
        handle(guest, {UD: "hlt"})
        guest.fence(Rights.RX)
        guest.load("ud2", rsp=Guest.PAGE + 0x800)
        exit = guest.vcpu.run()
        if not whole(guest):
            assert isinstance(exit, ShutdownExit)
            continue
        assert isinstance(exit, InternalError)
        assert exit.facts["vector"] == UD
        guest.fence(Rights.RWX)
        assert isinstance(guest.vcpu.run(), HltExit if guest.is_real() else InternalError)


def test_8_the_traps_of_instructions_are_injected_in_the_simulator_alone(guests: tuple[Guest, Guest]) -> None:
    on_kvm, on_sim = guests
    for guest in guests:
        handle(guest, {BP: "hlt"})
        guest.load("nop\nhlt")
    with pytest.raises(Unsupported):
        on_kvm.vcpu.inject(Inject(BP))
    on_sim.vcpu.inject(Inject(BP))
    assert isinstance(on_sim.vcpu.run(), HltExit)
    assert on_sim.vcpu.registers().rip == handler_of(BP) + 1


def test_9_an_exception_cannot_answer_what_has_half_happened(guests: tuple[Guest, Guest]) -> None:
    for guest in guests:
        guest.fence(Rights.RX)
        guest.load("mov [rbx-4], rax\nhlt", rbx=Guest.PAGE)
        exit = guest.vcpu.run()
        if whole(guest):
            guest.vcpu.resolve(exit, Inject(GP, 0))
        else:
            with pytest.raises(Unsupported):
                guest.vcpu.resolve(exit, Inject(GP, 0))


def test_10_flags_of_an_instruction_that_is_taken_back(guests: tuple[Guest, Guest]) -> None:
    for guest in guests:
        handle(guest, {GP: "mov rdx, [rsp+0x18]\nhlt"})
        guest.fence(Rights.RX)
        guest.load("stc\nsub dword ptr [rbx], 0x11111111\nhlt", rbx=Guest.PAGE)
        guest.vcpu.resolve(guest.vcpu.run(), Inject(GP, 0))
        assert isinstance(guest.vcpu.run(), HltExit)
        carry, zero = guest.vcpu.registers().rdx & 1, guest.vcpu.registers().rdx >> 6 & 1
        assert (carry, zero) == ((1, 0) if whole(guest) else (0, 1))


def test_11_outs_and_kicks_as_each_counts_them(guests: tuple[Guest, Guest]) -> None:
    for guest in guests:
        counted = guest.vm.extension(Statistics)
        before = counted.of_vcpu(0)
        guest.load("out 0x10, al\nhlt")
        guest.drive()
        guest.vcpu.kick()
        guest.vcpu.run()
        after = counted.of_vcpu(0)
        assert after["io_exits"] - before["io_exits"] == whole(guest)
        assert after["signal_exits"] - before["signal_exits"] == (not guest.is_real())


def test_12_a_step_of_a_repeated_instruction(guests: tuple[Guest, Guest]) -> None:
    for guest in guests:
        guest.load("rep stosb\nhlt", rcx=5, rdi=Guest.PAGE)
        guest.vcpu.run(1)
        assert guest.vcpu.registers().rcx == (4 if whole(guest) else 0)
        assert guest.vcpu.registers().rip == 0x10000


def test_13_some_leaves_are_partly_kvms_own(guests: tuple[Guest, Guest]) -> None:
    """OSXSAVE is bit 27 of leaf 1's ECX: set while CR4 has it."""
    on_kvm, on_sim = guests
    told: list[int] = []
    for guest in (on_kvm, on_sim):
        guest.vcpu.set_cpuid((CpuidLeaf(1, None, ecx=1 << 27 | 1 << 26),))
        guest.load("mov eax, 1\ncpuid\nhlt")
        guest.drive()
        told.append(guest.vcpu.registers().rcx >> 27 & 1)
    assert told == [0, 1]
