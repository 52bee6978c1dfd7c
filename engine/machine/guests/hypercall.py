"""The three ways through a hypercall page, for guests to call; each spoils RAX."""

from engine.model.layout import VTL_CALL_OFFSET, VTL_RETURN_OFFSET


def calls(page: int) -> str:
    """Through the page at this gpa."""
    return f"""
hypercall:                    ; RCX: input value, RDX and R8: parameters. RAX: the result value
    mov rax, {page:#x}
    jmp rax
vtl_call:                     ; comes back when VTL1 returns
    mov rcx, 0                ; control input: reserved
    mov rax, {page + VTL_CALL_OFFSET:#x}
    jmp rax
vtl_return:                   ; RCX: 1 for a fast one, which leaves RAX and RCX. Comes back when VTL1 is entered again
    mov rax, {page + VTL_RETURN_OFFSET:#x}
    jmp rax"""
