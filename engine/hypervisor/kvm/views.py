"""Guest RAM as one memfd, and each VTL's own mapping of it per memslot, whose page protection is that VTL's mask.

A mapping belongs to a slot, not to the RAM behind it: RAM seen through two slots can have two masks, and a slot that
moves takes the rights of its new pages. KVM follows mprotect through its MMU notifier, no memslot changes.
"""

import ctypes
import errno
import mmap
import os
from collections.abc import Iterable

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm import mappings
from engine.model.address import PAGE_SHIFT
from engine.model.rights import Rights

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_MAP_NORESERVE = 0x4000
_FAILED = ctypes.c_void_p(-1).value
_OPEN = mmap.PROT_READ | mmap.PROT_WRITE
PROTECTION = {Rights.NONE: 0, Rights.R: 0, Rights.RX: mmap.PROT_READ, Rights.RWX: _OPEN}
"""Host protection for each mask that a stock KVM can hold. PROT_EXEC is no part of it: KVM never asks for it.

So that R forbids fetches, the page is closed altogether; its loads leave the guest and are finished by the VMM unseen.
"""


class Ram:
    """`size` bytes in a memfd, zeroed and backed as they are touched; `view` is the VMM's own, never masked."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.fd = os.memfd_create("guest-ram", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, size)
        self._map = mmap.mmap(self.fd, size, mmap.MAP_SHARED | _MAP_NORESERVE)
        self.view = memoryview(self._map)

    def close(self) -> None:
        """The view stays valid while somebody still holds part of it."""
        try:
            self.view.release()
            self._map.close()
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
            raise _host_error("mmap", "size", size)
        self.address: int = address

    def protect(self, first: int, count: int, rights: Rights) -> None:
        """`count` pages from page `first` of the slot."""
        address, size = self.address + (first << PAGE_SHIFT), count << PAGE_SHIFT
        if _libc.mprotect(address, size, PROTECTION[rights]) != 0:
            raise _host_error("mprotect", "address", address)

    def protect_runs(self, runs: Iterable[tuple[int, int, Rights]]) -> None:
        """Runs (first page, count, rights) in ascending order; neighbours with equal rights become one call."""
        pending: tuple[int, int, Rights] | None = None
        for first, count, rights in runs:
            if pending and pending[2] == rights and pending[0] + pending[1] == first:
                pending = (pending[0], pending[1] + count, rights)
                continue
            if pending:
                self.protect(*pending)
            pending = (first, count, rights)
        if pending:
            self.protect(*pending)

    def forget(self) -> None:
        """Drop what was written to a private mapping: it shows RAM again (madvise(2))."""
        if _libc.madvise(self.address, self.size, mmap.MADV_DONTNEED) != 0:
            raise _host_error("madvise", "address", self.address)

    def close(self) -> None:
        _libc.munmap(self.address, self.size)


def _host_error(call: str, argument: str, value: int) -> HypervisorError:
    number = ctypes.get_errno()
    # ENOMEM from mprotect is rarely memory: each run of equal protection is a mapping, and their number is limited.
    return HypervisorError(number, call, argument, value, mappings.rule() if number == errno.ENOMEM else "")
