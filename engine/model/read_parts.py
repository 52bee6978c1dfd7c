"""Parts of a scenario that stand in more than one place: slots and masks, also scripted."""

from engine.model.address import PAGE_SIZE
from engine.model.layout import SYSTEM_SIZE
from engine.model.memslot import Memslot, SlotFlags
from engine.model.node import Node
from engine.model.rights import Rights, is_valid_mask, parse_rights

POLICIES = ("complete", "drop", "halt", "relax", "inject", "intercept")
HIGHEST_SLOT = 32763
"""KVM_CAP_NR_MEMSLOTS is 32764 on x86."""


def read_slot(node: Node, *besides: str) -> Memslot:
    """A memslot; `offset` is where in RAM its backing starts, the base when not given."""
    found = node.fields("slot", "base", "size", "offset", "flags", *besides, required=("slot", "base", "size"))
    base = found["base"].size(step=PAGE_SIZE) if "base" in found else 0
    return Memslot(
        slot=found["slot"].number(0, HIGHEST_SLOT) if "slot" in found else 0,
        base=base,
        size=found["size"].size(least=PAGE_SIZE, step=PAGE_SIZE) if "size" in found else PAGE_SIZE,
        offset=found["offset"].size(step=PAGE_SIZE) if "offset" in found else base,
        flags=_flags(found["flags"]) if "flags" in found else 0,
    )


def _flags(node: Node) -> int:
    bits = {"log": SlotFlags.LOG, "readonly": SlotFlags.READONLY}
    flags = 0
    for item in node.items(len(bits)):
        flags |= bits[item.choice(*bits)]
    return int(flags)


def read_rights(node: Node) -> int:
    if not isinstance(node.value, str):
        node.wrong("must be any of R W KX UX, X for both KX and UX, or none")
        return int(Rights.RWX)
    try:
        rights = parse_rights(node.value)
    except ValueError as error:
        node.wrong(str(error))
        return int(Rights.RWX)
    if not is_valid_mask(rights):
        node.wrong("no hypervisor has this mask: W and X need R, and KX and UX go together (TLFS, without MBEC)")
    return int(rights)


def read_pages(node: Node, ram: int, *besides: str) -> tuple[int, int, int, int]:
    """base, pages, rights, vtl of a mask, within the guest and outside the system area; `besides` are other fields."""
    found = node.fields("vtl", "base", "pages", "mask", *besides, required=("base", "pages", "mask"))
    base = found["base"].size(step=PAGE_SIZE) if "base" in found else SYSTEM_SIZE
    pages = found["pages"].number(1, ram // PAGE_SIZE) if "pages" in found else 1
    if "base" in found and base < SYSTEM_SIZE:
        found["base"].wrong(
            f"is in the system area, below {SYSTEM_SIZE:#x}: the guest's page tables and code are there"
        )
    elif base + pages * PAGE_SIZE > ram:
        node.wrong(f"ends at {base + pages * PAGE_SIZE:#x}, past the guest's RAM of {ram:#x}")
    rights = read_rights(found["mask"]) if "mask" in found else int(Rights.RWX)
    return base, pages, rights, found["vtl"].number(0, 0) if "vtl" in found else 0
