"""Numbers and layouts against the header itself, where a C compiler has it."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.abi import kvm, kvm_hyperv, kvm_msr, kvm_vcpu

HEADER = Path("/usr/include/linux/kvm.h")
pytestmark = pytest.mark.skipif(
    not (HEADER.exists() and shutil.which("gcc")),
    reason="NO <linux/kvm.h> TO COMPARE WITH: install gcc and linux-libc-dev",
)

STRUCTS: dict[str, type[ctypes.Structure]] = {
    "kvm_userspace_memory_region": kvm.UserspaceMemoryRegion,
    "kvm_dirty_log": kvm.DirtyLog,
    "kvm_clear_dirty_log": kvm.ClearDirtyLog,
    "kvm_enable_cap": kvm.EnableCap,
    "kvm_segment": kvm.Segment,
    "kvm_dtable": kvm.Dtable,
    "kvm_sregs": kvm.Sregs,
    "kvm_cpuid_entry2": kvm_vcpu.CpuidEntry,
    "kvm_msr_filter_range": kvm_msr.MsrFilterRange,
    "kvm_msr_filter": kvm_msr.MsrFilter,
    "kvm_mp_state": kvm_hyperv.MpState,
    "kvm_stats_header": kvm_vcpu.StatsHeader,
    "kvm_stats_desc": kvm_vcpu.StatsDesc,
}
EVENTS = {
    "exception.injected": kvm_vcpu.VcpuEvents.exception_injected,
    "exception.nr": kvm_vcpu.VcpuEvents.exception_nr,
    "exception.has_error_code": kvm_vcpu.VcpuEvents.exception_has_error_code,
    "exception.pending": kvm_vcpu.VcpuEvents.exception_pending,
    "exception.error_code": kvm_vcpu.VcpuEvents.exception_error_code,
    "interrupt.injected": kvm_vcpu.VcpuEvents.interrupt_injected,
    "interrupt.nr": kvm_vcpu.VcpuEvents.interrupt_nr,
    "interrupt.soft": kvm_vcpu.VcpuEvents.interrupt_soft,
    "interrupt.shadow": kvm_vcpu.VcpuEvents.interrupt_shadow,
    "nmi": kvm_vcpu.VcpuEvents.nmi,
    "sipi_vector": kvm_vcpu.VcpuEvents.sipi_vector,
    "flags": kvm_vcpu.VcpuEvents.flags,
    "smi": kvm_vcpu.VcpuEvents.smi,
    "triple_fault": kvm_vcpu.VcpuEvents.triple_fault,
    "exception_has_payload": kvm_vcpu.VcpuEvents.exception_has_payload,
    "exception_payload": kvm_vcpu.VcpuEvents.exception_payload,
}
RUN_FIELDS = {
    "immediate_exit": kvm.RUN_IMMEDIATE_EXIT,
    "exit_reason": kvm.RUN_EXIT_REASON,
    "io.direction": kvm.RUN_IO_DIRECTION,
    "io.size": kvm.RUN_IO_SIZE,
    "io.port": kvm.RUN_IO_PORT,
    "io.count": kvm.RUN_IO_COUNT,
    "io.data_offset": kvm.RUN_IO_DATA_OFFSET,
    "mmio.phys_addr": kvm.RUN_MMIO_PHYS_ADDR,
    "mmio.data": kvm.RUN_MMIO_DATA,
    "mmio.len": kvm.RUN_MMIO_LEN,
    "mmio.is_write": kvm.RUN_MMIO_IS_WRITE,
    "internal.suberror": kvm.RUN_INTERNAL_SUBERROR,
    "internal.ndata": kvm.RUN_INTERNAL_NDATA,
    "internal.data": kvm.RUN_INTERNAL_DATA,
    "fail_entry.hardware_entry_failure_reason": kvm.RUN_FAIL_ENTRY_REASON,
    "hyperv.type": kvm_hyperv.RUN_HYPERV_TYPE,
    "hyperv.u.synic.msr": kvm_hyperv.RUN_SYNIC_MSR,
    "hyperv.u.synic.control": kvm_hyperv.RUN_SYNIC_CONTROL,
    "hyperv.u.synic.evt_page": kvm_hyperv.RUN_SYNIC_EVENT_PAGE,
    "hyperv.u.synic.msg_page": kvm_hyperv.RUN_SYNIC_MESSAGE_PAGE,
    "hyperv.u.hcall.input": kvm_hyperv.RUN_HCALL_INPUT,
    "hyperv.u.hcall.result": kvm_hyperv.RUN_HCALL_RESULT,
    "hyperv.u.hcall.params": kvm_hyperv.RUN_HCALL_PARAMS,
    "msr.error": kvm_vcpu.RUN_MSR_ERROR,
    "msr.reason": kvm_vcpu.RUN_MSR_REASON,
    "msr.index": kvm_vcpu.RUN_MSR_INDEX,
    "msr.data": kvm_vcpu.RUN_MSR_DATA,
    "cr8": kvm.RUN_CR8,
    "kvm_valid_regs": kvm.RUN_VALID_REGS,
    "s.regs.regs": kvm.RUN_SYNC_REGS,
    "s.regs.regs.rip": kvm.RUN_SYNC_REGS + 128,
    "s.regs.sregs": kvm.RUN_SYNC_REGS + kvm.REGS_SIZE,
    "s.regs.sregs.cr2": kvm.RUN_SYNC_REGS + kvm.REGS_SIZE + kvm.Sregs.cr2.offset,
    "s.regs.sregs.cr3": kvm.RUN_SYNC_REGS + kvm.REGS_SIZE + kvm.Sregs.cr3.offset,
}
CONSTANTS = {
    "KVM_API_VERSION": kvm.API_VERSION,
    "KVM_MEM_LOG_DIRTY_PAGES": kvm.MEM_LOG_DIRTY_PAGES,
    "KVM_MEM_READONLY": kvm.MEM_READONLY,
    "KVM_DIRTY_LOG_PAGE_OFFSET": kvm.DIRTY_LOG_PAGE_OFFSET,
    "KVM_DIRTY_GFN_F_DIRTY": kvm.DIRTY_GFN_DIRTY,
    "KVM_DIRTY_GFN_F_RESET": kvm.DIRTY_GFN_RESET,
    "sizeof(struct kvm_dirty_gfn)": kvm.DIRTY_GFN_SIZE,
    "KVM_EXIT_HYPERV_SYNIC": kvm_hyperv.EXIT_SYNIC,
    "KVM_EXIT_HYPERV_HCALL": kvm_hyperv.EXIT_HCALL,
    "KVM_MP_STATE_RUNNABLE": kvm_hyperv.MP_STATE_RUNNABLE,
    "KVM_MSR_FILTER_READ": kvm_msr.MSR_FILTER_READ,
    "KVM_MSR_FILTER_WRITE": kvm_msr.MSR_FILTER_WRITE,
    "KVM_MSR_FILTER_MAX_RANGES": kvm_msr.MSR_FILTER_RANGES,
    "KVM_MSR_EXIT_REASON_FILTER": kvm_vcpu.MSR_EXIT_REASON_FILTER,
    "KVM_GUESTDBG_ENABLE": kvm.GUESTDBG_ENABLE,
    "KVM_GUESTDBG_SINGLESTEP": kvm.GUESTDBG_SINGLESTEP,
    "KVM_GUESTDBG_USE_HW_BP": kvm_vcpu.GUESTDBG_USE_HW_BP,
    "KVM_STATS_TYPE_MASK": kvm_vcpu.STATS_TYPE_MASK,
    "KVM_STATS_TYPE_PEAK": kvm_vcpu.STATS_TYPE_PEAK,
    "KVM_STATS_TYPE_LINEAR_HIST": kvm_vcpu.STATS_TYPE_LINEAR_HIST,
    "KVM_SYNC_X86_REGS": kvm.SYNC_X86_REGS,
    "KVM_SYNC_X86_SREGS": kvm.SYNC_X86_SREGS,
    "KVM_INTERNAL_ERROR_EMULATION": kvm.INTERNAL_ERROR_EMULATION,
    "KVM_EXIT_IO_OUT": kvm.EXIT_IO_OUT,
    "KVM_EXIT_IO_IN": kvm.EXIT_IO_IN,
    "sizeof(struct kvm_regs)": kvm.REGS_SIZE,
    "sizeof(struct kvm_xsave)": kvm.XSAVE_SIZE,
    "offsetof(struct kvm_msrs, entries)": kvm_vcpu.Msrs.entries.offset,
    "sizeof(struct kvm_msr_entry)": ctypes.sizeof(kvm_vcpu.MsrEntry),
    "offsetof(struct kvm_msr_entry, data)": kvm_vcpu.MsrEntry.data.offset,
    "sizeof(struct kvm_guest_debug)": ctypes.sizeof(kvm.GuestDebug),
    "offsetof(struct kvm_cpuid2, entries)": kvm_vcpu.Cpuid.entries.offset,
    "offsetof(struct kvm_cpuid2, nent)": kvm_vcpu.Cpuid.nent.offset,
    "KVM_CPUID_FLAG_SIGNIFCANT_INDEX": kvm_vcpu.CPUID_FLAG_SIGNIFCANT_INDEX,
    "sizeof(struct kvm_vcpu_events)": ctypes.sizeof(kvm_vcpu.VcpuEvents),
    "KVM_MSR_EXIT_REASON_INVAL": kvm_vcpu.MSR_EXIT_REASON_INVAL,
    "KVM_MSR_EXIT_REASON_UNKNOWN": kvm_vcpu.MSR_EXIT_REASON_UNKNOWN,
}


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the compiler makes of each expression."""
    folder = tmp_path_factory.mktemp("abi")
    lines = [_printed(name) for name in _expressions()]
    source = folder / "abi.c"
    source.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <linux/kvm.h>\nint main(void) {\n"
        + "\n".join(lines)
        + "\n  return 0;\n}\n"
    )
    subprocess.run(["gcc", "-Wno-format", "-o", folder / "abi", source], check=True)
    output = subprocess.run([folder / "abi"], check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, _, value in (line.rpartition("=") for line in output.splitlines())}


