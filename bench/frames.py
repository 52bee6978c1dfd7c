"""Harvest and encode for a guest of 1,048,576 pages: from the dirty log to the bytes that go to every viewer."""

import random
from collections.abc import Iterator
from contextlib import closing

from bench.figure import Absent, Figure, spent
from bench.guests import hypervisor
from engine.hypervisor.contract.protocols import Vm
from engine.machine.harvest import harvest
from engine.model.address import PAGE_SHIFT
from engine.model.bitmap import pack_bitmap
from engine.model.layout import MAX_RAM
from engine.model.memslot import Memslot, SlotFlags
from engine.model.page_set import PageSet
from engine.model.scenario import HypervisorChoice
from engine.session.frame import Header, bitmap_section, encode_frame

PAGES = MAX_RAM >> PAGE_SHIFT


def measure() -> list[Figure]:
    return [*encoding(), *harvesting("sim"), *_if_there("kvm")]


def patterns() -> dict[str, PageSet]:
    """Which pages are dirty, by name; the random ones from a fixed seed."""
    draw = random.Random(1)
    tenth = PAGES // 10
    return {
        "64 pages": PageSet(draw.sample(range(PAGES), 64)),
        "1 % at random": PageSet(draw.sample(range(PAGES), PAGES // 100)),
        "10 % at random": PageSet(draw.sample(range(PAGES), tenth)),
        "10 % in 16 clusters": PageSet(_clusters(16, tenth // 16)),
    }


def _clusters(count: int, size: int) -> Iterator[int]:
    for start in range(0, PAGES, PAGES // count):
        yield from range(start, start + size)


def encoding() -> Iterator[Figure]:
    for name, pages in patterns().items():
        size = len(encode(pages))
        figure = spent(f"encode {name}", lambda: None, lambda pages=pages: encode(pages))
        yield Figure(figure.name, figure.unit, figure.samples, note=f"{size:,} bytes")


def encode(pages: PageSet) -> bytes:
    """From the harvested set to a frame, as the sampler does."""
    bitmap, packed = pack_bitmap(pages.bitmap(PAGES))
    return encode_frame(Header(0, 1, 0, PAGES, 1, 0, 0), [bitmap_section(bitmap, packed, PAGES)])


def harvesting(choice: HypervisorChoice) -> Iterator[Figure]:
    with closing(hypervisor(choice).create_vm(MAX_RAM)) as vm:
        vm.set_memory_region(Memslot(0, 0, MAX_RAM, 0, SlotFlags.LOG))
        for name, pages in patterns().items():
            figure = spent(f"harvest on {choice}, {name}", lambda pages=pages: dirty(vm, pages), lambda: harvest(vm), 5)
            assert len(collected(vm, pages)) == len(pages)
            yield figure


def dirty(vm: Vm, pages: PageSet) -> None:
    memory = vm.memory()
    for gfn in pages:
        memory.write(gfn << PAGE_SHIFT, b"\1")


def collected(vm: Vm, pages: PageSet) -> PageSet:
    dirty(vm, pages)
    return harvest(vm).pages


def _if_there(choice: HypervisorChoice) -> list[Figure]:
    try:
        return list(harvesting(choice))
    except Absent:
        return []
