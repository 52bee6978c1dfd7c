"""What each VTL may do to each guest page, and how many mappings that takes of a process."""

from collections.abc import Generator
from contextlib import contextmanager

import numpy as np

from engine.hypervisor.rights_table import RightsTable
from engine.model.address import PageRange
from engine.model.page_set import PageSet


class MaskTable(RightsTable):
    """Rights of one VTL by gfn."""

    def __init__(self) -> None:
        super().__init__()
        self.touched = False
        """Whether any mask was ever set: until then nobody need look."""
        self.edges = 0
        """Pages whose rights differ from those of the page before."""

    def set(self, pages: PageRange | PageSet, rights: int) -> None:
        with self._counted(pages.span):
            super().set(pages, rights)
        self.touched = True

    def paste(self, first: int, rights: bytes) -> None:
        with self._counted(PageRange(first, len(rights))):
            super().paste(first, rights)

    @contextmanager
    def _counted(self, pages: PageRange) -> Generator[None]:
        around = slice(max(pages.first - 1, 0), pages.stop + 1)
        before = self._edges(around)
        yield
        self.edges += self._edges(around) - before

    def _edges(self, around: slice) -> int:
        found = np.frombuffer(self._rights[around], np.uint8)
        return int(np.count_nonzero(found[1:] != found[:-1]))
