"""When an external interrupt may come in (SDM Vol. 3, 6.8.1 and 6.8.3)."""

from engine.abi.x86 import RFLAGS_IF
from engine.hypervisor.sim.processor import Processor


class InterruptWindow:
    """Of one vCPU, between its runs."""

    def __init__(self, processor: Processor) -> None:
        self._core, self._text = processor.core, processor.text
        self._shadowed = False

    def before(self, count: int) -> None:
        """`count` instructions are to come. Only of single steps can it matter: no other slice ends behind an STI."""
        self._shadowed = count == 1 and self._is_sti()

    @property
    def open(self) -> bool:
        """One may come before the next instruction."""
        return not self._shadowed and self._flag()

    def _is_sti(self) -> bool:
        """The next instruction sets IF, with effect from the one after."""
        return self._text.line(self._core.rip()).text == "sti" and not self._flag()

    def _flag(self) -> bool:
        return bool(self._core.registers().rflags & RFLAGS_IF)
