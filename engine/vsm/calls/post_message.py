"""HvCallPostMessage: sends a message to a connection. A partition of ours has none, so that no message arrives."""

from engine.abi.tlfs import parameters
from engine.abi.tlfs.interface import PRIVILEGE_POST_MESSAGES, CallCode
from engine.abi.tlfs.messages import MESSAGE_PAYLOAD
from engine.abi.tlfs.status import HvStatus
from engine.vsm.call import Call, Parameters, RepResult, refuse
from engine.vsm.targets import has_privileges, is_zero
from engine.vsm.view import Caller, View

_HYPERVISORS_OWN = 1 << 31
"""In a message type: one that no guest sends."""


def post(caller: Caller, view: View, given: Parameters) -> RepResult:
    """The statuses are those of the call's table of return values, the more secure ones first."""
    header = given.header
    if not has_privileges(view, PRIVILEGE_POST_MESSAGES):
        return refuse(HvStatus.ACCESS_DENIED)
    kind: int = header.message_type
    if kind == 0 or kind & _HYPERVISORS_OWN or header.payload_size > MESSAGE_PAYLOAD or not is_zero(header.rsvdz):
        return refuse(HvStatus.INVALID_PARAMETER)
    return refuse(HvStatus.INVALID_CONNECTION_ID)


POST_MESSAGE = Call(code=CallCode.PostMessage, header=parameters.PostMessage, function=post)
