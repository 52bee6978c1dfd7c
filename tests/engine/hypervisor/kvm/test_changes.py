"""What changed while a vCPU was in the guest: needs no KVM."""

from hypothesis import given
from hypothesis import strategies as st

from engine.hypervisor.kvm.changes import REMEMBERED, REMEMBERED_BYTES, Changes
from engine.model.address import PAGE_SIZE
from engine.model.memslot import Memslot
from engine.model.rights import Access

regions = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3)), max_size=12)


@given(regions, st.integers(0, 12), st.integers(0, 9))
def test_a_page_was_void_if_a_slot_there_came_or_went_since(
    changed: list[tuple[int, int]], since: int, gfn: int
) -> None:
    changes = Changes()
    for first, pages in changed:
        changes.slot_absent(Memslot(1, first * PAGE_SIZE, pages * PAGE_SIZE, 0))
    expected = any(first <= gfn < first + pages for first, pages in changed[since:])
    assert changes.void_since(since, gfn) == expected


def test_a_mask_that_was_lifted_since_still_denies() -> None:
    changes = Changes()
    changes.mask_changed(0, 7, b"\x0f\x01")
    assert changes.denied_since(0, 0, 8, Access.WRITE)
    assert not changes.denied_since(0, 0, 8, Access.READ)
    assert not changes.denied_since(0, 0, 7, Access.WRITE)
    assert not changes.denied_since(0, 1, 8, Access.WRITE)
    assert not changes.denied_since(1, 0, 8, Access.WRITE)


def test_what_is_remembered_is_bounded_by_number_and_by_size() -> None:
    changes = Changes()
    for _ in range(REMEMBERED + 1):
        changes.mask_changed(0, 0, b"\0")
    assert not changes.denied_since(0, 0, 1, Access.READ)
    assert changes.denied_since(0, 0, 0, Access.READ)
    half = REMEMBERED_BYTES // 2 + 1
    changes.mask_changed(0, 1, bytes(half))
    assert changes.denied_since(0, 0, half, Access.READ)
    changes.mask_changed(0, 1, b"\x0f" * half)
    assert not changes.denied_since(0, 0, half, Access.READ)
