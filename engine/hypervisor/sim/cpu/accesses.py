"""Memory as the engine asks for it: each TLB miss goes to the software EPT, each access to scratch is told."""

import ctypes
from typing import Any

from unicorn import unicorn_const as uc
from unicorn.unicorn_py3 import unicorn as binding

from engine.hypervisor.sim.stop import Watcher
from engine.model.rights import Access

_ACCESS = {uc.UC_MEM_READ: Access.READ, uc.UC_MEM_WRITE: Access.WRITE, uc.UC_MEM_FETCH: Access.EXECUTE}
_FILL = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p
)
"""The binding's own makes objects of the addresses, a tenth of a microsecond each."""


class Accesses:
    """Hooks on `engine`, for `watcher`. `scratch` is (address, size)."""

    def __init__(self, engine: Any, scratch: tuple[int, int], watcher: Watcher) -> None:
        self.identity = False
        """Whether guest addresses are RAM's own offsets, whatever page tables and rights say."""
        self.failure: BaseException | None = None
        """What the watcher raised in this run: an exception cannot pass through C."""
        self._watcher = watcher
        self._entry_at, self._entry = 0, binding.uc_tlb_entry()
        """Where the engine had room for the last answer: on the stack, nearly always at the same place."""
        self._scratch, size = scratch
        memory = uc.UC_HOOK_MEM_READ | uc.UC_HOOK_MEM_WRITE
        # Without the binding's two wrappers, which cost more than the call itself: a miss comes with every first write.
        engine._Uc__do_hook_add(uc.UC_HOOK_TLB_FILL, _FILL(self._on_fill), 1, 0)
        # By its range this hook sees scratch alone: RAM accesses cost nothing more.
        engine.hook_add(memory, self._on_scratch, begin=self._scratch, end=self._scratch + size - 1)

    def _on_fill(self, _engine: int, gva: int, access: int, entry_at: int, _data: int) -> bool:
        try:
            found = (gva, uc.UC_PROT_ALL) if self.identity else self._watcher.fill(gva, _ACCESS[access])
        except BaseException as failure:
            self.failure = failure
            return False
        if found is None:
            return False
        if entry_at != self._entry_at:
            self._entry_at, self._entry = entry_at, binding.uc_tlb_entry.from_address(entry_at)
        self._entry.paddr, self._entry.perms = found
        return True

    def _on_scratch(self, _uc: Any, access: int, address: int, size: int, _value: int, _data: Any) -> bool:
        try:
            self._watcher.touched(_ACCESS[access], address - self._scratch, size)
        except BaseException as failure:
            self.failure = failure
        return True
