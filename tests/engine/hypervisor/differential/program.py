"""A short random guest with the VMM's answers to what it does, and everything that can be seen of its run."""

from zlib import crc32

import msgspec

from engine.model.exits import (
    AnyExit,
    HltExit,
    InternalError,
    Interrupted,
    IoExit,
    MemoryExit,
    ProtectionExit,
    ShutdownExit,
)
from engine.model.registers import Registers
from engine.model.resolution import Complete, Drop, Resolution, Retry
from engine.model.rights import Rights
from engine.x86.decode import decode
from tests.engine.hypervisor.differential.undefined_flags import undefined_flags
from tests.engine.hypervisor.guest import Guest

MOST_EXITS = 600
RESUME = 1 << 16
"""Row 15."""
Fact = tuple[object, ...]


class Program(msgspec.Struct, frozen=True):
    """`blocks` of assembly, run `rounds` times over. `answers` are given in turn, and Drop when there are no more;
    before a Retry the fence is lifted. `kicks`: after how many answers the vCPU is kicked. `settles`: each answer."""

    blocks: tuple[str, ...]
    registers: dict[str, int]
    answers: tuple[Resolution, ...] = ()
    rounds: int = 1
    kicks: tuple[int, ...] = ()
    settles: bool = False

    @property
    def text(self) -> str:
        numbered = [block.replace("@", str(number)) for number, block in enumerate(self.blocks)]
        if self.rounds > 1:
            numbered = [f"mov r15d, {self.rounds}\nround:", *numbered, "dec r15\njnz round"]
        return "\n".join([*numbered, "hlt"])


class Run(msgspec.Struct):
    """What was seen: a fact for each exit and each settled state; the registers at the end, defined flags only."""

    exits: list[AnyExit] = []
    facts: list[Fact] = []
    registers: Registers | None = None
    kicks: int = 0
    interruptions: int = 0

    @property
    def dead(self) -> bool:
        return self.registers is None


def run(guest: Guest, program: Program) -> Run:
    guest.load(program.text, **program.registers)
    found, answered, settled = Run(), 0, list[Fact]()
    while answered < MOST_EXITS:
        if answered in program.kicks and found.kicks <= program.kicks.index(answered):
            guest.vcpu.kick()
            found.kicks += 1
        exit = guest.vcpu.run()
        if isinstance(exit, Interrupted):
            found.interruptions += 1
            continue
        # An instruction that has more to ask, or dies, is neither here nor there: what was settled does not count.
        died = isinstance(exit, ShutdownExit | InternalError)
        found.facts += settled if not died and found.exits and exit.rip != found.exits[-1].rip else []
        found.exits.append(exit)
        found.facts.append(facts(exit))
        if isinstance(exit, HltExit):
            found.registers = defined(guest.vcpu.registers(), undefined_flags(program.text).last)
        if died or isinstance(exit, HltExit):
            return found
        assert guest.vcpu.registers().rip == exit.rip
        retried = _answer(guest, found, program.answers[answered] if answered < len(program.answers) else Drop())
        answered += 1
        settled = _settled(guest, program) if program.settles and not retried else []
    raise AssertionError(f"no end after {MOST_EXITS} exits")


def _answer(guest: Guest, found: Run, resolution: Resolution) -> bool:
    """Whether it is to be executed again."""
    exit = found.exits[-1]
    if isinstance(resolution, Retry) and len(found.exits) > 1 and found.exits[-2].rip == exit.rip:
        resolution = Complete()  # row 14
    if isinstance(exit, MemoryExit) and is_locked(exit.code):
        resolution = Complete()  # row 16
    if isinstance(resolution, Retry) and isinstance(exit, ProtectionExit):
        guest.fence(Rights.RWX, exit.gpa & ~0xFFF)
    guest.vcpu.resolve(exit, resolution)
    return isinstance(resolution, Retry)


def _settled(guest: Guest, program: Program) -> list[Fact]:
    guest.vcpu.settle()
    registers = defined(guest.vcpu.registers(), undefined_flags(program.text).ever)
    return [("settled", registers, crc32(guest.vm.ram()))]


def is_locked(code: bytes) -> bool:
    found = decode(code, 0)
    return found is not None and found.locked


def defined(registers: Registers, undefined: int) -> Registers:
    return msgspec.structs.replace(registers, rflags=registers.rflags & ~(undefined | RESUME))


def facts(exit: AnyExit) -> Fact:
    """What must agree. Raw words, and a dead vCPU's numbers, are each hypervisor's own."""
    kind = type(exit).__name__
    if isinstance(exit, ShutdownExit | InternalError):
        return (kind,)
    if isinstance(exit, MemoryExit):
        return kind, exit.vtl, exit.rip, exit.code, exit.gpa, exit.access, exit.size, exit.data
    if isinstance(exit, IoExit):
        return kind, exit.vtl, exit.rip, exit.code, exit.port, exit.size, exit.data
    return kind, exit.vtl, exit.rip
