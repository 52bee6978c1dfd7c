"""An interrupt descriptor table that a guest makes for itself: gates first, what LIDT reads behind them."""

from engine.abi import x86
from engine.hypervisor.contract.vectors import PAGE_FAULT

_LIMIT = 16 * (PAGE_FAULT + 1) - 1
_POINTER = 0x200
"""Where in the table what LIDT reads is."""
GATE = f"""
gate:                       ; RAX handler, RBX its gate
    mov qword ptr [rbx], rax
    mov word ptr [rbx + 2], {x86.CODE_SELECTOR:#x}
    mov word ptr [rbx + 4], {x86.GATE_INTERRUPT << 8:#x}
    shr rax, 16
    mov word ptr [rbx + 6], ax
    shr rax, 16
    mov qword ptr [rbx + 8], rax
    ret"""


def install(table: int, name: str, vector: int) -> str:
    """A gate that leads to the label `name`; GATE must be in the text. Spoils RAX and RBX."""
    return f"    lea rax, [rip + {name}]\n    mov rbx, {table + 16 * vector:#x}\n    call gate"


def load(table: int) -> str:
    """LIDT. Spoils RBX."""
    return f"""    mov rbx, {table:#x}
    mov word ptr [rbx + {_POINTER:#x}], {_LIMIT:#x}
    mov qword ptr [rbx + {_POINTER + 2:#x}], rbx
    lidt [rbx + {_POINTER:#x}]"""
