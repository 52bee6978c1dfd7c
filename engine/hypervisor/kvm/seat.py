"""Where a vCPU executes: the kernel vCPU of its VTL, or for one instruction a helper that no mask binds."""

from engine.abi.kvm import ExitReason
from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.kvm import shared_state
from engine.hypervisor.kvm.address_space import AddressSpace
from engine.hypervisor.kvm.run_page import CR3, RIP
from engine.hypervisor.kvm.space import GuestSpace
from engine.hypervisor.kvm.stepper import Stepper, hide_trap_flag, pushes_flags
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.x86.decode import MAX_LENGTH

_RING = 3
_DEBUG = int(ExitReason.DEBUG)


class Seat:
    """`active` is the one to enter; `unread`: an exit is in its page already, left there by finishing an operation.

    `steps` counts the instructions that the helper has executed.
    """

    def __init__(self, space: GuestSpace, index: int, cr3: int) -> None:
        self._space = space
        self.vtl = 0
        self.fds: list[VcpuFd] = []
        self.stepper = Stepper(space.vtls[-1].vm, index)
        self.unread = self._pushes_flags = False
        self.steps = 0
        try:
            for vtl in space.vtls:
                self.fds.append(VcpuFd(vtl.vm, index))
                self.fds[-1].enter_long_mode(cr3)
        except BaseException:
            self.close()
            raise
        self.active = self.fds[0]

    @property
    def stepping(self) -> bool:
        return self.active is self.stepper.fd

    def all_fds(self) -> list[VcpuFd]:
        return [*self.fds, self.stepper.fd] if self.stepper.fd else list(self.fds)

    def addresses(self) -> AddressSpace:
        """Through the page tables in use at the last exit."""
        return AddressSpace(self._space, self.active.page.u64[CR3])

    def enter_vtl(self, vtl: int) -> None:
        self.active.page.interrupt_window = False
        if vtl != self.vtl:
            shared_state.carry(self.active, self.fds[vtl])
        self.vtl, self.active = vtl, self.fds[vtl]

    def require_step(self) -> None:
        """Unsupported in ring 3 where the kernel emulates ring 0 alone: it goes on to the next exit there (measured on
        kvm_pvm)."""
        if self._space.copy is None and self.fds[self.vtl].sregs().cs.selector & _RING:
            raise Unsupported("single step in ring 3", "this kernel does not heed KVM_GUESTDBG_SINGLESTEP there")

    def begin_step(self) -> None:
        """The next instruction is executed by the helper. Unsupported as require_step says."""
        self.require_step()
        rip = self.active.page.u64[RIP]
        self._pushes_flags = pushes_flags(self.addresses().read(rip, MAX_LENGTH), rip)
        self.active = self.stepper.begin(self.active)

    def end_step(self) -> None:
        self.steps += 1
        self.stepper.end(self.fds[self.vtl])
        if self._pushes_flags and not self.stepper.traps:
            hide_trap_flag(self._space, self.addresses(), self.active.registers().rsp)
        self.abandon_step()

    def abandon_step(self) -> None:
        """Back to where the step began; nothing of the instruction has happened."""
        self.active, self.unread, self.stepper.answered = self.fds[self.vtl], False, False

    def finish_step(self) -> None:
        """The step's exit has been answered: the kernel completes the operation, and with it the instruction."""
        self.stepper.answered = False
        if self.active.finish():
            self.end_step()
        else:
            self.unread = True

    def settle(self) -> None:
        """Complete what is under way without executing further."""
        if self.unread:
            return
        if not self.stepping:
            self.unread = not self.active.finish()
        elif self.stepper.answered:
            self.finish_step()
        else:
            self._execute_step()

    def close(self) -> None:
        for fd in self.all_fds():
            fd.close()
        self.fds, self.stepper.fd = [], None

    def _execute_step(self) -> None:
        self.stepper.execute()
        if self.active.page.u32[2] == _DEBUG:
            self.end_step()
        else:
            self.unread = True
