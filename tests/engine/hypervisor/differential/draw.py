"""What random guests and calls are drawn from: places where something begins, ends or overlaps."""

from hypothesis import strategies as st

from engine.model.address import PAGE_SIZE
from engine.model.memslot import Memslot, SlotFlags
from engine.model.resolution import Complete, Drop, Resolution, Retry
from engine.model.rights import Rights
from tests.engine.hypervisor.differential.instructions import instruction
from tests.engine.hypervisor.differential.program import Program
from tests.engine.hypervisor.differential.undefined_flags import undefined_flags
from tests.engine.hypervisor.guest import MIB, RAM, Guest

DATA, PAGE, VOID = Guest.DATA, Guest.PAGE, Guest.VOID
PAGES = [PAGE, PAGE + PAGE_SIZE, VOID, VOID + PAGE_SIZE, VOID - PAGE_SIZE, DATA, VOID + MIB, VOID + 2 * MIB]
FENCES = [PAGE, PAGE + PAGE_SIZE, PAGE - PAGE_SIZE, VOID, VOID - PAGE_SIZE, VOID + PAGE_SIZE]
WORD = st.sampled_from([0, 1, 0x7F, 0x80, 0xFFFF, 0x8877665544332211, 1 << 63, (1 << 64) - 1])
LOG, READONLY = int(SlotFlags.LOG), int(SlotFlags.READONLY)

ids = st.sampled_from([1, 2, 3, 32763])
slots = st.one_of(
    st.builds(
        Memslot,
        ids,
        st.sampled_from([VOID, VOID + MIB, VOID + 2 * MIB, DATA]),
        st.sampled_from([PAGE_SIZE, MIB, 2 * MIB, 2 * MIB]),
        st.sampled_from([2 * MIB, 4 * MIB, 6 * MIB]),
        st.sampled_from([0, LOG, READONLY, LOG | READONLY]),
    ),
    st.builds(Memslot, ids, st.just(VOID), st.just(0), st.just(0), st.just(0)),
    st.builds(
        Memslot,
        st.sampled_from([1, 2, 32763, 32764, 0x20002]),
        st.sampled_from([MIB, DATA, PAGE, VOID, VOID + 0x800, VOID + PAGE_SIZE, (1 << 52) - MIB, (1 << 64) - MIB]),
        st.sampled_from([0, PAGE_SIZE, 0x1800, MIB, 2 * MIB, 1 << 52]),
        st.sampled_from([2 * MIB, 4 * MIB, 4 * MIB + 0x800, RAM]),
        st.sampled_from([0, LOG, READONLY, LOG | READONLY, 1 << 5]),
    ),
)
rights = st.sampled_from([Rights.NONE, Rights.RX, Rights.RWX, Rights.R])
answer: st.SearchStrategy[Resolution] = st.sampled_from([Complete(), Drop(), Complete(bytes(range(8))), Retry()])
pages = st.sampled_from(PAGES)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    registers = {
        **{name: draw(pages) + draw(st.sampled_from([0, 0, 0x10])) for name in ("rbx", "rbp")},
        **{name: draw(pages) + draw(st.sampled_from([0, 0x20, 0xFFE])) for name in ("rsi", "rdi")},
        "rsp": draw(pages) + draw(st.sampled_from([0, 4, 0x80, 0x800])),
        **{name: draw(WORD) for name in ("rax", "rdx", "r9")},
    }
    return Program(
        tuple(draw(st.lists(instruction(), min_size=1, max_size=12))),
        registers,
        tuple(draw(st.lists(answer, max_size=6))),
        draw(st.sampled_from([1, 1, 2, 3])),
        draw(st.sampled_from([(), (), (0,), (1, 3)])),
        draw(st.booleans()),
    )


def reads_what_is_defined(program: Program) -> bool:
    return not undefined_flags(program.text).read
