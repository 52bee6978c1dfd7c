"""Where this build of Unicorn keeps what its interface does not tell: found by experiment, once, and checked."""

import ctypes
import os
import struct
from functools import lru_cache
from operator import itemgetter
from typing import Any

import unicorn
from unicorn import unicorn_const as uc
from unicorn import x86_const as x86
from unicorn.unicorn_py3 import unicorn as binding

VERSION = f"{unicorn.UC_VERSION_MAJOR}.{unicorn.UC_VERSION_MINOR}.{unicorn.UC_VERSION_PATCH}"
LAZY = struct.Struct("<QQ8xI")
"""cc_dst, cc_src and cc_op in a saved context."""
_CALIBRATION = 0x12_3457
"""A number no other in the engine's structure is likely to equal."""
_STRUCTURE = 2400
_HFLAGS, _SEGMENTS, _SEGMENT, _GDT = 32, 40, 24, 8
"""Behind cc_dst: hflags, then the segments; bytes of one, and which one is the GDT (QEMU, CPUX86State)."""
_CPU, _REACH = 0x400, 1 << 17
"""As much of the engine's CPU as its pointer to the registers is looked for in; they lie within its reach behind it."""
GENERAL = ("RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", *(f"R{n}" for n in range(8, 16)))
"""As the engine numbers them."""
_DEBUG_REGISTERS = struct.pack("<4Q", *(_CALIBRATION + 0x100 * n for n in range(4)))


@lru_cache(maxsize=1)
def lazy_offset() -> int:
    """Where a saved context has cc_dst, cc_src and cc_op: behind RIP and EFLAGS."""
    probe = _probe(b"")
    probe.reg_write(x86.UC_X86_REG_RIP, _CALIBRATION)
    return _only(_saved(probe), struct.pack("<Q", _CALIBRATION), "a saved context") + 16


@lru_cache(maxsize=1)
def segments_offset() -> int:
    """Where a saved context has ES, CS, SS, DS, FS, GS, LDT, TR, GDT and IDT, 24 bytes each; hflags is 8 before."""
    probe = _probe(b"")
    probe.reg_write(x86.UC_X86_REG_GDTR, (0, _CALIBRATION, 0x77, 0))
    found = _only(_saved(probe), struct.pack("<QI", _CALIBRATION, 0x77), "a saved segment") - _GDT * _SEGMENT - 8
    if found != lazy_offset() + _SEGMENTS:
        raise _strange("the segments")
    return found


@lru_cache(maxsize=1)
def exception_offset() -> int:
    """Where a saved context has error_code and exception_is_int, and 112 bytes on old_exception.

    Checked by loading DS with a selector beyond the GDT: #GP with that selector.
    """
    probe = _probe(b"\x8e\xd8")
    for n, value in enumerate(struct.unpack("<4Q", _DEBUG_REGISTERS)):
        probe.reg_write(getattr(x86, f"UC_X86_REG_DR{n}"), value)
    probe.reg_write(x86.UC_X86_REG_RAX, 0x1230)
    probe.hook_add(uc.UC_HOOK_INTR, _stop)
    probe.emu_start(0x1000, 0, 0, 1)
    raw = _saved(probe)
    found = _only(raw, _DEBUG_REGISTERS, "the debug registers") - 16
    if struct.unpack_from("<ii", raw, found) != (0x1230, 0) or struct.unpack_from("<i", raw, found + 112) != (13,):
        raise _strange("the pending exception")
    return found


@lru_cache(maxsize=1)
def task_priority_offset() -> int:
    """Where a saved context has the byte that MOV to CR8 sets; found by setting it to 11, 4 and 13."""
    probe = _probe(b"\x44\x0f\x22\xc0" * 3)
    found: list[bytes] = []
    for n, value in enumerate((11, 4, 13)):
        probe.reg_write(x86.UC_X86_REG_RAX, value)
        probe.emu_start(0x1000 + 4 * n, 0, 0, 1)
        # Not where the value came from.
        probe.reg_write(x86.UC_X86_REG_RAX, 0)
        found.append(_saved(probe))
    places = [at for at, values in enumerate(zip(*found, strict=True)) if values == (11, 4, 13)]
    if len(places) != 1:
        raise _strange("the task priority")
    return places[0]


@lru_cache(maxsize=1)
def address_offset() -> int:
    """Where the engine keeps the linear address of the access that was refused last."""
    probe = _probe(b"\x8a\x00")
    probe.reg_write(x86.UC_X86_REG_RAX, _CALIBRATION)
    try:
        probe.emu_start(0x1000, 0, 0, 1)
    except binding.UcError:
        raw = ctypes.string_at(probe._uch.value, _STRUCTURE)
        return _only(raw, struct.pack("<Q", _CALIBRATION), "the address at fault")
    raise _strange("an access to nothing")


