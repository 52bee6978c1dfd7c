"""HvCallGetVpRegisters and HvCallSetVpRegisters: registers of a processor in a VTL not above the caller's."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import PRIVILEGE_ACCESS_VP_REGISTERS, CallCode
from engine.abi.tlfs.registers import RegisterName
from engine.abi.tlfs.status import HvStatus
from engine.vsm.ahead import Ahead
from engine.vsm.call import Call, Parameters, RepResult, refuse
from engine.vsm.effects import AnyEffect, SetRegister
from engine.vsm.targets import has_privileges, input_vtl, is_self, is_zero, processor, visible_vtl
from engine.vsm.view import Caller, View
from engine.vsm.vsm_registers import RULES

_64_BITS = (1 << 64) - 1
_XMM = range(RegisterName.XMM0, RegisterName.XMM0 + 16)
_WIDE = frozenset({RegisterName.PENDING_EVENT0, *_XMM, *range(0x60000, 0x70002)})
"""128 bits: segment and table registers too."""


def get(caller: Caller, view: View, given: Parameters) -> RepResult:
    who = _who(caller, view, given)
    if isinstance(who, HvStatus):
        return refuse(who)
    found = b""
    for done, rep in enumerate(given.reps):
        value = _read(view, *who, rep.name)
        if isinstance(value, HvStatus):
            return RepResult(value, done, output=found)
        found += value.to_bytes(16, "little")
    return RepResult(HvStatus.SUCCESS, len(given.reps), output=found)


def set_(caller: Caller, view: View, given: Parameters) -> RepResult:
    """Each rep sees what those before it changed."""
    who = _who(caller, view, given)
    if isinstance(who, HvStatus):
        return refuse(who)
    changes: tuple[AnyEffect, ...] = ()
    for done, rep in enumerate(given.reps):
        if not is_zero(rep.rsvdz):
            return RepResult(HvStatus.INVALID_PARAMETER, done, changes)
        more = _write(Ahead(view, changes), *who, rep.name, rep.low | rep.high << 64)
        if isinstance(more, HvStatus):
            return RepResult(more, done, changes)
        changes += more
    return RepResult(HvStatus.SUCCESS, len(given.reps), changes)


def _who(caller: Caller, view: View, given: Parameters) -> tuple[int, int] | HvStatus:
    """The processor and the VTL. The order is openvmm's; TLFS says which errors matter more, not which come first."""
    header = given.header
    # Restrictions: "self", with the AccessVpRegisters privilege.
    if not has_privileges(view, PRIVILEGE_ACCESS_VP_REGISTERS):
        return HvStatus.ACCESS_DENIED
    if not is_self(header.partition_id):
        return view.profile.foreign_partition
    vp = processor(caller, view, header.vp_index)
    if vp is None:
        return HvStatus.INVALID_VP_INDEX
    if not is_zero(header.rsvdz):
        return HvStatus.INVALID_PARAMETER
    vtl = input_vtl(header.input_vtl, caller.vtl)
    if isinstance(vtl, HvStatus):
        return vtl
    status = visible_vtl(caller, view, vp, vtl)
    return (vp, vtl) if status is HvStatus.SUCCESS else status


def _read(view: View, vp: int, vtl: int, name: int) -> int | HvStatus:
    """INVALID_PARAMETER for a register that is not kept: so openvmm, and so expect the kvm-unit-tests for VSM."""
    if name in RULES:
        return RULES[name].read(view, vp, vtl)
    value = view.register(vp, vtl, name)
    return HvStatus.INVALID_PARAMETER if value is None else value


def _write(view: View, vp: int, vtl: int, name: int, value: int) -> tuple[AnyEffect, ...] | HvStatus:
    rule = RULES.get(name)
    if rule is None and view.register(vp, vtl, name) is None:
        return HvStatus.INVALID_PARAMETER
    if rule is not None and rule.write is None:
        return HvStatus.INVALID_PARAMETER
    # "specified bits beyond the architectural size of the register are zeroed" (HvCallSetVpRegisters).
    if value > _64_BITS and name not in _WIDE:
        return HvStatus.INVALID_REGISTER_VALUE
    if rule is not None and rule.write is not None:
        return rule.write(view, vp, vtl, value)
    return (SetRegister(vp, vtl, name, value),)


GET_VP_REGISTERS = Call(
    code=CallCode.GetVpRegisters,
    header=parameters.VpRegistersHeader,
    element=parameters.RegisterNameElement,
    output_element=parameters.RegisterValue,
    function=get,
)
SET_VP_REGISTERS = Call(
    code=CallCode.SetVpRegisters,
    header=parameters.VpRegistersHeader,
    element=parameters.RegisterAssociation,
    function=set_,
)
