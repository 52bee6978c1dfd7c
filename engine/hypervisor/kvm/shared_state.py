"""What all VTLs share beside the general registers. Each VTL is a kernel vCPU of its own: a switch carries it over."""

from engine.abi.kvm import XSAVE_BV, XSAVE_SSE, XSAVE_XMM
from engine.hypervisor.kvm.run_page import CR2
from engine.hypervisor.kvm.vcpu_fd import VcpuFd
from engine.model.system_registers import XMM_SIZE


def carry(source: VcpuFd, target: VcpuFd) -> None:
    """x87, SSE and AVX registers, and CR2 (TLFS, Shared State)."""
    target.set_xsave(source.xsave())
    if cr2(target) != cr2(source):
        set_cr2(target, cr2(source))


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
