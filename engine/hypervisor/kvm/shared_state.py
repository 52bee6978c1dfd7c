"""What all VTLs share beside the general registers. Each VTL is a kernel vCPU of its own: a switch carries it over."""

from engine.abi.kvm import DEBUGREGS_ADDRESSES, XSAVE_BV, XSAVE_SSE, XSAVE_XMM
from engine.hypervisor.kvm.run_page import CR2
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.system_registers import XMM_SIZE


def carry(source: VcpuFd, target: VcpuFd) -> None:
    """x87, SSE and AVX registers, CR2, and DR0 to DR3 (TLFS, Shared State)."""
    target.set_xsave(source.xsave())
    if cr2(target) != cr2(source):
        set_cr2(target, cr2(source))
    _carry_breakpoints(source, target)


def _carry_breakpoints(source: VcpuFd, target: VcpuFd) -> None:
    """DR6 is a VTL's own here, as VsmCapabilities says, and DR7 always."""
    found, own = source.debug_registers(), target.debug_registers()
    if found[:DEBUGREGS_ADDRESSES] != own[:DEBUGREGS_ADDRESSES]:
        own[:DEBUGREGS_ADDRESSES] = found[:DEBUGREGS_ADDRESSES]
        target.set_debug_registers(own)


def cr2(fd: VcpuFd) -> int:
    return fd.page.u64[CR2]


def set_cr2(fd: VcpuFd, address: int) -> None:
    sregs = fd.sregs()
    sregs.cr2 = address
    fd.set_sregs(sregs)


def xmm(fd: VcpuFd) -> bytes:
    return bytes(fd.xsave()[XSAVE_XMM : XSAVE_XMM + XMM_SIZE])


def set_xmm(fd: VcpuFd, data: bytes) -> None:
    raw = fd.xsave()
    raw[XSAVE_XMM : XSAVE_XMM + XMM_SIZE] = data
    raw[XSAVE_BV] |= XSAVE_SSE
    fd.set_xsave(raw)
