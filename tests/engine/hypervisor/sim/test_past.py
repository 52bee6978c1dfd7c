"""The tree of pasts against plain copies of the whole."""

from mmap import mmap

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hypervisor.sim.past import Past, Pasts
from engine.model.address import PAGE_SIZE

PAGES = 4
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, PAGES - 1), st.integers(0, 255)),
        st.tuples(st.just("take"), st.just(0), st.just(0)),
        st.tuples(st.just("go"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("drop"), st.integers(0, 9), st.just(0)),
    ),
    max_size=40,
)


def _write(ram: mmap, pasts: Pasts, page: int, value: int) -> None:
    pasts.keep(page)
    ram[page * PAGE_SIZE] = value


@given(steps)
@settings(max_examples=200)
def test_every_past_can_be_gone_to_from_everywhere(steps: list[tuple[str, int, int]]) -> None:
    ram = mmap(-1, PAGES * PAGE_SIZE)
    pasts, kept = Pasts(ram), list[tuple[Past, bytes]]()
    for name, which, value in steps:
        if name == "write":
            _write(ram, pasts, which, value)
        elif name == "take":
            kept.append((pasts.take(), bytes(ram)))
        elif kept and name == "go":
            past, content = kept[which % len(kept)]
            before = bytes(ram)
            changed = pasts.go_to(past)
            assert bytes(ram) == content
            differing = {page for page in range(PAGES) if before[page * PAGE_SIZE] != content[page * PAGE_SIZE]}
            assert differing <= changed
        elif kept:
            del kept[which % len(kept)]


def test_nothing_is_kept_for_nobody() -> None:
    ram = mmap(-1, PAGES * PAGE_SIZE)
    pasts = Pasts(ram)
    _write(ram, pasts, 0, 1)
    assert pasts.kept is None
    first, second = pasts.take(), pasts.take()
    del second
    assert pasts.wants(0)
    _write(ram, pasts, 0, 2)
    assert not pasts.wants(0)
    assert pasts.go_to(first) == {0}
    assert ram[0] == 1
    del first
    assert pasts.kept is None
