"""HvCallSignalEvent: sets an event flag at the other end of a connection. A partition of ours has none."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import PRIVILEGE_SIGNAL_EVENTS, CallCode
from engine.abi.tlfs.status import HvStatus
from engine.vsm.call import Call, Parameters, RepResult, refuse
from engine.vsm.targets import has_privileges, is_zero
from engine.vsm.view import Caller, View


def signal(caller: Caller, view: View, given: Parameters) -> RepResult:
    """The statuses are those of the call's table of return values, the more secure ones first."""
    if not has_privileges(view, PRIVILEGE_SIGNAL_EVENTS):
        return refuse(HvStatus.ACCESS_DENIED)
    if not is_zero(given.header.rsvdz):
        return refuse(HvStatus.INVALID_PARAMETER)
    return refuse(HvStatus.INVALID_CONNECTION_ID)


SIGNAL_EVENT = Call(code=CallCode.SignalEvent, header=parameters.SignalEvent, function=signal)
