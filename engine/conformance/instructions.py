"""Instructions of every shape that touches memory, with the accesses each makes and what it leaves."""

import msgspec

OLD = 0x1111111111111111
"""What the fenced page is full of."""
VALUE = 0x8877665544332211
"""RAX; RBX and RDI point at the page."""


class Case(msgspec.Struct, frozen=True):
    """`accesses`: (access, offset from PAGE, size) of the exits, in order; `after`: the word at PAGE when completed."""

    name: str
    assembly: str
    accesses: list[tuple[str, int, int]]
    after: int = OLD
    locked: bool = False


STORES = [
    Case("mov", "mov [rbx], rax", [("write", 0, 8)], VALUE),
    Case("mov byte", "mov byte ptr [rbx], 0x22", [("write", 0, 1)], 0x1111111111111122),
    Case("inc", "inc qword ptr [rbx]", [("write", 0, 8)], OLD + 1),
    Case("add", "add dword ptr [rbx], 1", [("write", 0, 4)], OLD + 1),
    Case("lock inc", "lock inc qword ptr [rbx]", [("write", 0, 8)], OLD + 1, locked=True),
    Case("xchg", "xchg [rbx], rax", [("write", 0, 8)], VALUE, locked=True),
    Case("push", "lea rsp, [rbx+8]\npush rax", [("write", 0, 8)], VALUE),
    Case("call", "lea rsp, [rbx+8]\ncall next\nnext:", [("write", 0, 8)], 0x10009),
    Case("rep stosb", "mov ecx, 3\nmov al, 0x99\nrep stosb", [("write", n, 1) for n in range(3)], 0x1111111111999999),
    Case("movsq", "lea rsi, [rbx+0x1000]\nmovsq", [("write", 0, 8)], 0x3333333333333333),
    Case("crossing in", "mov [rbx-4], rax", [("write", 0, 4)], 0x1111111188776655),
    Case("crossing out", "mov [rbx+0xffc], rax", [("write", 0xFFC, 4)]),
]
LOADS = [
    Case("mov", "mov rcx, [rbx]", [("read", 0, 8)]),
    Case("cmp", "cmp byte ptr [rbx], 1", [("read", 0, 1)]),
    Case("pop", "mov rsp, rbx\npop rcx", [("read", 0, 8)]),
    Case("inc", "inc qword ptr [rbx]", [("read", 0, 8), ("write", 0, 8)], OLD + 1),
    Case("lock inc", "lock inc qword ptr [rbx]", [("read", 0, 8), ("write", 0, 8)], OLD + 1, locked=True),
    Case("store", "mov [rbx], rax", [("write", 0, 8)], VALUE),
    Case("crossing", "mov rcx, [rbx+0xffc]", [("read", 0xFFC, 4)]),
]