@lru_cache(maxsize=1)
def counter_offset() -> int:
    """Where the engine counts instructions begun in a run: just before the budget it was given.

    Found by running seven NOPs and HLT; RuntimeError when this build of Unicorn looks different.
    """
    probe = _probe(b"\x90" * 7 + b"\xf4")
    probe.emu_start(0x1000, 0, 0, _CALIBRATION)
    raw = ctypes.string_at(probe._uch.value, _STRUCTURE)
    return _only(raw, struct.pack("<QQ", 8, _CALIBRATION), "the instruction counter")


@lru_cache(maxsize=1)
def cr3_offset() -> int:
    """Where a saved context has CR3."""
    probe = _probe(b"")
    probe.reg_write(x86.UC_X86_REG_CR3, _CALIBRATION << 12)
    return _only(_saved(probe), struct.pack("<Q", _CALIBRATION << 12), "CR3")


@lru_cache(maxsize=1)
def general_offset() -> int:
    """Where a saved context has the general registers, by their numbers, with RIP and the system's flags behind."""
    found = _only(_saved(_numbered(0)), _general_values(0), "the general registers")
    if found + 8 * len(GENERAL) + 16 != lazy_offset():
        raise _strange("RIP")
    return found


def live_address(handle: int) -> int:
    """Where the engine has its registers in use: each at the same offset from there as in a saved context."""
    to_cpu, to_registers = _way_to_registers()
    return _word_at(_word_at(handle + to_cpu) + to_registers) - general_offset()


@lru_cache(maxsize=1)
def _way_to_registers() -> tuple[int, int]:
    """Where the engine's structure has the address of its CPU, and where that has the address of the registers.

    What else lies in memory may look like it: it does not in each of several engines, or begins before the CPU.
    """
    probes = {number: _numbered(number) for number in range(1, 4)}
    common = set[tuple[int, int]].intersection(*(_ways(probe, number) for number, probe in probes.items()))
    if not common:
        raise _strange("the registers in use")
    return min(common, key=itemgetter(1))


def _ways(probe: Any, number: int) -> set[tuple[int, int]]:
    values = _general_values(number)
    return {
        (at, inside)
        for at, cpu in _words(ctypes.string_at(probe._uch.value, _STRUCTURE))
        for inside, registers in _words(_peek(cpu, _CPU))
        if 0 < registers - cpu < _REACH and _peek(registers, len(values)) == values
    }


def _words(raw: bytes) -> list[tuple[int, int]]:
    """(offset, value)."""
    return [(8 * n, value) for n, (value,) in enumerate(struct.iter_unpack("<Q", raw[: len(raw) & ~7]))]


def _word_at(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def _peek(address: int, size: int) -> bytes:
    """What is there, empty where nothing is: a pipe refuses an address at which reading would end the process."""
    output, input = os.pipe()
    try:
        done = _WRITE(input, address, size)
        return os.read(output, size) if done == size else b""
    finally:
        os.close(output)
        os.close(input)


_WRITE: Any = ctypes.CDLL(None).write
_WRITE.argtypes, _WRITE.restype = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t), ctypes.c_ssize_t


def _numbered(number: int) -> Any:
    """With a value of its own in each general register."""
    probe = _probe(b"")
    for name, (value,) in zip(GENERAL, struct.iter_unpack("<Q", _general_values(number)), strict=True):
        probe.reg_write(getattr(x86, f"UC_X86_REG_{name}"), value)
    return probe


def _general_values(number: int) -> bytes:
    return struct.pack("<16Q", *(_CALIBRATION + number << 32 | n for n in range(len(GENERAL))))


def _probe(code: bytes) -> Any:
    probe: Any = binding.Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
    probe.mem_map(0x1000, 0x1000)
    probe.mem_write(0x1000, code)
    return probe


def _stop(probe: Any, _vector: int, _data: Any) -> None:
    probe.emu_stop()


def _saved(probe: Any) -> bytes:
    context = probe.context_save()
    return ctypes.string_at(context.context.value, context.size)


def _only(raw: bytes, value: bytes, what: str) -> int:
    found = [at for at in range(0, len(raw) - len(value) + 1, 8) if raw.startswith(value, at)]
    if len(found) != 1:
        raise _strange(what)
    return found[0]


def _strange(what: str) -> RuntimeError:
    return RuntimeError(f"Unicorn {VERSION}: {what}: not as in 2.1.4")
