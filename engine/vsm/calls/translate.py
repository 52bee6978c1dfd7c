"""HvCallTranslateVirtualAddress: where a page of a VTL's virtual addresses lies, and whether it may be used so."""

from msgspec.structs import replace

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import PRIVILEGE_ACCESS_VP_REGISTERS, CallCode
from engine.abi.tlfs.memory import CacheType, TranslateCode, TranslateFlags, TranslateResult
from engine.abi.tlfs.status import HvStatus
from engine.model.address import PAGE_SHIFT
from engine.model.rights import Rights
from engine.vsm.call import Call, Parameters, RepResult, refuse, succeed
from engine.vsm.effects import AnyEffect, SetSecureConfig, WriteMemory
from engine.vsm.layout import bits, of_bits
from engine.vsm.page_walk import Page, Wanted, find_page
from engine.vsm.protection import effective
from engine.vsm.targets import has_privileges, input_vtl, is_self, processor, visible_vtl
from engine.vsm.view import Caller, View

_TLB_LOCKED = 0b10


def translate(caller: Caller, view: View, given: Parameters) -> RepResult:
    """A translation that fails is an answer, with its code, not a status. The order of checks is that of
    HvCallGetVpRegisters."""
    header, flags = given.header, of_bits(TranslateFlags, given.header.flags)
    if not has_privileges(view, PRIVILEGE_ACCESS_VP_REGISTERS):
        return refuse(HvStatus.ACCESS_DENIED)
    if not is_self(header.partition_id):
        return refuse(view.profile.foreign_partition)
    vp = processor(caller, view, header.vp_index)
    if vp is None:
        return refuse(HvStatus.INVALID_VP_INDEX)
    vtl = input_vtl(flags.input_vtl, caller.vtl)
    if isinstance(vtl, HvStatus):
        return refuse(vtl)
    status = visible_vtl(caller, view, vp, vtl)
    if status is not HvStatus.SUCCESS:
        return refuse(status)
    # Only a higher VTL can lock the TLB of a lower one (Configuring Lower VTLs).
    if flags.reserved or (flags.tlb_flush_inhibit and vtl >= caller.vtl):
        return refuse(HvStatus.INVALID_PARAMETER)
    page = find_page(view, vp, vtl, header.gva_page, _wanted(view, vp, vtl, flags))
    if isinstance(page, HvStatus):
        return refuse(page)
    marks = flags.set_page_table_bits and page.code is TranslateCode.SUCCESS
    marked = page.marked(bool(flags.validate_write)) if marks else []
    if not all(Rights.W in effective(view, vtl, gpa >> PAGE_SHIFT) for gpa, _ in marked):
        # All entries are marked or none.
        page, marked = replace(page, code=TranslateCode.GPA_NO_WRITE_ACCESS), []
    return succeed(*_effects(caller, view, vp, vtl, flags, marked), output=_output(page))


def _wanted(view: View, vp: int, vtl: int, flags: TranslateFlags) -> Wanted:
    user = bool(flags.user_access) or (not flags.supervisor_access and view.cpl(vp, vtl) == 3)
    return Wanted(
        read=bool(flags.validate_read),
        write=bool(flags.validate_write),
        execute=bool(flags.validate_execute),
        user=user,
        exempt=bool(flags.privilege_exempt),
    )


def _effects(
    caller: Caller, view: View, vp: int, vtl: int, flags: TranslateFlags, marked: list[tuple[int, int]]
) -> list[AnyEffect]:
    found: list[AnyEffect] = [WriteMemory(gpa, value.to_bytes(8, "little"), vtl) for gpa, value in marked]
    if flags.tlb_flush_inhibit:
        old = view.partition.vps[vp].vtls[caller.vtl].secure[vtl]
        found.append(SetSecureConfig(vp, caller.vtl, vtl, old | _TLB_LOCKED))
    return found


def _output(page: Page) -> bytes:
    result = bits(
        TranslateResult,
        code=page.code,
        cache_type=CacheType.WRITE_BACK if page.code is TranslateCode.SUCCESS else CacheType.UNCACHED,
        overlay_page=page.overlay,
    )
    return bytes(parameters.Translated(result, page.gfn))


TRANSLATE_VIRTUAL_ADDRESS = Call(
    code=CallCode.TranslateVirtualAddress,
    header=parameters.TranslateVirtualAddress,
    output=parameters.Translated,
    function=translate,
)
