"""KVM_KICK_ALL_RUNNING_VCPUS and KVM_RESUME_ALL_KICKED_VCPUS as proposed in October 2022.

There a semaphore: vCPUs are its readers while they run, who kicks is its writer. Here a lock for each vCPU, held while
it runs, so that running costs no more than a lock that nobody else wants.
"""

import errno
from threading import Lock

from engine.hypervisor.contract.errors import HypervisorError


class SimKickAll:
    """KickAll of the contract, and what vCPUs ask of it."""

    def __init__(self) -> None:
        self.on = False
        """From the kick until all are resumed: nobody stays in the guest, nor enters it."""
        self._doors: list[Lock] = []
        self._turn = Lock()

    def door(self) -> Lock:
        """Another vCPU's: to be held while it is in the guest."""
        self._doors.append(Lock())
        return self._doors[-1]

    def kick_all(self) -> None:
        with self._turn:
            if self.on:
                raise HypervisorError(errno.EBUSY, "KVM_KICK_ALL_RUNNING_VCPUS", rule="they are kicked already")
            self.on = True
            for door in self._doors:
                with door:  # its vCPU has left, and finds `on` when it comes back
                    pass

    def resume_all(self) -> None:
        with self._turn:
            if not self.on:
                raise HypervisorError(errno.EINVAL, "KVM_RESUME_ALL_KICKED_VCPUS", rule="they are not kicked")
            self.on = False
