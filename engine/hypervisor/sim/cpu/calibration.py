"""Where this build of Unicorn keeps what its interface does not tell: found by experiment, once, and checked."""

import ctypes
import struct
from functools import lru_cache
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


@lru_cache(maxsize=1)
def lazy_offset() -> int:
    """Where a saved context has cc_dst, cc_src and cc_op: behind RIP and EFLAGS."""
    probe: Any = binding.Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
    probe.reg_write(x86.UC_X86_REG_RIP, _CALIBRATION)
    context = probe.context_save()
    raw = ctypes.string_at(context.context.value, context.size)
    if raw.count(struct.pack("<Q", _CALIBRATION)) != 1:
        raise RuntimeError(f"Unicorn {VERSION}: a saved context does not look as in 2.1.4")
    return raw.index(struct.pack("<Q", _CALIBRATION)) + 16


@lru_cache(maxsize=1)
def counter_offset() -> int:
    """Where the engine counts instructions begun in a run: just before the budget it was given.

    Found by running seven NOPs and HLT; RuntimeError when this build of Unicorn looks different.
    """
    probe: Any = binding.Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
    probe.mem_map(0x1000, 0x1000)
    probe.mem_write(0x1000, b"\x90" * 7 + b"\xf4")
    probe.emu_start(0x1000, 0, 0, _CALIBRATION)
    raw = ctypes.string_at(probe._uch.value, _STRUCTURE)
    found = [at for at in range(0, _STRUCTURE - 8, 8) if struct.unpack_from("<QQ", raw, at) == (8, _CALIBRATION)]
    if len(found) != 1:
        raise RuntimeError(f"Unicorn {VERSION}: the instruction counter is not where 2.1.4 has it")
    return found[0]
