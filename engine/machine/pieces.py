"""What a scenario gives its VTLs to run, piece by piece: from where in the file, for which address, in which words."""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET

from engine.machine.guests import GUESTS
from engine.model.layout import code_base
from engine.model.scenario import Scenario, VcpuSpec, Vtl1Spec
from engine.x86.assemble import assemble


class Piece(msgspec.Struct, frozen=True):
    """The program of one VTL on one vCPU, for gpa `base`; `path` is its place in the scenario."""

    path: str
    vtl: int
    base: int
    spec: VcpuSpec | Vtl1Spec

    @property
    def text(self) -> str:
        """Its assembly: its own, or its guest's with these parameters."""
        spec = self.spec
        return spec.asm if spec.asm is not None else GUESTS[spec.guest or ""].text(spec.params, self.base)

    @property
    def code(self) -> bytes:
        """AssemblyError for a text that cannot be assembled."""
        return assemble(self.text, self.base).code


def pieces_of(index: int, vcpu: VcpuSpec) -> list[Piece]:
    """By address: VTL1's is above the system area."""
    own = Piece(f"vcpus[{index}]", 0, code_base(index), vcpu)
    return [own] if vcpu.vtl1 is UNSET else [own, Piece(f"vcpus[{index}].vtl1", 1, vcpu.vtl1.base, vcpu.vtl1)]


def pieces(scenario: Scenario) -> Iterator[Piece]:
    for index, vcpu in enumerate(scenario.vcpus):
        yield from pieces_of(index, vcpu)
