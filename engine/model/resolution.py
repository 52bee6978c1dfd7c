"""Resolutions: the VMM's answer to an exit (given to Vcpu.resolve)."""

import msgspec


class Complete(msgspec.Struct, frozen=True, gc=False, tag="complete"):
    """Finish the access once.

    On a ProtectionExit without `data`: as if the fence were lifted for this one access (a load reads RAM, a store
    lands in RAM and is marked dirty, a fetch executes that one instruction). With `data`, or on any other exit: the
    bytes a load or IN gets; for a store or OUT, an acknowledgement with no effect on RAM.
    """

    data: bytes | None = None


class Retry(msgspec.Struct, frozen=True, gc=False, tag="retry"):
    """Execute the instruction again from its start, exactly once; nothing of it has happened yet."""


class Drop(msgspec.Struct, frozen=True, gc=False, tag="drop"):
    """The store does not happen; a load or IN gets all ones, as on an unclaimed bus; a denied fetch is skipped over.

    On an MsrExit: a write does nothing, a read gets 0, as with KVM's ignore_msrs.
    """


class Inject(msgspec.Struct, frozen=True, gc=False, tag="inject"):
    """The instruction does not happen; instead the guest takes an exception at its address (SDM Vol. 3, 6.15).

    `vector` 0 to 31; `error_code` exactly for the vectors that push one; `address` goes to CR2 with a #PF.
    """

    vector: int
    error_code: int | None = None
    address: int | None = None


Resolution = Complete | Retry | Drop | Inject
