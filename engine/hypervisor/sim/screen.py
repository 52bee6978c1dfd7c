"""Code pages looked through for instructions that must be guarded, before any of their code is translated.

A page that may be fetched from may not be written without asking, and the other way round: so no store comes between
the look and the translation. Code that has been translated runs on meanwhile, for a store into it is noticed by the
engine; only what is translated anew needs the right to fetch. Where one page has two addresses, giving one of them the
one right takes the other right from both, by a flush.
"""

from typing import Protocol

from engine.hypervisor.sim.ram import Ram
from engine.model.address import PAGE_SHIFT, PAGE_SIZE
from engine.x86.privileged import places


class Watch(Protocol):
    """The core that executes the code."""

    def watch(self, address: int) -> None: ...
    def flush(self) -> None: ...


class Screen:
    """One vCPU's. Addresses once watched stay so: the guard looks at what is there."""

    def __init__(self, ram: Ram) -> None:
        self._ram = ram
        self.core: Watch | None = None
        self._seen: dict[int, set[int]] = {}
        """Pages of RAM that may be fetched from, with the guest-virtual pages that they were looked through at."""
        self._writable: dict[int, int] = {}
        """Those that were, and may be written instead: at which page."""

    def holds(self, page: int) -> bool:
        return page in self._seen

    def passed(self, gva: int, page: int) -> bool:
        return gva >> PAGE_SHIFT in self._seen.get(page, ())

    def fetch(self, gva: int, page: int, written: bool) -> None:
        """About to be fetched from. `written`: it may be writable at some address."""
        number, seen = gva >> PAGE_SHIFT, self._seen.setdefault(page, set())
        if number in seen:
            return
        seen.add(number)
        assert self.core is not None
        for at in places(bytes(self._ram.view[page << PAGE_SHIFT : (page + 1) << PAGE_SHIFT])):
            self.core.watch(number * PAGE_SIZE + at)
        if written and self._writable.pop(page, None) != number:
            self.core.flush()

    def write(self, gva: int, page: int) -> None:
        """About to be writable, and not to be fetched from until it has been looked through again."""
        seen = self._seen.pop(page, None)
        if seen is None:
            return
        self._writable[page] = gva >> PAGE_SHIFT
        if seen != {gva >> PAGE_SHIFT} and self.core is not None:
            self.core.flush()

    def forget(self, page: int) -> None:
        """Somebody else has written to it; the flush is the caller's."""
        self._seen.pop(page, None)
