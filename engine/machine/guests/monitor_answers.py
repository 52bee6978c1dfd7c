"""What the monitor may do about a denied access: its code from the log entry on to the emptying of the slot.

RSI has the message, RDI the gpa, RAX the access as logged: 0 read, 1 write, 2 execute. All but these and RCX, RDX are
to be left alone.
"""

SKIP = """
    cmp rax, 2
    je stop                   ; nothing behind an instruction that cannot be fetched
    movzx rax, byte ptr [rsi + 0x14]
    and rax, 15               ; length of the instruction
    add rax, [rsi + 0x28]     ; and its RIP
    mov rdx, skip
    mov [rdx + 32], rax
    mov rcx, 0x100000051      ; SetVpRegisters: RIP of VTL0 behind it
    call hypercall"""
RELAX = """
    mov rdx, one
    shr rdi, 12
    mov [rdx + 16], rdi
    mov rcx, own
    sub rdi, [rcx + 16]
    cmp rdi, {own:#x}
    jb stop                   ; the monitor's own pages are not to be had
    mov dword ptr [rdx + 8], 0xf   ; all rights: the instruction will be done when it starts again
    mov rcx, 0x10000000c      ; ModifyVtlProtectionMask, one rep
    call hypercall"""
FAULT = """
    mov rdx, fault
    mov rcx, 0x100000051      ; SetVpRegisters: an exception waits for VTL0, which takes it at the instruction
    call hypercall"""
STOP = """
    jmp stop"""
ANSWERS = (SKIP, RELAX, FAULT, STOP)
"""By the parameter `answer`."""
