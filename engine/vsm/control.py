"""The two 64-bit values of every hypercall (TLFS, Hypercall Inputs and Hypercall Outputs), decoded without loss."""

import msgspec

from engine.abi.tlfs import interface
from engine.vsm.layout import bits, of_bits


class InputValue(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """RCX of a call. `reserved` holds bits 30:27, 47:44 and 63:60, in this order from its lowest bit."""

    code: int
    fast: bool = False
    variable_header: int = 0
    """Quadwords behind the fixed header."""
    nested: bool = False
    rep_count: int = 0
    rep_start: int = 0
    reserved: int = 0

    @classmethod
    def decode(cls, value: int) -> "InputValue":
        """From the low 64 bits of `value`."""
        raw = of_bits(interface.InputValue, value)
        return cls(
            code=raw.code,
            fast=bool(raw.fast),
            variable_header=raw.variable_header_size,
            nested=bool(raw.nested),
            rep_count=raw.rep_count,
            rep_start=raw.rep_start,
            reserved=raw.reserved1 | raw.reserved2 << 4 | raw.reserved3 << 8,
        )

    def encode(self) -> int:
        return bits(
            interface.InputValue,
            code=self.code,
            fast=self.fast,
            variable_header_size=self.variable_header,
            nested=self.nested,
            rep_count=self.rep_count,
            rep_start=self.rep_start,
            reserved1=self.reserved,
            reserved2=self.reserved >> 4,
            reserved3=self.reserved >> 8,
        )


class ResultValue(msgspec.Struct, frozen=True, gc=False):
    """RAX after a call. `reserved` holds bits 31:16 and 63:44, in this order."""

    status: int
    reps: int = 0
    """Reps completed in all, from the first of the list on."""
    reserved: int = 0

    @classmethod
    def decode(cls, value: int) -> "ResultValue":
        """From the low 64 bits of `value`."""
        raw = of_bits(interface.ResultValue, value)
        return cls(raw.status, raw.reps_completed, raw.reserved1 | raw.reserved2 << 16)

    def encode(self) -> int:
        return bits(
            interface.ResultValue,
            status=self.status,
            reps_completed=self.reps,
            reserved1=self.reserved,
            reserved2=self.reserved >> 16,
        )
