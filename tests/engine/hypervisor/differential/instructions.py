"""Instructions that random guests are made of, as text with places to fill in.

`{m}` is a memory operand, `{r8}` to `{r64}` a data register, `{i}` a number, `{s}` a size, `{c}` a condition, `@` the
number of the block, for its labels. RCX counts repetitions and R15 rounds, so data never goes there: guests end.

Left out, by their rows of docs/differences.md: `lock neg`, `rcl`, `rcr` and 32-bit `cmpxchg` (17), `cmps` (18), what
kernels that emulate cannot do (20), `rep ins` (21), `clflush` (22); and the clock, `rdtsc` (2).
"""

from hypothesis import strategies as st

BASES = ["rbx", "rbp"]
OFFSETS = [0, 8, 0x100, 0xFF8, 0xFFC, 0xFFD, 0xFFF, -1, -4, -8]
REGISTERS = {
    "8": ["al", "dl", "r9b", "ah"],
    "16": ["ax", "dx", "r9w"],
    "32": ["eax", "edx", "r9d"],
    "64": ["rax", "rdx", "r9"],
}
SIZES = ["byte", "word", "dword", "qword"]
CONDITIONS = ["e", "ne", "b", "ae", "s", "ns", "l", "ge", "o", "p"]
NUMBERS = ["0", "1", "3", "0x7f", "-1"]

MOVES = [
    *(f"mov {{m}}, {{r{bits}}}" for bits in REGISTERS),
    *(f"mov {{r{bits}}}, {{m}}" for bits in REGISTERS if bits != "8"),
    "mov dl, {m}",
    "mov {s} ptr {m}, {i}",
    "movzx {r32}, word ptr {m}",
    "movzx {r64}, byte ptr {m}",
    "movsx {r64}, word ptr {m}",
    "movsxd {r64}, dword ptr {m}",
    "mov {r64}, {i}",
    "lea {r64}, {m}",
    "xlatb",
]
ARITHMETIC = [
    *(f"{name} {{s}} ptr {{m}}" for name in ("inc", "dec", "neg", "not")),
    *(f"{name} {{m}}, {{r64}}" for name in ("add", "adc", "sub", "sbb", "and", "or", "xor", "cmp", "test")),
    *(f"{name} {{r32}}, {{m}}" for name in ("add", "adc", "sbb", "cmp", "xor", "imul")),
    *(f"{name} {{s}} ptr {{m}}, {{i}}" for name in ("add", "sub", "cmp", "test", "or")),
    *(f"{name} {{s}} ptr {{m}}, 1" for name in ("shl", "shr", "sar", "rol", "ror")),
    *(f"{name} {{s}} ptr {{m}}, 3" for name in ("shl", "sar", "rol")),
    *(f"{name} qword ptr {{m}}, 5" for name in ("bt", "bts", "btr", "btc")),
    *(f"{name} {{r64}}, {{r64}}" for name in ("add", "adc", "sub", "cmp", "test", "xchg", "imul")),
    "mul qword ptr {m}",
    "xadd {m}, {r64}",
    "xadd {m}, {r8}",
    "cmpxchg {m}, {r64}",
    "cmpxchg {m}, {r8}",
    "stc",
    "cmc",
    "bswap {r64}",
]
LOCKED = [
    *(f"lock {name} {{s}} ptr {{m}}" for name in ("inc", "dec", "not")),
    *(f"lock {name} {{m}}, {{r64}}" for name in ("add", "sbb", "or", "xadd", "cmpxchg")),
    "lock bts qword ptr {m}, 5",
    "xchg {m}, {r64}",
    "xchg {m}, {r16}",
]
CONDITIONAL = [
    "set{c} {m}",
    "set{c} {r8}",
    "cmov{c} {r64}, {m}",
    "cmov{c} {r32}, {r32}",
    "j{c} over@\nmov {m}, {r64}\nover@:",
]
STACK = [
    "push {r64}",
    "push {i}",
    "push qword ptr {m}",
    "pop {r64}",
    "pop qword ptr {m}",
    "pushfq",
    "call down@\njmp up@\ndown@: inc r10\nret\nup@:",
    "mov r11, rsp\nmov rsp, rbp\nleave\nmov rsp, r11",
]
STRINGS = [
    *(f"{name}{size}" for name in ("lods", "stos", "scas") for size in "bwdq"),
    *(f"movs{size}" for size in "bwq"),
    *(f"mov ecx, {count}\nrep {name}{size}" for name in ("stos", "movs") for size in "bwq" for count in (0, 3)),
    "mov ecx, 3\nrep lodsd",
    "mov ecx, 4\nrepne scasb",
    "mov ecx, 4\nrepe scasw",
    "std",
    "cld",
]
PORTS = [
    "out 0x10, al",
    "out 0x10, ax",
    "in al, 0x10",
    "in eax, 0x10",
    "mov r11, rdx\nmov dx, 0x3f8\nout dx, eax\nmov rdx, r11",
    "mov r11, rdx\nmov dx, 0x3f8\nin ax, dx\nmov rdx, r11",
    "mov r11, rdx\nmov dx, 0x3f8\noutsb\nmov rdx, r11",
    "mov r11, rdx\nmov dx, 0x3f8\ninsw\nmov rdx, r11",
]
EVERY = [*MOVES, *ARITHMETIC, *LOCKED, *CONDITIONAL, *STACK, *STRINGS, *PORTS]


def memory() -> st.SearchStrategy[str]:
    return st.builds(_operand, st.sampled_from(BASES), st.sampled_from(OFFSETS))


def _operand(base: str, offset: int) -> str:
    return f"[{base}{offset:+#x}]"


@st.composite
def filled(draw: st.DrawFn, template: str) -> str:
    """The text with its places filled in."""
    for bits, names in REGISTERS.items():
        while f"{{r{bits}}}" in template:
            template = template.replace(f"{{r{bits}}}", draw(st.sampled_from(names)), 1)
    for mark, choices in (("{s}", SIZES), ("{c}", CONDITIONS), ("{i}", NUMBERS)):
        if mark in template:
            template = template.replace(mark, draw(st.sampled_from(choices)))
    return template.replace("{m}", draw(memory())) if "{m}" in template else template


def instruction() -> st.SearchStrategy[str]:
    return st.sampled_from(EVERY).flatmap(filled)
