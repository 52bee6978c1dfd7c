"""Instructions of ring 0 that set or read the processor's own registers: which one, and with what value. And
those of any ring that a hypervisor must look at as well: CPUID, RDTSC, CMPXCHG8B."""

import re
from functools import lru_cache

import iced_x86 as iced
import msgspec

from engine.model.registers import NAMES, Registers
from engine.x86.decode import MAX_LENGTH, decode_raw

_OPERATION = re.compile(
    rb"\x0f(?:[\x05\x22\x23\x30-\x33\xa2]|\x00[\x18-\x1f\x58-\x5f\x98-\x9f\xd8-\xdf]|\x01\xf9|\xc7[\x08-\x0f\x48-\x4f\x88-\x8f])"
)
_CUT_OFF = re.compile(rb"\x0f[\x00\x01\xc7]?\Z")
"""What may go on in the next page."""
_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3" + bytes(range(0x40, 0x50)))
_NAMES = {
    iced.Mnemonic.RDMSR: "rdmsr",
    iced.Mnemonic.WRMSR: "wrmsr",
    iced.Mnemonic.RDPMC: "rdpmc",
    iced.Mnemonic.SYSCALL: "syscall",
    iced.Mnemonic.LTR: "ltr",
    iced.Mnemonic.MOV: "mov",
    iced.Mnemonic.CPUID: "cpuid",
    iced.Mnemonic.RDTSC: "rdtsc",
    iced.Mnemonic.RDTSCP: "rdtscp",
    iced.Mnemonic.CMPXCHG8B: "cmpxchg8b",
    iced.Mnemonic.CMPXCHG16B: "cmpxchg16b",
}


class Privileged(msgspec.Struct, frozen=True, gc=False):
    """`name`: mov, or else the mnemonic; `target` the register that is set (cr0, dr7, ...), `source`
    the general register it comes from, empty for memory."""

    name: str
    length: int
    target: str = ""
    source: str = ""

    def value(self, registers: Registers) -> int | None:
        """What the source holds; None when it is in memory."""
        return int(getattr(registers, self.source)) if self.source else None


def places(page: bytes) -> set[int]:
    """Where in the page one of these may start, by its bytes: each that does is found, and some data as well."""
    found = {match.start() for match in _OPERATION.finditer(page)}
    cut = _CUT_OFF.search(page)
    found.add(cut.start() if cut else len(page))
    for start in list(found):
        at = start - 1
        while at >= max(0, start - MAX_LENGTH) and page[at] in _PREFIXES:
            found.add(at)
            at -= 1
    return found - {len(page)}


@lru_cache(maxsize=1024)
def privileged(code: bytes) -> Privileged | None:
    """The instruction at the start of `code`, if it is one of these."""
    found = decode_raw(code, 0)
    if found is None or found.mnemonic not in _NAMES:
        return None
    name = _NAMES[found.mnemonic]
    if found.op_count == 0:
        return Privileged(name, found.len)
    target = found.op0_register if found.op0_kind == iced.OpKind.REGISTER else iced.Register.NONE
    if name == "mov" and not (iced.RegisterExt.is_cr(target) or iced.RegisterExt.is_dr(target)):
        return None
    source = target if name == "ltr" else found.op1_register
    full = iced.RegisterExt.full_register(source)
    return Privileged(name, found.len, _REGISTERS.get(target, ""), _GENERAL.get(full, ""))


_GENERAL = {int(getattr(iced.Register, name.upper())): name for name in NAMES[:-2]}
_REGISTERS = {
    int(getattr(iced.Register, f"{kind}{n}")): f"{kind}{n}".lower() for kind in ("CR", "DR") for n in range(9)
}
