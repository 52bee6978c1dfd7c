"""Translation through a guest's own tables: 4 KiB pages 0 to 511 onto themselves, except as a test changes them."""

import pytest
from msgspec.structs import replace

from engine.abi.tlfs.interface import PARTITION_ID_SELF, VP_INDEX_SELF, CallCode
from engine.abi.tlfs.memory import TranslateCode as Code
from engine.abi.tlfs.memory import TranslateFlags
from engine.abi.tlfs.parameters import TranslateVirtualAddress
from engine.abi.tlfs.registers import RegisterName as Name
from engine.abi.tlfs.status import HvStatus
from engine.model.rights import Rights
from engine.vsm import effects
from engine.vsm.dispatch import Served
from engine.vsm.layout import bits
from engine.vsm.view import Caller
from engine.x86.paging import ACCESSED, DIRTY, NO_EXECUTE, PRESENT, USER, WRITABLE
from tests.engine.vsm.partition import Partition

PML4, TABLE = 0x1000, 0x6000
UPPER = PRESENT | WRITABLE | USER
PAGE = 0x80


def partition(**entries: int) -> Partition:
    """With the page-table entries `p80=...` for page 0x80, and so on."""
    guest = Partition().enable(1)
    for at, value in ((PML4, 0x4000), (0x4000, 0x5000), (0x5000, TABLE)):
        put(guest, at, value | UPPER)
    for page in range(512):
        put(guest, TABLE + page * 8, page << 12 | PRESENT | WRITABLE)
    for name, value in entries.items():
        put(guest, TABLE + int(name[1:], 16) * 8, value)
    return guest


def put(guest: Partition, gpa: int, value: int) -> None:
    guest.memory[gpa : gpa + 8] = value.to_bytes(8, "little")


def translate(guest: Partition, page: int = PAGE, caller: int = 0, input_vtl: int = 0, **flags: int) -> Served:
    raw = bits(TranslateFlags, input_vtl=input_vtl, **flags)
    header = TranslateVirtualAddress(PARTITION_ID_SELF, VP_INDEX_SELF, 0, raw, page)
    return guest.call(CallCode.TranslateVirtualAddress, header, caller=Caller(0, caller))


def found(guest: Partition, page: int = PAGE, **flags: int) -> tuple[Code, int, int]:
    """(result code, gpa page, overlay bit)."""
    assert translate(guest, page, **flags).status is HvStatus.SUCCESS
    data = guest.output(16)
    return Code(int.from_bytes(data[:4], "little")), int.from_bytes(data[8:], "little"), data[5] & 1


def test_a_page_and_its_cache_type() -> None:
    guest = partition(p80=0x90 << 12 | PRESENT)
    assert found(guest) == (Code.SUCCESS, 0x90, 0)
    assert guest.output(16)[4] == 6


FAILURES = [
    ({"p80": 0}, {}, Code.PAGE_NOT_PRESENT),
    ({}, {"page": 0x200}, Code.PAGE_NOT_PRESENT),
    ({}, {"page": 1 << 47}, Code.PAGE_NOT_PRESENT),
    ({}, {"page": (1 << 64) - 1}, Code.PAGE_NOT_PRESENT),
    ({"p80": 0x80 << 12 | PRESENT}, {"validate_write": 1}, Code.SUCCESS),
    ({"p80": 0x80 << 12 | PRESENT | USER}, {"validate_write": 1, "user_access": 1}, Code.PRIVILEGE_VIOLATION),
    ({}, {"validate_read": 1, "user_access": 1}, Code.PRIVILEGE_VIOLATION),
    ({}, {"validate_read": 1, "user_access": 1, "privilege_exempt": 1}, Code.SUCCESS),
    ({"p80": 0x80 << 12 | PRESENT | NO_EXECUTE}, {"validate_execute": 1}, Code.PRIVILEGE_VIOLATION),
    ({"p80": 0x80 << 12 | PRESENT | NO_EXECUTE}, {"validate_read": 1}, Code.SUCCESS),
    ({"p80": 0x100 << 12 | PRESENT}, {}, Code.GPA_UNMAPPED),
]


@pytest.mark.parametrize(("entries", "asked", "code"), FAILURES)
def test_what_a_walk_comes_to(entries: dict[str, int], asked: dict[str, int], code: Code) -> None:
    assert found(partition(**entries), **asked)[0] is code


