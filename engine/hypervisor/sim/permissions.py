"""KVM_SET_MEMORY_REGION_PERM and KVM_SET_MEMORY_ATTRIBUTES as proposed: rights that bind every VTL of the vm."""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.hypervisor.contract.extensions import Attribute
from engine.hypervisor.contract.masks import require_pages
from engine.hypervisor.sim.space import Space
from engine.model.address import PAGE_SIZE, PageRange
from engine.model.page_set import PageSet
from engine.model.rights import Rights

_CALL = "KVM_SET_MEMORY_ATTRIBUTES"
_TAKEN = {Attribute.NR: Rights.R, Attribute.NW: Rights.W, Attribute.NX: Rights.KX | Rights.UX}
_ALL = Attribute.NR | Attribute.NW | Attribute.NX
_GPAS = 1 << 64


class SimPermissions:
    """PermissionBitmap of the contract."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def set_permissions(self, pages: PageRange | PageSet, rights: Rights) -> None:
        readable = Rights.R in rights or Rights.W not in rights
        whole = bool(rights & Rights.KX) == bool(rights & Rights.UX)
        if not (0 <= int(rights) <= int(Rights.RWX) and readable and whole):
            rule = "R, W and X as bits of Rights: no W without R, and KX with UX"
            raise HypervisorError(errno.EINVAL, "set_permissions", "rights", int(rights), rule)
        require_pages("set_permissions", pages)
        self._space.set_wide("permissions", pages, int(rights))

    def permissions(self, gfn: int) -> Rights:
        return Rights(self._space.protections.wide("permissions", gfn))


class SimAttributes:
    """MemoryAttributes of the contract."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def set_memory_attributes(self, address: int, size: int, attributes: int, flags: int = 0) -> None:
        _require(flags == 0, "flags", flags, "must be 0")
        _require(0 <= attributes <= int(_ALL), "attributes", attributes, "NR 1, NW 2 and NX 4 are known")
        left = _left(attributes)
        _require(Rights.R in left or not left, "attributes", attributes, "no W or X may be left without R")
        _require(size > 0 and size % PAGE_SIZE == 0, "size", size, "whole pages, at least one")
        _require(address >= 0 and address % PAGE_SIZE == 0, "address", address, "must be page aligned")
        _require(address + size <= _GPAS, "address", address, "the range wraps")
        pages = PageRange.of(address, size)
        require_pages(_CALL, pages)
        self._space.set_wide("attributes", pages, int(left))

    def memory_attributes(self, gfn: int) -> int:
        left = self._space.protections.wide("attributes", gfn)
        return int(sum(bit for bit, right in _TAKEN.items() if not left & right))


def _left(attributes: int) -> Rights:
    left = Rights.RWX
    for bit, right in _TAKEN.items():
        if attributes & bit:
            left &= ~right
    return left


def _require(held: bool, argument: str, value: int, rule: str) -> None:
    if not held:
        raise HypervisorError(errno.EINVAL, _CALL, argument, value, rule)