def _printed(name: str) -> str:
    """A line of C; a constant is left out where the header is too old to have it."""
    line = f'  printf("{name}=%llu\\n", (unsigned long long)({name}));'
    return f"#ifdef {name}\n{line}\n#endif" if name.isidentifier() else line


def _expressions() -> dict[str, int]:
    """Each C expression with the number we have for it."""
    found = dict(CONSTANTS)
    found |= {request.name: int(request) for request in kvm.Ioctl}
    found |= {f"KVM_CAP_{cap.name}": int(cap) for cap in kvm.Cap}
    found |= {f"KVM_EXIT_{reason.name}": int(reason) for reason in kvm.ExitReason}
    found |= {f"offsetof(struct kvm_run, {field})": offset for field, offset in RUN_FIELDS.items()}
    found |= {f"offsetof(struct kvm_vcpu_events, {field})": ours.offset for field, ours in EVENTS.items()}
    for name, struct in STRUCTS.items():
        found[f"sizeof(struct {name})"] = ctypes.sizeof(struct)
        for field, *_ in struct._fields_:
            if not field.startswith("padding"):
                found[f"offsetof(struct {name}, {field})"] = getattr(struct, field).offset
    return found


@pytest.mark.parametrize("expression", _expressions())
def test_is_as_in_the_header(header: dict[str, int], expression: str) -> None:
    if expression not in header:
        pytest.skip(f"{HEADER} is older than {expression}")
    assert _expressions()[expression] == header[expression]
