"""Guest RAM as one memfd, and each VTL's own mapping of it per memslot, whose page protection is that VTL's mask.

A mapping belongs to a slot, not to the RAM behind it: RAM seen through two slots can have two masks, and a slot that
moves takes the rights of its new pages. KVM follows mprotect through its MMU notifier, no memslot changes.
"""

import ctypes
import errno
import mmap
import os

import numpy as np

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm import mappings
from engine.hypervisor.kvm.mprotect import Numbers, mprotect
from engine.model.address import PAGE_SHIFT
from engine.model.rights import Rights

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_MAP_NORESERVE = 0x4000
_FAILED = ctypes.c_void_p(-1).value
_OPEN = mmap.PROT_READ | mmap.PROT_WRITE
PROTECTION = {Rights.NONE: 0, Rights.R: 0, Rights.RX: mmap.PROT_READ, Rights.RWX: _OPEN}
"""Host protection for each mask that a stock KVM can hold. PROT_EXEC is no part of it: KVM never asks for it.

So that R forbids fetches, the page is closed altogether; its loads leave the guest and are finished by the VMM unseen.
"""

_PROTECTIONS = bytes(PROTECTION.get(Rights(mask), _OPEN) for mask in range(256))
_NEVER = np.uint8(0xFF)
_SHIFT = np.uint64(PAGE_SHIFT)


def protections(rights: bytes) -> bytes:
    """The host protection of each page, a byte each, from its rights."""
    return rights.translate(_PROTECTIONS)


class Ram:
    """`size` bytes in a memfd, zeroed and backed as they are touched; `view` is the VMM's own, never masked, and `map`
    the same for reading a few bytes at less cost."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.fd = os.memfd_create("guest-ram", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, size)
        self.map = mmap.mmap(self.fd, size, mmap.MAP_SHARED | _MAP_NORESERVE)
        self.view = memoryview(self.map)

    def close(self) -> None:
        """The view stays valid while somebody still holds part of it."""
        try:
            self.view.release()
            self.map.close()
        except BufferError:
            pass
        os.close(self.fd)


class View:
    """One VTL's mapping of one slot's bytes; `address` is what KVM gets as userspace_addr.

    A `private` one keeps what is written there to itself.
    """

    def __init__(self, ram: Ram, offset: int, size: int, private: bool = False) -> None:
        self.size = size
        flags = (mmap.MAP_PRIVATE if private else mmap.MAP_SHARED) | _MAP_NORESERVE
        address = _libc.mmap(None, size, _OPEN, flags, ram.fd, offset)
        if address == _FAILED or address is None:
            raise _host_error(ctypes.get_errno(), "mmap", "size", size)
        self.address: int = address

    def protect(self, first: int, rights: bytes) -> None:
        """The rights of each page from page `first` of the slot, a byte each; neighbours in one call where they can."""
        hosts = np.frombuffer(protections(rights), np.uint8)
        starts = np.flatnonzero(np.diff(hosts, prepend=_NEVER)).astype(np.uint64)
        counts = np.diff(starts, append=np.uint64(len(rights)))
        self.protect_runs(starts + np.uint64(first), counts, hosts[starts].tobytes())

    def protect_runs(self, firsts: Numbers, counts: Numbers, protections: bytes) -> None:
        """Host protection, a byte each, of runs of `counts` pages from the slot's pages `firsts` on; a call each."""
        try:
            mprotect((firsts << _SHIFT) + np.uint64(self.address), counts << _SHIFT, protections)
        except OSError as error:
            raise _host_error(error.errno or 0, "mprotect", "address", self.address) from error

    def forget(self) -> None:
        """Drop what was written to a private mapping: it shows RAM again (madvise(2))."""
        if _libc.madvise(self.address, self.size, mmap.MADV_DONTNEED) != 0:
            raise _host_error(ctypes.get_errno(), "madvise", "address", self.address)

    def close(self) -> None:
        _libc.munmap(self.address, self.size)


def _host_error(number: int, call: str, argument: str, value: int) -> HypervisorError:
    # ENOMEM from mprotect is rarely memory: each run of equal protection is a mapping, and their number is limited.
    return HypervisorError(number, call, argument, value, mappings.rule() if number == errno.ENOMEM else "")
