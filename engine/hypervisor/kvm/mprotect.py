"""mprotect(2) of many ranges, one call each: the kernel has none that takes a list.

The arguments are laid out beforehand and the calls made by `map`, with no Python between them: after each system call
the interpreter's code is cold, and a loop in Python takes a fifth longer (measured).
"""

import ctypes
from threading import Lock

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]
_AT_ONCE = 64
# PyDLL keeps the interpreter's lock over a call of 3 us: letting go of it for each took a tenth longer (measured).
# Looked up apart from the attribute, so that no argument types are declared: ctypes values pass faster without.
_mprotect = ctypes.PyDLL(None)["mprotect"]
_telling = ctypes.CDLL(None, use_errno=True)["mprotect"]
_lock = Lock()
"""The kernel lets one thread of a process change mappings at a time anyway."""
_room = bytearray(2 * 8 * _AT_ONCE)
_addresses, _sizes = np.frombuffer(_room, np.uint64).reshape(2, _AT_ONCE)
_pointers = [ctypes.c_void_p.from_buffer(_room, 8 * n) for n in range(_AT_ONCE)]
_lengths = [ctypes.c_size_t.from_buffer(_room, 8 * (n + _AT_ONCE)) for n in range(_AT_ONCE)]


def mprotect(addresses: Numbers, sizes: Numbers, protections: bytes) -> None:
    """`protections` are PROT_* bits, a byte a range. OSError of the first range that the kernel refuses; those before
    it are done."""
    for start in range(0, len(protections), _AT_ONCE):
        some = slice(start, min(start + _AT_ONCE, len(protections)))
        with _lock:
            _addresses[: some.stop - start], _sizes[: some.stop - start] = addresses[some], sizes[some]
            refused = any(map(_mprotect, _pointers, _lengths, protections[some]))
        if refused:
            _again(addresses[some], sizes[some], protections[some])


def _again(addresses: Numbers, sizes: Numbers, protections: bytes) -> None:
    """Done twice, a range is as when done once; this time the errno is kept."""
    for address, size, protection in zip(addresses.tolist(), sizes.tolist(), protections, strict=True):
        if _telling(ctypes.c_void_p(address), ctypes.c_size_t(size), protection):
            number = ctypes.get_errno()
            raise OSError(number, f"mprotect({address:#x}, {size:#x}, {protection})")
