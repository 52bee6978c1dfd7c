"""What a call may look at. The machine gives it; nothing here changes anything."""

from typing import Protocol

import msgspec

from engine.model.rights import Rights
from engine.vsm.profile import Profile
from engine.vsm.state import PartitionState


class Caller(msgspec.Struct, frozen=True):
    """Who makes the call: a processor, in its active VTL and its present mode."""

    vp: int
    vtl: int
    cpl: int = 0
    real_mode: bool = False


class View(Protocol):
    """The state that a call sees. Reading never fails: what is not there is None."""

    @property
    def profile(self) -> Profile: ...

    @property
    def partition(self) -> PartitionState: ...

    def register(self, vp: int, vtl: int, name: int) -> int | None:
        """An architectural register by its RegisterName, 128 bits; None where this VMM does not keep it."""
        ...

    def cpl(self, vp: int, vtl: int) -> int:
        """The privilege level of the processor in that VTL."""
        ...

    def is_ram(self, gfn: int) -> bool:
        """A page of guest memory: protections can be set on it."""
        ...

    def mask(self, setter: int, target: int, gfn: int) -> Rights:
        """The rights that `setter` leaves to the lower VTL `target`."""
        ...

    def host_rights(self, gfn: int) -> Rights:
        """What the host's own mapping allows to every VTL."""
        ...

    def read_u64(self, gpa: int) -> int | None:
        """Eight bytes of guest memory as the hypervisor reads them; None where there is none."""
        ...


class Memory(Protocol):
    """Guest memory as the calling VTL may use it, for the parameters of a call."""

    def read(self, gpa: int, size: int) -> bytes | None:
        """`size` bytes within one page; None where nothing is mapped or the caller may not read."""
        ...

    def may_write(self, gpa: int) -> bool:
        """Whether the caller may write to the page of `gpa`."""
        ...
