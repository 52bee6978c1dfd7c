"""Which VTL has left what of a page to which lower one. What a vCPU may do is what all of them leave (TLFS, Memory
Protection Hierarchy), and that is the mask of the vm."""

from engine.hypervisor.contract.protocols import Vm
from engine.hypervisor.rights_table import RWX, RightsTable
from engine.machine.operations import Effect, set_masks
from engine.model.address import PAGE_SHIFT, PageRange
from engine.model.events import MaskChanged
from engine.model.page_set import PageSet
from engine.model.rights import Rights

Left = dict[tuple[int, int], PageSet]


class VtlMasks:
    """Of a machine up to VTL `highest`. The VTL right below that one is bound by it alone, so there the vm's masks are
    what it set; of the others there is a table for each VTL above that has set something."""

    def __init__(self, highest: int) -> None:
        self._highest = highest
        self._tables: dict[tuple[int, int], RightsTable] = {}
        """By the VTL that sets and the one that is bound."""

    def get(self, vm: Vm, setter: int, target: int, gfn: int) -> Rights:
        if target == self._highest - 1:
            return vm.mask(target, gfn)
        table = self._tables.get((setter, target))
        return Rights.RWX if table is None else Rights(table.get(gfn))

    def set(self, vm: Vm, setter: int, target: int, pages: PageSet, rights: Rights) -> list[Effect]:
        """What is to be logged: where the rights that are left have been set."""
        if target == self._highest - 1:
            return set_masks(vm, target, pages, rights, 0 if rights == Rights.RWX else setter)
        self._table(setter, target).set(pages, int(rights))
        changes = sorted(self._left(target, pages).items())
        return [effect for (left, by), some in changes for effect in set_masks(vm, target, some, Rights(left), by)]

    def set_default(self, vm: Vm, setter: int, rights: Rights, within: PageSet) -> list[Effect]:
        """Of every lower VTL, where `setter` has left it all."""
        found: list[Effect] = []
        for target in range(setter):
            found += self.set(vm, setter, target, within - self._fenced(vm, setter, target), rights)
        return found

    def overrule(self, effects: list[Effect]) -> None:
        """The VMM has set masks by itself, whatever VTLs had set: they count as those of the next higher VTL."""
        for fields in (fields for kind, fields in effects if kind is MaskChanged):
            target, pages = fields["vtl"], PageRange(fields["first"], fields["pages"])
            if target < self._highest - 1:
                for _, table in self._binding(target):
                    table.set(pages, RWX)
                self._table(target + 1, target).set(pages, fields["rights"])

    def _table(self, setter: int, target: int) -> RightsTable:
        return self._tables.setdefault((setter, target), RightsTable())

    def _binding(self, target: int) -> list[tuple[int, RightsTable]]:
        """With their setters, the lowest first."""
        return sorted((setter, table) for (setter, bound), table in self._tables.items() if bound == target)

    def _fenced(self, vm: Vm, setter: int, target: int) -> PageSet:
        runs = vm.masks(target) if target == self._highest - 1 else self._table(setter, target).restricted()
        return PageSet.of_bits(sum(PageSet.of_range(run).bits for run, _ in runs))

    def _left(self, target: int, pages: PageSet) -> Left:
        """The pages by what all VTLs above leave of them, and the lowest of those that take something."""
        left: Left = {(RWX, 0): pages}
        for setter, table in self._binding(target):
            for first, count, rights in table.runs(pages.span):
                if rights != RWX:
                    left = _narrowed(left, PageSet.of_range(PageRange(first, count)), rights, setter)
        return {key: some for key, some in left.items() if some}


def _narrowed(left: Left, where: PageSet, rights: int, setter: int) -> Left:
    found = {key: some - where for key, some in left.items()}
    for (had, lowest), some in left.items():
        key = had & rights, lowest or setter
        found[key] = found.get(key, PageSet()) | (some & where)
    return found


def guest_pages(ram: int, besides: PageRange) -> PageSet:
    """All of RAM, whether a slot is there now or not."""
    return PageSet.of_range(PageRange(0, ram >> PAGE_SHIFT)) - PageSet.of_range(besides)
