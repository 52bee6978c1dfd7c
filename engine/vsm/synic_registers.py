"""The registers of the SynIC (TLFS, SynIC MSRs). SIEFP is not kept: no event flag is ever signalled here."""

from functools import partial

from msgspec.structs import replace

from engine.abi.tlfs import interface
from engine.abi.tlfs.registers import RegisterName
from engine.abi.tlfs.status import HvStatus
from engine.abi.tlfs.synic import SINTS, VECTORS, Sint
from engine.vsm.effects import SetSynic
from engine.vsm.layout import of_bits
from engine.vsm.protection import is_own
from engine.vsm.register_rule import Changes, Rule
from engine.vsm.synic import end_of_message
from engine.vsm.synic_state import Synic
from engine.vsm.view import View


def _own(view: View, vp: int, vtl: int) -> Synic:
    return view.partition.vps[vp].vtls[vtl].synic


def _control(view: View, vp: int, vtl: int) -> int:
    return _own(view, vp, vtl).control


def _set_control(view: View, vp: int, vtl: int, value: int) -> Changes:
    return (SetSynic(vp, vtl, replace(_own(view, vp, vtl), control=value)),)


def _version(view: View, vp: int, vtl: int) -> int:
    return interface.SYNIC_VERSION


def _message_page(view: View, vp: int, vtl: int) -> int:
    return _own(view, vp, vtl).message_page


def _set_message_page(view: View, vp: int, vtl: int, value: int) -> Changes | HvStatus:
    if value & interface.SIMP_ENABLE and not (view.partition.is_gfn(value >> 12) and is_own(view, vtl, value >> 12)):
        return HvStatus.INVALID_REGISTER_VALUE
    return (SetSynic(vp, vtl, replace(_own(view, vp, vtl), message_page=value)),)


def _end_of_message(view: View, vp: int, vtl: int) -> int:
    return 0


def _set_end_of_message(view: View, vp: int, vtl: int, value: int) -> Changes:
    return end_of_message(view, vp, vtl)


def _source(number: int, view: View, vp: int, vtl: int) -> int:
    return _own(view, vp, vtl).sources[number]


def _set_source(number: int, view: View, vp: int, vtl: int, value: int) -> Changes | HvStatus:
    """A vector that is not valid is refused; a masked source may have any, as in Linux (synic_set_sint)."""
    new = of_bits(Sint, value)
    if new.vector not in VECTORS and not new.masked:
        return HvStatus.INVALID_REGISTER_VALUE
    own = _own(view, vp, vtl)
    sources = (*own.sources[:number], value, *own.sources[number + 1 :])
    return (SetSynic(vp, vtl, replace(own, sources=sources)),)


SYNIC_RULES: dict[int, Rule] = {
    RegisterName.SCONTROL: Rule(_control, _set_control),
    RegisterName.SVERSION: Rule(_version),
    RegisterName.SIMP: Rule(_message_page, _set_message_page),
    RegisterName.EOM: Rule(_end_of_message, _set_end_of_message),
} | {
    RegisterName.SINT0 + number: Rule(partial(_source, number), partial(_set_source, number)) for number in range(SINTS)
}
