"""Under masks that come and go, pauses and steps: no instruction happens twice, none is lost."""

import random
import time

from engine.model.commands import Pause, Run, SetMask, Step
from engine.session.host import Host
from engine.session.session import Session

COUNTS = """
    mov rdi, 0x210000
    mov rsp, 0x213ff8
again:
    inc qword ptr [rdi]
    inc rbx
    push rbx
    pop rdx
    lock inc qword ptr [rdi + 0x2000]
    inc r8
    add qword ptr [rdi + 0xffc], 1
    inc r9
    jmp again
"""
"""Each count is kept in memory behind fences and in a register: plain, locked, and across two pages."""
MASKS = (0x0, 0x1, 0xD, 0xF)


def test_memory_and_registers_count_the_same(scenario, host: Host) -> None:
    drawn = random.Random(5)
    session = Session(scenario(vcpus=[{"asm": COUNTS}]), host)
    session.handle(Run())
    end, limit = time.monotonic() + 1.5, time.monotonic() + 30
    # Where masks change faster than the vCPU gets to run, the time alone is not enough.
    while time.monotonic() < end or (session.view.exits.get("protection", 0) <= 20 and time.monotonic() < limit):
        base = 0x210000 + drawn.randrange(4) * 0x1000
        session.handle(SetMask(base=base, pages=drawn.randint(1, 4), rights=drawn.choice(MASKS)))
        if drawn.random() < 0.1:
            for command in (Pause(), Step(), Run()):
                session.handle(command)
    session.handle(SetMask(base=0x200000, pages=512, rights=0xF))
    time.sleep(0.1)  # what was denied before is answered
    session.handle(Pause())
    registers, memory = session.machine.vcpus[0].registers(), session.machine.vm.memory()
    for address, counted in ((0x210000, registers.rbx), (0x212000, registers.r8), (0x210FFC, registers.r9)):
        stored = int.from_bytes(memory.read(address, 4), "little")
        assert stored - counted in (0, 1), f"{address:#x}: the vCPU may have stopped between the two, no more"
    assert session.view.exits["protection"] > 20
    assert registers.rbx > 50
    session.close()
