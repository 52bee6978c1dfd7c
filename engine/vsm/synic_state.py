"""The synthetic interrupt controller that each VTL has on each processor (TLFS, SynIC MSRs), as far as messages go."""

import msgspec

from engine.abi.tlfs import interface
from engine.abi.tlfs.synic import SINT_RESET, SINTS


class Synic(msgspec.Struct, frozen=True, kw_only=True):
    """As at creation and reset: off, no message page, all sources masked, nothing queued."""

    control: int = 0
    """HV_X64_MSR_SCONTROL; its reserved bits are kept as written (RsvdP)."""
    message_page: int = 0
    """HV_X64_MSR_SIMP."""
    sources: tuple[int, ...] = (SINT_RESET,) * SINTS
    """HV_X64_MSR_SINT0 to 15."""
    waiting: tuple[bytes, ...] = ()
    """Messages for SINT0 that wait until its slot is empty, in order."""

    @property
    def enabled(self) -> bool:
        return bool(self.control & interface.SCONTROL_ENABLE)

    @property
    def message_gfn(self) -> int | None:
        """The message page; None where it is not enabled."""
        return self.message_page >> 12 if self.message_page & interface.SIMP_ENABLE else None
