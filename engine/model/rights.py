"""What a VTL may do to a page: TLFS HV_MAP_GPA_FLAGS bits 1, 2, 4, 8 (vsm.md, Memory Protections)."""

import re
from enum import IntFlag, StrEnum


class Rights(IntFlag):
    """The rights that are left: R read, W write, KX kernel execute, UX user execute."""

    NONE = 0
    R = 1
    W = 2
    KX = 4
    UX = 8
    RW = R | W
    RX = R | KX | UX
    RWX = R | W | KX | UX


class Access(StrEnum):
    """What an instruction tried to do to memory."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"

    @property
    def needs(self) -> Rights:
        """The right that permits this access to kernel-mode code."""
        return _NEEDS[self]


_NEEDS = {Access.READ: Rights.R, Access.WRITE: Rights.W, Access.EXECUTE: Rights.KX}
_TOKENS = {"R": Rights.R, "W": Rights.W, "KX": Rights.KX, "UX": Rights.UX, "X": Rights.KX | Rights.UX}
_TEXT = re.compile(r"(?:KX|UX|R|W|X|[\s|,-])*")


def parse_rights(text: str) -> Rights:
    """`"RW"`, `"R KX"`, `"RWX"`, `"none"` to Rights; ValueError names the text."""
    if text.strip().lower() in ("none", ""):
        return Rights.NONE
    upper = text.upper()
    if not _TEXT.fullmatch(upper):
        raise ValueError(f"mask {text!r}: write any of R W KX UX, X for both KX and UX, or none")
    found = Rights.NONE
    for token in re.findall(r"KX|UX|R|W|X", upper):
        found |= _TOKENS[token]
    return found


def rights_text(rights: Rights) -> str:
    """The shortest text that parse_rights reads back: `"RWX"`, `"R"`, `"RKX"`, `"none"`."""
    text = ("R" if Rights.R in rights else "") + ("W" if Rights.W in rights else "")
    if rights & Rights.KX and rights & Rights.UX:
        text += "X"
    elif rights & Rights.KX:
        text += "KX"
    elif rights & Rights.UX:
        text += "UX"
    return text or "none"


def is_valid_mask(rights: Rights, mbec: bool = False) -> bool:
    """Whether TLFS allows the mask: W or X need R; without MBEC, KX must equal UX (docs/vtl.md)."""
    if rights == Rights.NONE:
        return True
    if Rights.R not in rights:
        return False
    kernel, user = bool(rights & Rights.KX), bool(rights & Rights.UX)
    # KX without UX stays invalid with MBEC too: undefined in TLFS, refused by openvmm.
    return kernel == user or (mbec and user)
