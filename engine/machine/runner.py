"""How the vCPUs of a machine are run: a thread each, or one executor in seeded slices."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Runner(Protocol):
    """Starts parked; vCPUs run while the machine's gate is open."""

    def perform(self, call: Callable[[], T]) -> T:
        """Run `call` where it may touch the machine: at once, or at the next place between slices."""
        ...

    def wake(self) -> None:
        """The gate or the speed has changed."""
        ...

    def stop(self) -> None:
        """Return once no vCPU is in the guest; the gate must be closed."""
        ...

    def still(self, patience: float) -> bool:
        """Whether every vCPU is out of the guest, or comes out within `patience` seconds. Where perform runs calls."""
        ...

    def close(self) -> None:
        """End the threads; the machine is not run again."""
        ...
