"""What VTLs have set, against a list with a value a page: what is left is what all above leave."""

from functools import reduce
from operator import and_

from hypothesis import given
from hypothesis import strategies as st

from engine.hypervisor.sim.partition import SimHypervisor
from engine.machine.operations import Effect, set_mask
from engine.machine.vsm_masks import VtlMasks
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.events import MaskChanged
from engine.model.page_set import PageSet
from engine.model.rights import Rights

PAGES, VTLS = 16, 4
PAIRS = [(setter, target) for setter in range(VTLS) for target in range(setter)]
rights = st.sampled_from([0x0, 0x1, 0x3, 0x9, 0xD, 0xF]).map(Rights)
sets = st.sets(st.integers(0, PAGES - 1)).map(PageSet)
by_vtls = st.tuples(st.sampled_from(PAIRS), sets, rights)
by_the_vmm = st.tuples(st.integers(0, VTLS - 2), st.integers(0, PAGES - 4), rights)
defaults = st.tuples(st.integers(1, VTLS - 1), rights)
Model = dict[tuple[int, int], list[Rights]]
Shown = tuple[Rights, int]
"""Of a page: its rights, and who has taken the others."""


def follow(shown: list[list[Shown]], effects: list[Effect]) -> None:
    for kind, fields in effects:
        assert kind is MaskChanged
        for gfn in range(fields["first"], fields["first"] + fields["pages"]):
            shown[fields["vtl"]][gfn] = Rights(fields["rights"]), fields.get("setter", 0)


@given(st.lists(by_vtls | by_the_vmm | defaults, max_size=8))
def test_what_is_left_is_what_all_vtls_above_leave(deeds: list[tuple[object, ...]]) -> None:
    vm = SimHypervisor().create_vm(PAGES * PAGE_SIZE, VTLS)
    masks, shown = VtlMasks(VTLS - 1), [[(Rights.RWX, 0)] * PAGES for _ in range(VTLS)]
    model: Model = {pair: [Rights.RWX] * PAGES for pair in PAIRS}
    try:
        for deed in deeds:
            match deed:
                case ((int(setter), int(target)), PageSet() as pages, Rights() as left):
                    follow(shown, masks.set(vm, setter, target, pages, left))
                    _put(model[setter, target], pages, left)
                case (int(target), int(first), Rights() as left):
                    effects = [set_mask(vm, target, PageRange(first, 4), left)]
                    masks.overrule(effects)
                    follow(shown, effects)
                    for setter in range(target + 1, VTLS):
                        _put(model[setter, target], PageRange(first, 4), left if setter == target + 1 else Rights.RWX)
                case (int(setter), Rights() as left):
                    follow(shown, masks.set_default(vm, setter, left, PageSet(range(PAGES))))
                    for target in range(setter):
                        of_pair = model[setter, target]
                        _put(of_pair, PageSet(n for n, had in enumerate(of_pair) if had == Rights.RWX), left)
                case _:
                    raise AssertionError(deed)
        for setter, target in PAIRS:
            assert [masks.get(vm, setter, target, gfn) for gfn in range(PAGES)] == model[setter, target]
        for target in range(VTLS - 1):
            above = [model[setter, target] for setter in range(target + 1, VTLS)]
            left = [reduce(and_, page) for page in zip(*above, strict=True)]
            assert [vm.mask(target, gfn) for gfn in range(PAGES)] == left == [rights for rights, _ in shown[target]]
            assert all(by in (0, _lowest(model, target, gfn)) for gfn, (_, by) in enumerate(shown[target]))
            assert all(by for rights, by in shown[target] if rights != Rights.RWX) or any(map(_is_the_vmms, deeds))
    finally:
        vm.close()


def _lowest(model: Model, target: int, gfn: int) -> int:
    """The lowest VTL that leaves less than all."""
    takes = (setter for setter in range(target + 1, VTLS) if model[setter, target][gfn] != Rights.RWX)
    return next(takes, 0)


def _is_the_vmms(deed: tuple[object, ...]) -> bool:
    return len(deed) == 3 and isinstance(deed[0], int)


def _put(page_rights: list[Rights], pages: PageSet | PageRange, left: Rights) -> None:
    for gfn in pages:
        page_rights[gfn] = left
