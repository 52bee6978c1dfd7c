"""A guest that changes its system registers has changed the same ones, to the same values, on both hypervisors."""

import pytest
from msgspec.structs import replace

from engine.model.exits import HltExit
from engine.model.system_registers import SEGMENTS, Segment, SystemRegisters
from tests.engine.hypervisor.guest import Guest

TABLE = 0x00A000
"""A descriptor table: as the guest's own, then a TSS and an LDT of two entries each."""
MCE = 1 << 6
TSS, LDT = 0x18, 0x28
ENTRIES = (
    0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF,
    0x0000_8900_B000_0067, 0, 0x0000_8200_C000_000F, 0,
    0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF,
)  # fmt: skip
USER_DATA, USER_CODE = 0x3B, 0x43
LGDT = f"mov word ptr [rbx], 0x4f\nmov qword ptr [rbx + 2], {TABLE:#x}\nlgdt [rbx]\n"
WRMSR = "mov ecx, {:#x}\nmov eax, {:#x}\nmov edx, {:#x}\nwrmsr\n"
CODES = {
    "nothing": "",
    "CR0": "mov rax, cr0\nxor rax, 0x2a\nmov cr0, rax",
    "CR3": "mov rax, 0x1018\nmov cr3, rax",
    "CR4": "mov rax, cr4\nor rax, 0x84\nmov cr4, rax",
    "CR8": "mov eax, 9\nmov cr8, rax",
    "CLTS": "mov rax, cr0\nor rax, 8\nmov cr0, rax\nclts",
    "LMSW": "mov eax, 0x3b\nlmsw ax",
    "LGDT": LGDT,
    "LIDT": "mov word ptr [rbx], 0xfff\nmov [rbx + 2], rbx\nlidt [rbx]",
    "LTR": f"{LGDT}mov eax, {TSS:#x}\nltr ax",
    "LLDT": f"{LGDT}mov eax, {LDT:#x}\nlldt ax",
    "no LDT": "xor eax, eax\nlldt ax",
    "null segments": "xor eax, eax\nmov ds, ax\nmov es, ax\nmov fs, ax\nmov gs, ax",
    "segments of data": f"{LGDT}mov eax, 0x10\nmov ds, ax\nmov ss, ax\nmov eax, {USER_DATA:#x}\nmov es, ax\nmov fs, ax",
    "a far return": f"{LGDT}push 8\nlea rax, [rbx + 0x100]\nmov dword ptr [rax], 0xf4\npush rax\n.byte 0x48, 0xcb",
    "FS and GS base": WRMSR.format(0xC000_0100, 0x1000, 5) + WRMSR.format(0xC000_0101, 0x2000, 6),
    "SWAPGS": WRMSR.format(0xC000_0102, 0x3000, 7) + "swapgs",
    "EFER": WRMSR.format(0xC000_0080, 0xD01, 0),
    "PAT": WRMSR.format(0x277, 0x0007_0406, 0x0007_0401),
    "STAR to SFMASK": "".join(WRMSR.format(0xC000_0081 + n, 0x1000 * n + 0x700, n) for n in range(4)),
    "SYSENTER": "".join(WRMSR.format(0x174 + n, 0x1000 * n + 8, 0) for n in range(3)),
}


def _after(guest: Guest, code: str) -> SystemRegisters:
    guest.memory.write(TABLE, b"".join(entry.to_bytes(8, "little") for entry in ENTRIES))
    guest.load(f"{code}\nhlt", rbx=Guest.DATA)
    assert isinstance(guest.vcpu.run(), HltExit)
    return guest.vcpu.system_registers(0)


def _defined(registers: SystemRegisters) -> SystemRegisters:
    """Without the limit of a segment that is not there, and CR4.MCE (docs/differences.md 38). An LDT of no entry is
    none: what QEMU's processor, that of the lane, has after LLDT of null."""
    absent = {name: getattr(registers, name) for name in SEGMENTS if not getattr(registers, name).present}
    shown = {name: replace(one, limit=0) for name, one in absent.items()}
    if not registers.ldtr.limit:
        shown["ldtr"] = Segment()
    return replace(registers, cr4=registers.cr4 & ~MCE, **shown)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_what_a_guest_sets_is_the_same(kvm: Guest, sim: Guest, code: str) -> None:
    found = _after(kvm, code), _after(sim, code)
    assert _defined(found[0]) == _defined(found[1])
    for guest, registers in zip((kvm, sim), found, strict=True):
        guest.vcpu.set_system_registers(0, registers)
        assert _defined(guest.vcpu.system_registers(0)) == _defined(registers)
