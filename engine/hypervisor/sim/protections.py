"""What vCPUs may do to each page: each VTL's mask, and what no kernel has, permissions and attributes of the whole vm.

The three bind together, and are joined when one is set: asking at a TLB miss stays one look-up.
"""

from functools import reduce

import numpy as np

from engine.hypervisor.rights_table import RightsTable
from engine.model.address import PageRange
from engine.model.page_set import PageSet
from engine.model.rights import Access, Rights, rights_text

_KX, _UX = int(Rights.KX), int(Rights.UX)
NEEDS = {access: int(access.needs) for access in Access}
State = tuple[list[bytes], list[bytes], dict[str, bytes]]
"""Masks, what is left, and what binds the whole vm; opaque."""


_MASK_TEXTS = tuple(f"mask {rights_text(Rights(mask))}" for mask in range(int(Rights.RWX) + 1))


def in_ring_3(rights: int) -> int:
    """As rights of ring 0: with MBEC, UX takes the place of KX."""
    return rights & ~_KX | (rights & _UX) >> 1


class Protections:
    """`vtls` VTLs. Names of what binds the whole vm are as in the raw text of an exit."""

    def __init__(self, vtls: int) -> None:
        self.masks = [RightsTable() for _ in range(vtls)]
        self._allowed = self.masks
        self._wide: dict[str, RightsTable] = {}

    def allowed(self, vtl: int, gfn: int) -> int:
        """Rights bits that are left to a vCPU in `vtl`."""
        return self._allowed[vtl].get(gfn)

    def set_mask(self, vtl: int, pages: PageRange | PageSet, rights: int) -> None:
        self.masks[vtl].set(pages, rights)
        if self._allowed is not self.masks:
            self._join(vtl, pages.span)

    def set_wide(self, name: str, pages: PageRange | PageSet, rights: int) -> None:
        """For every VTL, the highest too."""
        if self._allowed is self.masks:
            self._allowed = [RightsTable() for _ in self.masks]
            for allowed, mask in zip(self._allowed, self.masks, strict=True):
                allowed.restore(mask.state())
        self._wide.setdefault(name, RightsTable()).set(pages, rights)
        for vtl in range(len(self.masks)):
            self._join(vtl, pages.span)

    def wide(self, name: str, gfn: int) -> int:
        """RWX where none was set."""
        table = self._wide.get(name)
        return int(Rights.RWX) if table is None else table.get(gfn)

    def denial(self, vtl: int, gfn: int, access: Access) -> str:
        """Which of them deny it, in words."""
        mask = self.masks[vtl].get(gfn)
        if not self._wide:
            return _MASK_TEXTS[mask]
        found = {"mask": mask} | {f"{name} leave": table.get(gfn) for name, table in self._wide.items()}
        denying = [f"{name} {rights_text(Rights(left))}" for name, left in found.items() if not left & NEEDS[access]]
        return ", ".join(denying)

    def state(self) -> State:
        """For a snapshot. Costs by the tables set since the last one."""
        left = [] if self._allowed is self.masks else [table.state() for table in self._allowed]
        return (
            [table.state() for table in self.masks],
            left,
            {name: table.state() for name, table in self._wide.items()},
        )

    def restore(self, state: State) -> None:
        """Space's generation must grow then."""
        masks, left, wide = state
        self._wide = {name: self._wide.get(name, RightsTable()) for name in wide}
        if not left:
            self._allowed = self.masks
        elif self._allowed is self.masks:
            self._allowed = [RightsTable() for _ in left]
        tables = [*self.masks, *(self._allowed if left else []), *self._wide.values()]
        for table, held in zip(tables, [*masks, *left, *wide.values()], strict=True):
            table.restore(held)

    def _join(self, vtl: int, pages: PageRange) -> None:
        tables = [self.masks[vtl], *self._wide.values()]
        left = reduce(np.bitwise_and, [np.frombuffer(table.copy(pages), np.uint8) for table in tables])
        self._allowed[vtl].paste(pages.first, left.tobytes())
