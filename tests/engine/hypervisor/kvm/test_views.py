"""Mappings of RAM, one per slot, with protections of their own."""

import ctypes
import errno
import mmap
from pathlib import Path

import pytest

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.kvm.mprotect import Numbers
from engine.hypervisor.kvm.partition import KvmVm
from engine.hypervisor.kvm.system import KvmHypervisor
from engine.hypervisor.kvm.views import Ram, View
from engine.model.address import PageRange
from engine.model.memslot import Memslot
from engine.model.rights import Rights

PAGES = 8


def lines(view: View) -> list[str]:
    """Permissions of the view's parts, as /proc/self/maps has them, a letter pair a run."""
    found: list[str] = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if view.address <= first and last <= view.address + view.size:
            found.append(f"{line.split()[1][:2]}{(last - first) >> 12}")
    return found


def test_a_private_view_keeps_what_is_written_to_itself_until_it_forgets() -> None:
    ram = Ram(PAGES << 12)
    view = View(ram, 0, ram.size, private=True)
    ctypes.memset(view.address, 7, 4)
    ram.view[:4] = b"RAM!"
    assert ctypes.string_at(view.address, 4) == bytes([7] * 4)
    view.forget()
    assert ctypes.string_at(view.address, 4) == b"RAM!"
    view.close()
    ram.close()


def test_neighbours_with_equal_rights_are_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    ram = Ram(PAGES << 12)
    view = View(ram, 0, ram.size)
    calls: list[tuple[int, int, int]] = []
    plain = view.protect_runs

    def counted(firsts: Numbers, counts: Numbers, protections: bytes) -> None:
        calls.extend(zip(firsts.tolist(), counts.tolist(), protections, strict=True))
        plain(firsts, counts, protections)

    monkeypatch.setattr(view, "protect_runs", counted)
    view.protect(1, bytes([Rights.RX, Rights.RX, Rights.NONE, Rights.R, Rights.RWX]))
    assert calls == [(1, 2, mmap.PROT_READ), (3, 2, 0), (5, 1, mmap.PROT_READ | mmap.PROT_WRITE)]
    assert lines(view) == ["rw1", "r-2", "--2", "rw3"]
    view.close()
    ram.close()


def test_views_show_the_same_bytes_with_rights_of_their_own() -> None:
    ram = Ram(PAGES << 12)
    first, second = View(ram, 0, 0x2000), View(ram, 0x1000, 0x2000)
    first.protect(0, bytes([Rights.NONE] * 2))
    assert lines(first) == ["--2"]
    assert lines(second) == ["rw2"]
    for view in (first, second):
        view.close()
    ram.close()


@pytest.mark.usefixtures("kvm")
def test_more_runs_than_the_host_has_mappings_is_refused_and_undone() -> None:
    """Every second page fenced: at some page the host has no mapping left. That mask is not set, all before are."""
    limit = int(Path("/proc/sys/vm/max_map_count").read_text())
    if limit > 70_000:
        pytest.skip(f"vm.max_map_count is {limit}: too many calls for a test")
    size = (limit + 4096) << 12
    vm = KvmHypervisor().create_vm(size)
    vm.set_memory_region(Memslot(0, 0, size, 0))
    with pytest.raises(HypervisorError) as refused:
        _fence_every_second_page(vm, size >> 12)
    assert refused.value.errno == errno.ENOMEM
    assert "vm.max_map_count" in refused.value.rule
    fenced = [pages.first for pages, _ in vm.masks(0)]
    assert fenced == list(range(0, 2 * len(fenced), 2))
    assert len(fenced) > limit // 3
    with Path("/proc/self/maps").open() as maps:
        assert sum(1 for _ in maps) < limit - 1000, "nothing is left for the process itself"
    vm.set_mask(0, PageRange(0, size >> 12), Rights.RWX)
    assert vm.masks(0) == []
    vm.close()


def _fence_every_second_page(vm: KvmVm, pages: int) -> None:
    for page in range(0, pages, 2):
        vm.set_mask(0, PageRange(page, 1), Rights.RX)
