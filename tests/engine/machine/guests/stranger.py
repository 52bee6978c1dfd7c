"""What a stranger in VTL0 may try, one piece of code each: drawn to be wrong in ways that nearly work.

R13 points to where the next thing learnt is stored.
"""

from hypothesis import strategies as st

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, CallCode
from engine.vsm.control import InputValue
from tests.engine.machine.vsm_guest import INPUT, VTL_CALL, put, switch

CODE, SECRETS, LEARNT, MONITOR = 0x210000, 0x214000, 0x216000, 0x218000
PLACES = st.sampled_from(
    [CODE, SECRETS, LEARNT, INPUT, 0x1008, 0x7000, 0x3FF000, *range(MONITOR, MONITOR + 0xC000, 0x1000)]
)
AT = st.builds(int.__add__, PLACES, st.sampled_from([0, 0, 8, 16, 0xFF8]))
WORDS = st.one_of(
    AT,
    st.builds(lambda gpa: gpa >> 12, AT),
    st.builds(lambda gpa: gpa | 1, PLACES),
    st.sampled_from(
        [0, 1, PARTITION_ID_SELF, VP_INDEX_SELF, 0xF, 0x10_0000_000F, 0x11_0000_0000, 0x10 << 32 | VP_INDEX_SELF]
    ),
    st.sampled_from([0x20010, 0x20004, 0xD0007, 0x90013, 0xA0013, 0xA0010, 0x10004, 0x40002]),
    st.integers(0, (1 << 64) - 1),
)
CONTROLS = st.builds(
    InputValue,
    code=st.sampled_from([int(code) for code in CallCode]),
    fast=st.booleans(),
    rep_count=st.integers(0, 3),
    rep_start=st.sampled_from([0, 0, 0, 1]),
).map(InputValue.encode)
MSRS = st.sampled_from([0x4000_0000, 0x4000_0001, 0x4000_0002, 0x4000_0073, 0x4000_0080, 0x4000_0083, 0x4000_0084])


def hypercall(words: list[int], rcx: int, rdx: int, r8: int) -> str:
    registers = f"mov rcx, {rcx:#x}\nmov rdx, {rdx:#x}\nmov r8, {r8:#x}"
    return f"{put(INPUT, *words)}\n{registers}\nmov rax, 0x7000\ncall rax\n{tell('rax')}\n{tell('rdx')}\n{tell('r8')}"


def tell(register: str) -> str:
    """Store what was learnt, one behind the other."""
    return f"mov [r13], {register}\nadd r13, 8"


def wrmsr(msr: int, value: int) -> str:
    return f"mov rcx, {msr:#x}\nmov rax, {value & 0xFFFF_FFFF:#x}\nmov rdx, {value >> 32:#x}\nwrmsr"


def ask(page: int, what: int) -> str:
    return f"mov rdi, {page:#x}\nmov rsi, {what:#x}\n{VTL_CALL}\n{tell('rax')}"


def read(gva: int) -> str:
    return f"mov rbx, {gva:#x}\nxor rax, rax\nmov rax, [rbx]\n{tell('rax')}"


def write(gva: int, value: int) -> str:
    return f"mov rax, {value:#x}\nmov rbx, {gva:#x}\nmov [rbx], rax"


def copy(gva: int) -> str:
    return f"mov rsi, {gva:#x}\nmov rdi, r13\nmov rcx, 2\nrep movsq\nadd r13, 16"


def execute(gva: int) -> str:
    return f"mov rax, {gva:#x}\ncall rax"


def remap(entry: int, gpa: int) -> str:
    """Another 2 MiB page for an entry of the page directory, and a look at it. The first stays: its code is there."""
    entry_set = put(0x3000 + 8 * entry, gpa & ~0x1FFFFF | 0xE3)
    return f"{entry_set}\nmov rax, cr3\nmov cr3, rax\n{read(entry << 21 | gpa & 0x1FFFF8)}"


ABOVE = AT.filter(lambda gpa: gpa >= CODE)
ACTIONS = st.one_of(
    st.builds(read, AT),
    st.builds(write, ABOVE, WORDS),
    st.builds(copy, AT),
    st.builds(execute, ABOVE),
    st.builds(hypercall, st.lists(WORDS, min_size=4, max_size=8), CONTROLS, st.just(INPUT) | WORDS, WORDS),
    st.builds(wrmsr, MSRS, WORDS),
    st.builds(ask, WORDS, st.integers(0, 2)),
    st.builds(remap, st.integers(1, 4), AT),
    st.just(switch(0x20, 1)),
)
