"""A view that already has the effects of earlier reps of the same call."""

from collections.abc import Iterable

from engine.model.rights import Rights
from engine.vsm.apply import apply
from engine.vsm.effects import AnyEffect
from engine.vsm.profile import Profile
from engine.vsm.state import PartitionState
from engine.vsm.view import View


class Ahead:
    """A View of the VSM state after `effects`; registers, masks and memory are those from before."""

    def __init__(self, view: View, effects: Iterable[AnyEffect]) -> None:
        self._view = view
        self.profile: Profile = view.profile
        self.partition: PartitionState = apply(view.partition, effects)

    def register(self, vp: int, vtl: int, name: int) -> int | None:
        return self._view.register(vp, vtl, name)

    def cpl(self, vp: int, vtl: int) -> int:
        return self._view.cpl(vp, vtl)

    def is_ram(self, gfn: int) -> bool:
        return self._view.is_ram(gfn)

    def mask(self, setter: int, target: int, gfn: int) -> Rights:
        return self._view.mask(setter, target, gfn)

    def host_rights(self, gfn: int) -> Rights:
        return self._view.host_rights(gfn)

    def read_u64(self, gpa: int) -> int | None:
        return self._view.read_u64(gpa)
