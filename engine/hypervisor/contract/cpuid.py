"""Which tables of CPUID leaves a vCPU may be given, the same rule for every hypervisor."""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.model.cpuid import CpuidLeaf

MAX_LEAVES = 256
_CALL = "set_cpuid"


def require_table(leaves: tuple[CpuidLeaf, ...]) -> None:
    """EINVAL: a leaf twice (one without index is for all), more than 256, or a number that is not of 32 bits."""
    if len(leaves) > MAX_LEAVES:
        raise HypervisorError(errno.EINVAL, _CALL, "leaves", len(leaves), f"at most {MAX_LEAVES}")
    seen: dict[int, set[int | None]] = {}
    for leaf in leaves:
        for name in leaf.__struct_fields__:
            value = getattr(leaf, name)
            if value is not None and not 0 <= value < 1 << 32:
                raise HypervisorError(errno.EINVAL, _CALL, name, value, "32 bits")
        others = seen.setdefault(leaf.function, set())
        if leaf.index in others or (others and None in {leaf.index, *others}):
            raise HypervisorError(errno.EINVAL, _CALL, "function", leaf.function, "a leaf is there twice")
        others.add(leaf.index)
