"""VTL call and return, a denied store told to VTL1 and back, and hypercalls on 1 and 510 pages, through a machine;
beside the kernel alone."""

import ctypes
import fcntl
import mmap
from collections.abc import Callable
from contextlib import closing
from itertools import cycle
from time import perf_counter

from msgspec.structs import replace

from bench.bare import KVM_RUN, BareGuest
from bench.figure import Absent, Figure, beside
from bench.guests import forget, hypervisor
from engine.machine.build import build
from engine.machine.machine import Machine
from engine.machine.program import check_scenario
from engine.model.address import PageRange
from engine.model.page_set import PageSet
from engine.model.rights import Rights
from engine.model.scenario import HypervisorChoice
from tests.engine.machine.vsm_guest import MESSAGES, PAGE, SETUP, WITH_PAGES, fence, guest, protect, switch
from tests.peers.absent import kvm_absent

AT_ONCE = 64
"""Reps that one exit serves, profile `tlfs`; a call of more is made again by the guest (docs/vtl.md)."""
MOST = 510
"""Pages whose list, with its header, fills one page."""
RAM = 16 << 20
FIRST = 0x400
"""gfn of the pages that are fenced."""
LISTS = {Rights.RX: 0x300000, Rights.RWX: 0x302000}
SWITCHES = (*SETUP, "again:", switch(0x10), "jmp again")
RETURNS = ("back:", switch(0x20, 1), "jmp back")
STORES = (*SETUP, switch(0x10), f"mov rdi, {PAGE:#x}", "again:", "mov [rdi], rax", "jmp again")
HANDLER = (f"mov r14, {MESSAGES:#x}", "back:", "mov dword ptr [r14], 0", switch(0x20, 1), "jmp back")
"""Takes the message, and returns: the store is denied again."""
CALLS = {"1 page": [FIRST], "510 pages in a row": [FIRST + n for n in range(MOST)]}
CALLS["510 pages, every second"] = [FIRST + 2 * n for n in range(MOST)]


def measure() -> list[Figure]:
    figures = [figure for choice in ("kvm", "sim") if not absent(choice) for figure in on(choice)]
    if not figures:
        raise Absent("neither hypervisor is here")
    return figures


def absent(choice: HypervisorChoice) -> bool:
    return choice == "kvm" and bool(kvm_absent())


def on(choice: HypervisorChoice) -> list[Figure]:
    figures = [beside_kernel(figure, 2, [], choice) for figure in (switches(choice), intercepts(choice))]
    for name, gfns in CALLS.items():
        figures.append(beside_kernel(hypercalls(choice, name, gfns), exits_of(gfns), runs_of(gfns), choice))
    return [figure for pair in figures for figure in pair]


def beside_kernel(figure: Figure, exits: int, runs: list[PageRange], choice: HypervisorChoice) -> list[Figure]:
    """On KVM with what the kernel alone takes for so many exits and changes of a mapping; ratio to that."""
    if choice != "kvm":
        return [figure]
    alone = kernel(f"  kernel alone: {exits} OUT, {len(runs)} mprotect", exits, runs, len(figure.samples))
    share = min(1.0, alone.median / figure.median)
    return [replace(beside(figure, alone), note=f"{share:.0%} of it is the kernel's"), alone]


def kernel(name: str, exits: int, runs: list[PageRange], repeat: int) -> Figure:
    """Bare ioctls, and mprotect on RAM of a memslot, which KVM must follow."""
    protect, turn = ctypes.CDLL(None).mprotect, cycle((mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE))
    with closing(BareGuest()) as bare:
        start = bare.add_ram(RAM) if runs else 0
        ranges = [(ctypes.c_void_p(start + run.base), ctypes.c_size_t(run.size)) for run in runs]

        def once() -> None:
            for _ in range(exits):
                fcntl.ioctl(bare.vcpu, KVM_RUN)
            rights = next(turn)
            for address, size in ranges:
                protect(address, size, rights)

        return rounds(name, once, repeat)


def runs_of(gfns: list[int]) -> list[PageRange]:
    """What a machine changes with one mprotect each: the runs of each stretch."""
    stretches = [PageSet(gfns[at : at + AT_ONCE]) for at in range(0, len(gfns), AT_ONCE)]
    return [run for stretch in stretches for run in stretch.runs()]


def exits_of(gfns: list[int]) -> int:
    return -(-len(gfns) // AT_ONCE)


def switches(choice: HypervisorChoice) -> Figure:
    """VTL0 calls, VTL1 returns at once: two exits a round."""
    machine = machine_of(choice, guest(*SWITCHES, vtl1=RETURNS))
    with closing(machine.vm):
        take(machine, 3)  # both set-up calls and the first VTL call
        assert machine.vcpus[0].vtl == 1
        return rounds(f"{choice}: VTL call and return", lambda: take(machine, 2), 2000)


def intercepts(choice: HypervisorChoice) -> Figure:
    """A denied store, VTL1's handler, VTL return: two exits a round. The message is written each time."""
    prepare = (*WITH_PAGES, protect(), fence(Rights.R, PAGE >> 12))
    machine = machine_of(choice, guest(*STORES, vtl1=(*prepare, *HANDLER)), on_protection="intercept")
    with closing(machine.vm):
        take(machine, 3 + len(prepare) + 1)  # as above, VTL1's own calls and its first return
        assert machine.vcpus[0].vtl == 0
        return rounds(f"{choice}: denied store, VTL1's handler and back", lambda: take(machine, 2), 2000)


def hypercalls(choice: HypervisorChoice, name: str, gfns: list[int]) -> Figure:
    """ModifyVtlProtectionMask in its slow form by VTL1, which takes W from VTL0 and gives it back in turn."""
    calls = [f"mov rcx, {len(gfns) << 32 | 0x0C:#x}\nmov rdx, {at:#x}\nmov r8, 0\ncall r10" for at in LISTS.values()]
    machine = machine_of(choice, guest(protect(), "mov r10, 0x7000\nagain:", *calls, "jmp again"), vtl=1)
    with closing(machine.vm):
        for rights, at in LISTS.items():
            words = (2**64 - 1, rights | 0x10 << 32, *gfns)
            machine.vm.memory(1).write(at, b"".join(word.to_bytes(8, "little") for word in words))
        each = exits_of(gfns)
        take(machine, 1 + each)
        assert {machine.vm.mask(0, gfn) for gfn in gfns} == {Rights.RX}
        return rounds(f"{choice}: hypercall, {name}", lambda: take(machine, each), 2000 if each == 1 else 300)


def machine_of(choice: HypervisorChoice, asm: str, vtl: int = 0, **fields: object) -> Machine:
    text = {"name": "bench", "ram": RAM, "slots": [{"slot": 0, "base": 0, "size": RAM}], **fields}
    return build(hypervisor(choice), check_scenario({**text, "vcpus": [{"asm": asm, "vtl": vtl}]}), forget)


def take(machine: Machine, exits: int) -> None:
    """So many exits, each answered as a session answers it, without a log."""
    vcpu = machine.vcpus[0]
    for _ in range(exits):
        machine.ready(vcpu)
        machine.take(vcpu, vcpu.run())


def rounds(name: str, call: Callable[[], object], repeat: int) -> Figure:
    """Microseconds of each round."""
    for _ in range(repeat // 10):
        call()
    samples: list[float] = []
    for _ in range(repeat):
        start = perf_counter()
        call()
        samples.append((perf_counter() - start) * 1e6)
    return Figure(name, "us", tuple(samples))
