"""Which extensions a vm has, and why not the others."""

from typing import Any, TypeVar

from engine.hypervisor.contract.errors import Unsupported

E = TypeVar("E")


class Offer:
    """`had` by protocol (contract/extensions.py); `lacks` says by name why not the others (Capabilities.lacks)."""

    def __init__(self, had: dict[type, Any], lacks: dict[str, str]) -> None:
        self._had, self._lacks = had, lacks

    def get(self, kind: type[E]) -> E:
        """The extension, or Unsupported with the reason."""
        found = self._had.get(kind)
        if found is None:
            raise Unsupported(kind.__name__, self._lacks.get(kind.__name__, "this hypervisor does not have it"))
        return found

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(kind.__name__ for kind in self._had)
