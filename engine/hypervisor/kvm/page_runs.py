"""The runs of a set of pages as arrays, for a system call a run."""

import numpy as np

from engine.hypervisor.kvm.mprotect import Numbers
from engine.hypervisor.rights_table import chosen
from engine.model.page_set import PageSet


def page_runs(pages: PageSet) -> tuple[Numbers, Numbers]:
    """(first gfn, number of pages) of each maximal run, ascending. Costs by the span, whatever the pattern."""
    edges = np.diff(chosen(pages), prepend=np.uint8(0), append=np.uint8(0))
    edges = np.flatnonzero(edges).astype(np.uint64) + np.uint64(pages.span.first)
    starts, stops = edges[::2], edges[1::2]
    return starts, stops - starts
