"""Model-specific registers that the simulator keeps, and which values they take (SDM Vol. 4, 2.1; APM Vol. 2, 3.1.7).

Any other is unknown: an exit if those are on, else #GP. Real KVM keeps more, of devices that are not here: its list is
arch/x86/kvm/x86.c, msrs_to_save_base.
"""

from engine.abi import x86
from engine.model.long_mode import is_canonical, is_pat

TSC, PAT, EFER = 0x10, 0x277, 0xC000_0080
_SYSENTER = (0x174, 0x175, 0x176)
STAR, LSTAR, CSTAR, SFMASK = range(0xC000_0081, 0xC000_0085)
_FS_BASE, _GS_BASE, _KERNEL_GS_BASE = range(0xC000_0100, 0xC000_0103)
KEPT = frozenset({TSC, PAT, EFER, *_SYSENTER, STAR, LSTAR, CSTAR, SFMASK, _FS_BASE, _GS_BASE, _KERNEL_GS_BASE})
_ADDRESSES = frozenset({LSTAR, CSTAR, _FS_BASE, _GS_BASE, _KERNEL_GS_BASE})
CR4_BITS = 0xFFF
"""VME to UMIP: what follows must be announced by CPUID, and is not (SDM Vol. 3, 2.5)."""
EFER_BITS = x86.EFER_SCE | x86.EFER_LME | x86.EFER_LMA | x86.EFER_NXE


def takes(index: int, value: int) -> bool:
    """Whether the register, one of KEPT, takes the value in long mode with paging on; else it is #GP."""
    if index in _ADDRESSES:
        return is_canonical(value)
    if index == EFER:
        return not value & ~EFER_BITS and bool(value & x86.EFER_LME)
    if index == PAT:
        return is_pat(value)
    return True
