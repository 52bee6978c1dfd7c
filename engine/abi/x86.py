"""x86-64 control-register, EFER, segment and RFLAGS bits (SDM Vol. 3, 2.5, 2.2.1, 3.4.5 and 2.3)."""

CR0_PE = 1 << 0
CR0_MP = 1 << 1
CR0_ET = 1 << 4
CR0_NE = 1 << 5
CR0_WP = 1 << 16
CR0_AM = 1 << 18
CR0_NW = 1 << 29
CR0_CD = 1 << 30
CR0_PG = 1 << 31

CR4_PAE = 1 << 5
CR4_OSFXSR = 1 << 9
CR4_OSXMMEXCPT = 1 << 10

DR7_FIXED = 1 << 10
DR7_G0 = 1 << 1
"""Global enable of breakpoint 0; two bits further for each of the others. Their kind stays 0: execution."""

MSR_SYSENTER_CS = 0x174
MSR_SYSENTER_ESP = 0x175
MSR_SYSENTER_EIP = 0x176
MSR_PAT = 0x277
MSR_EFER = 0xC000_0080
MSR_STAR = 0xC000_0081
MSR_LSTAR = 0xC000_0082
MSR_CSTAR = 0xC000_0083
MSR_SFMASK = 0xC000_0084
MSR_KERNEL_GS_BASE = 0xC000_0102

EFER_SCE = 1 << 0
EFER_LME = 1 << 8
EFER_LMA = 1 << 10
EFER_NXE = 1 << 11

SEGMENT_CODE = 0b1011
"""Execute, read, accessed."""
SEGMENT_DATA = 0b0011
"""Read, write, accessed."""
SEGMENT_TSS = 0b1011
"""Of 64 bits, busy."""
RESET_LIMIT = 0xFFFF
"""Of TR and LDTR after a reset (SDM Vol. 3, 10.1.1)."""
CODE_SELECTOR = 0x08
DATA_SELECTOR = 0x10
DESCRIPTOR_CODE = 0x00AF_9B00_0000_FFFF
"""Present, ring 0, 64-bit code, accessed, 4 GiB."""
DESCRIPTOR_DATA = 0x00CF_9300_0000_FFFF
"""Present, ring 0, data, writable, accessed, 4 GiB."""
GDT_LIMIT = 3 * 8 - 1
GATE_INTERRUPT = 0x8E
"""Present, ring 0, 64-bit interrupt gate."""
SEGMENT_LIMIT = 0xFFFF_FFFF

RFLAGS_FIXED = 1 << 1
RFLAGS_CF = 1 << 0
RFLAGS_TF = 1 << 8
RFLAGS_IF = 1 << 9
RFLAGS_DF = 1 << 10
RFLAGS_IOPL_SHIFT = 12
RFLAGS_NT = 1 << 14
RFLAGS_RF = 1 << 16
RFLAGS_VM = 1 << 17
