"""Code that changes: which vCPU has executed or may write which page of RAM.

Each vCPU translates code for itself and notices its own stores into it, but neither those of another vCPU nor the
VMM's. So a fetch and a first write are noted by page (they pass the fill). A write to a page that another vCPU has
executed makes that page stale there: its translations go before that vCPU runs next. The writer gives up its cached
right to write such a page after the run, so that the next run's write is noticed as well.
"""


class CodePages:
    """One byte a page each for executed and written: bit i is vCPU i."""

    def __init__(self, pages: int, vcpus: int) -> None:
        self._executed = bytearray(pages)
        self._written = bytearray(pages)
        self._stale: list[set[int]] = [set() for _ in range(vcpus)]
        self._due = 0
        """Bit i: vCPU i must `take`."""

    def fetched(self, vcpu: int, page: int) -> None:
        me = 1 << vcpu
        if not self._executed[page] & me:
            self._executed[page] |= me
            # Whoever may write it without asking must ask from now on.
            self._due |= self._written[page] & ~me

    def written(self, vcpu: int, page: int) -> None:
        me = 1 << vcpu
        self._written[page] |= me
        others = self._executed[page] & ~me
        if others:
            self._spoil(page, others)
            self._due |= me

    def host_wrote(self, page: int) -> None:
        """The VMM stored into RAM, past every emulator."""
        if self._executed[page]:
            self._spoil(page, self._executed[page])

    def has_written(self, vcpu: int, page: int) -> bool:
        return bool(self._written[page] >> vcpu & 1)

    def may_write(self, vcpu: int, page: int) -> bool:
        """Whether a write is noted already and is nobody else's concern."""
        return bool(self._written[page] >> vcpu & 1) and not self._executed[page] & ~(1 << vcpu)

    def take(self, vcpu: int) -> set[int] | None:
        """Pages whose translations this vCPU must forget, and then flush its TLB, before it runs; None: it need not."""
        me = 1 << vcpu
        if not self._due & me:
            return None
        stale, self._stale[vcpu] = self._stale[vcpu], set()
        for page in stale:
            self._executed[page] &= ~me
        self._due &= ~me
        return stale

    def _spoil(self, page: int, vcpus: int) -> None:
        self._due |= vcpus
        for vcpu in range(vcpus.bit_length()):
            if vcpus >> vcpu & 1:
                self._stale[vcpu].add(page)
