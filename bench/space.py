"""The simulator's space alone, without an emulator: harvest of a guest of 1 TiB, masks on 100,000 pages."""

import random
import tracemalloc

from bench.figure import Figure, spent
from engine.hypervisor.sim.space import Space
from engine.model.address import PAGE_SHIFT
from engine.model.layout import MAX_RAM
from engine.model.memslot import Memslot, SlotFlags
from engine.model.page_set import PageSet
from engine.model.rights import Rights

TIB = 1 << 40
PAGES = TIB >> PAGE_SHIFT
MASKED = 100_000
MASKABLE = MAX_RAM >> PAGE_SHIFT


def measure() -> list[Figure]:
    return [*harvests(), *mask_changes()]


def harvests() -> list[Figure]:
    return [harvest(f"harvest of {PAGES:,} pages, {name}", dirty) for name, dirty in written().items()]


def written() -> dict[str, list[int]]:
    """Page numbers by what to call them; the random ones from a fixed seed."""
    draw = random.Random(1)
    return {
        "none dirty": [],
        "1,000 at random": draw.sample(range(PAGES), 1_000),
        "100,000 at random": draw.sample(range(PAGES), 100_000),
        "one of each 32,768": list(range(0, PAGES, 32_768)),
    }


def harvest(name: str, dirty: list[int]) -> Figure:
    space = Space(TIB, 2)
    space.set_memory_region(Memslot(0, 0, TIB, 0, int(SlotFlags.LOG)))

    def write() -> None:
        for gfn in dirty:
            space.mark_dirty(gfn)

    figure = spent(name, write, lambda: space.get_dirty_log(0), 9)
    tracemalloc.start()
    write()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert PageSet.of_bitmap(space.get_dirty_log(0)) == PageSet.of_bits(sum_of_bits(dirty))
    return Figure(
        figure.name, figure.unit, figure.samples, note=f"{held * 8 / PAGES:.2f} bits a page held; at most 50 ms"
    )


def sum_of_bits(pages: list[int]) -> int:
    """Bit n for each page n."""
    bitmap = bytearray(PAGES // 8)
    for page in pages:
        bitmap[page >> 3] |= 1 << (page & 7)
    return int.from_bytes(bitmap, "little")


def mask_changes() -> list[Figure]:
    """Over as much as a guest can address."""
    space = Space(MAX_RAM, 2)
    space.set_memory_region(Memslot(0, 0, MAX_RAM, 0))
    return [
        mask_change(space, f"mask on {MASKED:,} pages, {name}", PageSet.of_bits(sum_of_bits(pages)))
        for name, pages in patterns().items()
    ]


def patterns() -> dict[str, list[int]]:
    draw = random.Random(1)
    return {
        "one run": list(range(MASKED)),
        "every second": list(range(0, 2 * MASKED, 2)),
        "every tenth": list(range(0, 10 * MASKED, 10)),
        "at random": draw.sample(range(MASKABLE), MASKED),
    }


def mask_change(space: Space, name: str, pages: PageSet) -> Figure:
    figure = spent(
        name,
        lambda: space.set_mask(0, pages, Rights.RWX),
        lambda: space.set_mask(0, pages, Rights.RX),
    )
    assert len(space.masks(0)) == len(list(pages.runs()))
    space.set_mask(0, pages, Rights.RWX)
    return Figure(figure.name, figure.unit, figure.samples, note="at most 10 ms")
