"""Where the kernel puts a dirty log, and the request that says so: made once and used again for each."""

import numpy as np
import numpy.typing as npt

from engine.abi.kvm import DirtyLog
from engine.hypervisor.kvm.vm_fd import VmFd

_RULE = "a slot that is there and logged, in an address space that is there, while no dirty ring is on"
Words = npt.NDArray[np.uint64]


class LogBuffer:
    """Grows to the longest log asked for. What `fill` returns is good until the next one."""

    def __init__(self) -> None:
        self._words: Words = np.zeros(0, np.uint64)
        self._request = DirtyLog()

    def fill(self, vm: VmFd, slot: int, words: int) -> Words:
        """The log of a slot that has `words` 64-bit words of it; without manual protection that clears it."""
        if words > len(self._words):
            self._words = np.zeros(words, np.uint64)
            self._request.dirty_bitmap = self._words.ctypes.data
        self._request.slot = slot
        vm.get_dirty_log(self._request, ("slot", slot, _RULE))
        return self._words[:words]