def test_write_protection_binds_the_kernel_only_with_wp() -> None:
    guest = partition(p80=0x80 << 12 | PRESENT)
    guest.registers[0, 0, Name.CR0] |= 1 << 16
    assert found(guest, validate_write=1)[0] is Code.PRIVILEGE_VIOLATION


def test_a_table_that_is_nowhere() -> None:
    guest = partition()
    put(guest, PML4, 0x100_000 | UPPER)
    assert found(guest)[0] is Code.GPA_UNMAPPED


def test_nx_without_efer_nxe_is_a_reserved_bit() -> None:
    guest = partition(p80=0x80 << 12 | PRESENT | NO_EXECUTE)
    guest.registers[0, 0, Name.EFER] &= ~(1 << 11)
    assert found(guest)[0] is Code.INVALID_PAGE_TABLE_FLAGS


@pytest.mark.parametrize(
    ("mask", "flag", "code"),
    [
        (Rights.NONE, "validate_read", Code.GPA_NO_READ_ACCESS),
        (Rights.R, "validate_write", Code.GPA_NO_WRITE_ACCESS),
        (Rights.RW, "validate_execute", Code.INTERCEPT),
        (Rights.RWX, "validate_execute", Code.SUCCESS),
    ],
)
def test_masks_of_higher_vtls(mask: Rights, flag: str, code: Code) -> None:
    guest = partition()
    guest.masks[1, 0, PAGE] = mask
    assert found(guest, **{flag: 1})[0] is code


def test_an_overlay_covers_what_is_under_it() -> None:
    guest = partition(p80=0x100 << 12 | PRESENT)
    guest.partition = guest.partition.with_vtl(0, lambda old: replace(old, hypercall=0x100_001))
    assert found(guest) == (Code.SUCCESS, 0x100, 1)
    assert found(guest, validate_write=1) == (Code.GPA_ILLEGAL_OVERLAY_ACCESS, 0x100, 1)
    guest.partition = guest.partition.with_vp_vtl(0, 0, lambda old: replace(old, assist_page=0x80_001))
    assert found(partition(p80=0x80 << 12 | PRESENT))[2] == 0
    put(guest, TABLE + 0x80 * 8, 0x80 << 12 | PRESENT)
    assert found(guest) == (Code.SUCCESS, 0x80, 1)


def test_accessed_and_dirty_bits_on_request() -> None:
    guest = partition()
    translate(guest, set_page_table_bits=1, validate_write=1)
    entry = int.from_bytes(guest.memory[TABLE + PAGE * 8 : TABLE + PAGE * 8 + 8], "little")
    assert entry & (ACCESSED | DIRTY) == ACCESSED | DIRTY
    top = int.from_bytes(guest.memory[PML4 : PML4 + 8], "little")
    assert top & (ACCESSED | DIRTY) == ACCESSED
    assert len([effect for effect in guest.effects if isinstance(effect, effects.WriteMemory)]) == 5


def test_without_paging_an_address_is_its_own() -> None:
    guest = partition()
    guest.registers[0, 0, Name.CR0] = 1
    assert found(guest) == (Code.SUCCESS, PAGE, 0)


def test_paging_that_is_not_modelled() -> None:
    guest = partition()
    guest.registers[0, 0, Name.EFER] = 0
    assert translate(guest).status is HvStatus.INVALID_VP_STATE


def test_a_higher_vtl_may_lock_the_tlb_while_it_looks() -> None:
    guest = partition()
    assert translate(guest, caller=1, input_vtl=0x10, tlb_flush_inhibit=1).status is HvStatus.SUCCESS
    assert guest.partition.vps[0].tlb_locked(0)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"input_vtl": 0x11}, HvStatus.ACCESS_DENIED),
        ({"input_vtl": 0x20}, HvStatus.INVALID_PARAMETER),
        ({"tlb_flush_inhibit": 1}, HvStatus.INVALID_PARAMETER),
        ({"reserved": 1}, HvStatus.INVALID_PARAMETER),
    ],
)
def test_what_is_refused(fields: dict[str, int], status: HvStatus) -> None:
    assert translate(partition(), **fields).status is status
