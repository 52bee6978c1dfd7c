"""What memslot and dirty page calls are answered with, row by row (measured on kernels 6.12 and 6.18)."""

import errno

import msgspec

from engine.conformance.guest import MIB, RAM, Guest
from engine.model.address import PAGE_SIZE
from engine.model.memslot import Memslot, SlotFlags

DATA, VOID = Guest.DATA, Guest.VOID
LOG, READONLY = int(SlotFlags.LOG), int(SlotFlags.READONLY)


class Row(msgspec.Struct, frozen=True):
    """`code`: the errno, 0 when the call is accepted."""

    name: str
    code: int


class Region(Row, frozen=True):
    slot: Memslot


REGIONS = (
    Region("unaligned size", errno.EINVAL, Memslot(2, VOID, 0x1800, 4 * MIB)),
    Region("unaligned base", errno.EINVAL, Memslot(2, VOID + 0x800, MIB, 4 * MIB)),
    Region("unaligned offset", errno.EINVAL, Memslot(2, VOID, MIB, 4 * MIB + 0x800)),
    Region("last id", 0, Memslot(32763, VOID, MIB, 4 * MIB)),
    Region("id too large", errno.EINVAL, Memslot(32764, VOID, MIB, 4 * MIB)),
    Region("unknown flag", errno.EINVAL, Memslot(2, VOID, MIB, 4 * MIB, 1 << 5)),
    Region("guest_memfd, which wants the other call", errno.EINVAL, Memslot(2, VOID, MIB, 4 * MIB, 1 << 2)),
    Region("no such address space", errno.EINVAL, Memslot(0x20002, VOID, MIB, 4 * MIB)),
    Region("larger than the guest-physical space", errno.EINVAL, Memslot(2, 0, 1 << 52, 0)),
    Region("delete with an unaligned offset", errno.EINVAL, Memslot(1, DATA, 0, 2 * MIB + 0x800)),
    Region("delete with an unknown flag", errno.EINVAL, Memslot(1, DATA, 0, 2 * MIB, 1 << 5)),
    Region("move and toggle LOG", 0, Memslot(1, VOID, 2 * MIB, 2 * MIB)),
    Region("move and toggle READONLY", errno.EINVAL, Memslot(1, VOID, 2 * MIB, 2 * MIB, LOG | READONLY)),
    Region("move and resize", errno.EINVAL, Memslot(1, VOID, MIB, 2 * MIB, LOG)),
    Region("READONLY in place of LOG", errno.EINVAL, Memslot(1, DATA, 2 * MIB, 2 * MIB, READONLY)),
    Region("delete what is not there", errno.EINVAL, Memslot(2, VOID, 0, 4 * MIB)),
    Region("resize", errno.EINVAL, Memslot(1, DATA, MIB, 2 * MIB, LOG)),
    Region("other backing", errno.EINVAL, Memslot(1, DATA, 2 * MIB, 4 * MIB, LOG)),
    Region("toggle READONLY", errno.EINVAL, Memslot(1, DATA, 2 * MIB, 2 * MIB, LOG | READONLY)),
    Region("beyond RAM", errno.EINVAL, Memslot(2, VOID, MIB, RAM)),
    Region("gpa wraps", errno.EINVAL, Memslot(2, (1 << 64) - MIB, 2 * MIB, 4 * MIB)),
    Region("overlap", errno.EEXIST, Memslot(2, VOID - PAGE_SIZE, MIB, 4 * MIB)),
    Region("move onto another", errno.EEXIST, Memslot(1, MIB, 2 * MIB, 2 * MIB, LOG)),
    Region("move", 0, Memslot(1, VOID, 2 * MIB, 2 * MIB, LOG)),
    Region("toggle LOG", 0, Memslot(1, DATA, 2 * MIB, 2 * MIB)),
    Region("READONLY and LOG", 0, Memslot(2, VOID, MIB, 4 * MIB, LOG | READONLY)),
    Region("same again", 0, Memslot(1, DATA, 2 * MIB, 2 * MIB, LOG)),
    Region("aliased backing", 0, Memslot(2, VOID, 2 * MIB, 2 * MIB)),
    Region("delete", 0, Memslot(1, DATA, 0, 2 * MIB)),
)
"""KVM_SET_USER_MEMORY_REGION on a Guest. A backing address of the kernel's half (EINVAL) cannot be written down: slots
are backed by an offset into RAM."""


class Log(Row, frozen=True):
    slot: int


LOGS = (
    Log("not logged", errno.ENOENT, 0),
    Log("not there", errno.ENOENT, 7),
    Log("id too large", errno.EINVAL, 32764),
    Log("no such address space", errno.EINVAL, 0x20001),
)
"""KVM_GET_DIRTY_LOG on a Guest. Address space 2: kernels with SMM have two (KVM_CAP_MULTI_ADDRESS_SPACE), none more."""


class Clear(Row, frozen=True):
    slot: int
    first_page: int
    num_pages: int


CLEARS = (
    Clear("whole slot", 0, 2, 0, 100),
    Clear("first word", 0, 2, 0, 64),
    Clear("to the end", 0, 2, 64, 36),
    Clear("nothing", 0, 2, 0, 0),
    Clear("nothing in the middle", 0, 2, 64, 0),
    Clear("first not of 64", errno.EINVAL, 2, 1, 64),
    Clear("number not of 64", errno.EINVAL, 2, 0, 32),
    Clear("number not of 64, short of the end", errno.EINVAL, 2, 0, 36),
    Clear("past the end by one", errno.EINVAL, 2, 64, 37),
    Clear("past the end by a word", errno.EINVAL, 2, 64, 64),
    Clear("beyond the slot", errno.EINVAL, 2, 128, 64),
    Clear("nothing, beyond the slot", errno.EINVAL, 2, 128, 0),
    Clear("more than the slot", errno.EINVAL, 2, 0, 128),
    Clear("more than anything", errno.EINVAL, 2, 0, 1 << 31),
    Clear("id too large", errno.EINVAL, 32764, 0, 64),
    Clear("no such address space", errno.EINVAL, 0x20002, 0, 64),
    Clear("not logged", errno.ENOENT, 0, 0, 64),
    Clear("not there", errno.ENOENT, 7, 0, 64),
    Clear("not there, nor of 64", errno.EINVAL, 7, 1, 64),
)
"""KVM_CLEAR_DIRTY_LOG on a Guest with CLEARED."""
CLEARED = Memslot(2, VOID, 100 * PAGE_SIZE, 4 * MIB, LOG)


class Size(Row, frozen=True):
    size: int


RINGS = (
    Size("0", errno.EINVAL, 0),
    Size("1024", errno.EINVAL, 1024),
    Size("2048", errno.EINVAL, 2048),
    Size("4096", 0, 4096),
    Size("5000", errno.EINVAL, 5000),
    Size("65536", 0, 65536),
    Size("1 MiB", 0, 1 << 20),
    Size("2 MiB", errno.E2BIG, 1 << 21),
    Size("4 GiB", errno.E2BIG, 1 << 32),
    Size("4 GiB and 4096", errno.EINVAL, (1 << 32) + 4096),
)
"""KVM_CAP_DIRTY_LOG_RING, in bytes."""


class Flags(Row, frozen=True):
    flags: int


MANUAL = (
    Flags("off", 0, 0),
    Flags("enable", 0, 1),
    Flags("enable, initially set", 0, 3),
    Flags("initially set alone", errno.EINVAL, 2),
    Flags("unknown flag", errno.EINVAL, 4),
)
"""KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2."""
