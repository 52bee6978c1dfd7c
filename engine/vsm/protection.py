"""Effective rights: host first, then every higher VTL (TLFS, Memory Protection Hierarchy)."""

from engine.model.rights import Access, Rights
from engine.vsm.view import View


def needed(access: Access, user: bool = False, mbec: bool = False) -> Rights:
    """The right that permits an access. Without MBEC, kernel execute governs both modes (TLFS, Mode Based Execute
    Control)."""
    if access is Access.EXECUTE and user and mbec:
        return Rights.UX
    return access.needs


def mbec_active(view: View, vp: int, vtl: int) -> bool:
    """On this processor."""
    return view.partition.vps[vp].mbec_active(vtl)


def setters(view: View, vtl: int) -> list[int]:
    """The VTLs whose masks bind `vtl`: higher ones that are enabled; none is bound by its own."""
    return [higher for higher in view.partition.enabled_vtls if higher > vtl]


def effective(view: View, vtl: int, gfn: int) -> Rights:
    """What `vtl` may do to a page."""
    rights = view.host_rights(gfn)
    for setter in setters(view, vtl):
        rights &= view.mask(setter, vtl, gfn)
    return rights


def is_own(view: View, vtl: int, gfn: int) -> bool:
    """Whether the VMM may read and write the page for `vtl`. Assist and message pages are the RAM itself, no overlay: a
    VTL could reach through them what a higher one, or the host, keeps from it."""
    return Rights.RW in effective(view, vtl, gfn)


def denied_by(view: View, vtl: int, gfn: int, needs: Rights) -> int | None:
    """The VTL that gets the intercept: the one that set the protection, the lowest of several (TLFS, Nested
    Intercepts). None where no VTL denies any of `needs`."""
    for setter in setters(view, vtl):
        if needs & ~view.mask(setter, vtl, gfn):
            return setter
    return None
