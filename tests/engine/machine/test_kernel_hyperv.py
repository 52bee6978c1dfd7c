"""KVM's own Hyper-V, where the kernel has one: what it leaves to the VMM is served and told like the VMM's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.abi.tlfs import interface
from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.status import HvStatus
from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.contract.extensions import KernelHyperV
from engine.machine.program import check_scenario
from engine.model.events import HypercallServed
from engine.model.exits import HypercallExit, MsrExit, SynicExit
from engine.session.host import Host
from engine.session.outcome import run_to_end
from engine.session.records import exit_record
from tests.engine.machine.vsm_guest import INPUT, STATUSES, call, guest, leaf, put, rdmsr, wrmsr
from tests.engine.machine.vsm_run import Ran

LAB = Path("labs/find-the-hypervisor/scenario.yaml")
PLACE, MESSAGES, OS_ID = 0x218000, 0x219000, 0x8100 << 48
FOUND = STATUSES + 0x800
IDENTIFY = (wrmsr(interface.MSR_GUEST_OS_ID, OS_ID), wrmsr(interface.MSR_HYPERCALL, PLACE | 1))
MESSAGE = put(INPUT, 1, 8 << 32 | 5, 0x1234)
"""To connection 1, of type 5, with 8 bytes."""
POST = MESSAGE + call(CallCode.PostMessage, page=PLACE)
END = "ud2"
"""A triple fault: HLT waits in the kernel, whose APIC could wake it."""


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Callable[..., Ran]:
    if KernelHyperV.__name__ not in host.hypervisor.capabilities.extensions:
        with pytest.raises(Unsupported) as refused:
            Ran(host, scenario, guest(END), hyperv="kernel")
        pytest.skip(f"{host.hypervisor.capabilities.label}: {refused.value.reason}")
    return lambda *asm: Ran(host, scenario, guest(*asm, END), hyperv="kernel")


def test_a_posted_message_is_an_exit_a_decoded_call_and_a_status(run) -> None:
    ran = run(*IDENTIFY, POST)
    (exit,) = [event.exit for event in ran.exits if isinstance(event.exit, HypercallExit)]
    assert (exit.input, exit.rdx, exit.vtl, exit.rip & ~0xFFF) == (CallCode.PostMessage, INPUT, 0, PLACE)
    assert exit.text in ("vmmcall", "vmcall")
    assert ran.served == [("PostMessage", "INVALID_CONNECTION_ID", 0)]
    assert ran.statuses[0] == HvStatus.INVALID_CONNECTION_ID


def test_parameters_are_read_from_the_guests_memory(run) -> None:
    """Type 0 is no message."""
    ran = run(*IDENTIFY, put(INPUT, 1, 8 << 32), call(CallCode.PostMessage, page=PLACE))
    assert ran.served == [("PostMessage", "INVALID_PARAMETER", 0)]


def test_a_fast_call_has_its_parameters_in_registers(run) -> None:
    """SignalEvent of connection 1, which the kernel knows as little as we do."""
    ran = run(*IDENTIFY, call(1 << 16 | CallCode.SignalEvent, 1, page=PLACE))
    assert ran.served == [("SignalEvent", "INVALID_CONNECTION_ID", 0)]


def test_what_the_kernel_serves_itself_does_not_exit(run) -> None:
    """An unknown call, and the registers: the kernel has an identity, a page and an index of its own."""
    ran = run(*IDENTIFY, call(0x999, page=PLACE), rdmsr(interface.MSR_HYPERCALL, FOUND), rdmsr(0x4000_0002, FOUND + 8))
    assert ran.statuses[0] & 0xFFFF == HvStatus.INVALID_HYPERCALL_CODE
    assert ran.words(FOUND, 2) == [PLACE | 1, 0]
    assert not [event for event in ran.exits if isinstance(event.exit, HypercallExit | MsrExit)]


def test_cpuid_has_the_kernels_leaves(run) -> None:
    ran = run(leaf(0x4000_0001, FOUND))
    assert ran.memory[0x800:0x804] == b"Hv#1"


def test_a_change_of_the_synic_is_told(run) -> None:
    ran = run(wrmsr(0x4000_0080, 1), wrmsr(interface.MSR_SIMP, MESSAGES | 1))
    told = [event.exit for event in ran.exits if isinstance(event.exit, SynicExit)]
    assert [(exit.index, exit.control, exit.event_page, exit.message_page) for exit in told] == [
        (0x4000_0080, 1, 0, 0),
        (interface.MSR_SIMP, 1, 0, MESSAGES | 1),
    ]
    assert all(exit.rip > 0x10000 for exit in told)


def test_the_run_goes_on_behind_the_call_with_all_else_as_it_was(run) -> None:
    ran = run(*IDENTIFY, "mov r12, 77", POST, f"mov rbx, {FOUND:#x}\nmov [rbx], r12\nmov [rbx + 8], rsp")
    assert ran.words(FOUND, 2) == [77, 0x9000]


def test_a_guest_that_looks_for_ours_finds_the_kernels(run) -> None:
    """The lab, with its own end: Hv#1, no VTLs, no page from firmware, and another instruction in its page."""
    asm = check_scenario(LAB.read_bytes()).vcpus[0].asm
    assert asm is not None
    ran = run(asm.replace("hlt", END).replace("vtl1", "above"))
    found = ran.words(0x210000, 6)
    assert found[:4] == [1, int.from_bytes(b"Hv#1", "little"), 0, 0]
    assert found[4] & 0xFFFF == 0x010F
    assert found[5] == 0


def test_it_is_counted_and_shown_like_ours(run, host, scenario) -> None:
    """`ringfence run --json`, and the record that the screen shows."""
    outcome = run_to_end(scenario(vcpus=[{"asm": guest(*IDENTIFY, POST, END)}], hyperv="kernel"), host)
    assert [(one.code, one.status) for one in outcome.hypercalls] == [("PostMessage", "INVALID_CONNECTION_ID")]
    ran = run(*IDENTIFY, POST)
    taken = next(event for event in ran.exits if isinstance(event.exit, HypercallExit))
    record = exit_record(taken, (), ran.of(HypercallServed)[0])
    assert record.call is not None
    assert (record.kind, record.call.name, record.call.rdx, record.call.status) == (
        "hypercall",
        "PostMessage",
        INPUT,
        "INVALID_CONNECTION_ID",
    )
