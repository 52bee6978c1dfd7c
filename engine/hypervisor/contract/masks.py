"""Which masks a VTL's pages may be given, the same rule for every hypervisor (TLFS, HvCallModifyVtlProtectionMask)."""

import errno

from engine.hypervisor.contract.errors import HypervisorError
from engine.model.address import PAGE_SHIFT, PageRange
from engine.model.layout import MAX_RAM
from engine.model.page_set import PageSet
from engine.model.rights import Rights, is_valid_mask

_CALL = "set_mask"
_PAGES = MAX_RAM >> PAGE_SHIFT


def require_mask(vtl: int, vtls: int, pages: PageRange | PageSet, rights: Rights) -> None:
    """EINVAL: a VTL that is not there, the highest one, pages that cannot be fenced, or a mask that no TLFS has."""
    require_vtl(_CALL, vtl, vtls)
    if vtl == vtls - 1:
        raise HypervisorError(errno.EINVAL, _CALL, "vtl", vtl, "no higher VTL to restrict the highest")
    require_pages(_CALL, pages)
    if not (0 <= int(rights) <= int(Rights.RWX) and is_valid_mask(rights, mbec=True)):
        raise HypervisorError(errno.EINVAL, _CALL, "rights", int(rights), "not a mask TLFS allows")


def require_vtl(call: str, vtl: int, vtls: int) -> None:
    """EINVAL: it is not there."""
    if not 0 <= vtl < vtls:
        raise HypervisorError(errno.EINVAL, call, "vtl", vtl, f"this vm has VTLs 0 to {vtls - 1}")


def require_pages(call: str, pages: PageRange | PageSet) -> None:
    """EINVAL: pages that no rights can be set of."""
    span = pages.span
    if span.first < 0 or span.count < 0 or span.stop > _PAGES:
        raise HypervisorError(errno.EINVAL, call, "pages", str(span), f"within {MAX_RAM:#x} bytes of guest memory")
