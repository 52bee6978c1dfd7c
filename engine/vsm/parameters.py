"""Input and output of a call: in memory (slow), in RDX and R8 (fast), or in those and XMM0 to XMM5 (XMM fast)."""

import msgspec

from engine.abi.tlfs import interface
from engine.abi.tlfs.status import HvStatus
from engine.model.rights import Access
from engine.vsm.call import Call, Layout, Parameters, size_of
from engine.vsm.control import InputValue
from engine.vsm.view import Memory, View

_XMM_BYTES = interface.XMM_FAST_SIZE - interface.FAST_SIZE


class Undefined(msgspec.Struct, frozen=True):
    """The guest gets #UD, as for an instruction that does not exist; nothing else happens."""


class Denied(msgspec.Struct, frozen=True):
    """A parameter page that the caller may not use: a memory intercept, not a status (TLFS, Alignment Requirements)."""

    gpa: int
    access: Access


Refusal = HvStatus | Undefined | Denied


class CallRegisters(msgspec.Struct, frozen=True, kw_only=True):
    """The registers of a hypercall on x64."""

    rcx: int
    rdx: int = 0
    r8: int = 0
    xmm: bytes = bytes(_XMM_BYTES)
    """XMM0 to XMM5."""

    @property
    def block(self) -> bytes:
        """RDX, R8 and XMM0 to XMM5 as the 112 bytes that they pass."""
        return self.rdx.to_bytes(8, "little") + self.r8.to_bytes(8, "little") + self.xmm

    def with_output(self, at: int, data: bytes) -> "CallRegisters":
        """With `data` at this offset of the block."""
        block = self.block[:at] + data + self.block[at + len(data) :]
        return msgspec.structs.replace(
            self,
            rdx=int.from_bytes(block[:8], "little"),
            r8=int.from_bytes(block[8:16], "little"),
            xmm=block[16:],
        )


class Room(msgspec.Struct, frozen=True):
    """What a call with this input value needs, in bytes, over all its reps."""

    header: int
    """Fixed and variable header: where the first element is."""
    input: int
    output: int

    @property
    def fast_output(self) -> int:
        """Offset of the output in the register block: the first pair without input (XMM Fast Hypercall Output)."""
        return -(-self.input // 16) * 16


def room(call: Call, control: InputValue) -> Room:
    header = call.header_size + control.variable_header * interface.ALIGNMENT
    elements = size_of(call.element) * control.rep_count
    output = size_of(call.output) + size_of(call.output_element) * control.rep_count
    return Room(header, header + elements, output)


def read_input(
    needs: Room, control: InputValue, registers: CallRegisters, memory: Memory, view: View
) -> bytes | Refusal:
    """The whole input list, once both lists are found to be where they may be."""
    if control.fast:
        return _from_registers(needs, registers, view)
    return _from_memory(needs, registers, memory, view)


def _from_registers(needs: Room, registers: CallRegisters, view: View) -> bytes | Refusal:
    partition = view.partition
    # Without the feature, an attempt is #UD (XMM Fast Hypercall Input and Output).
    if needs.input > interface.FAST_SIZE and not partition.xmm_input:
        return Undefined()
    if needs.output and not partition.xmm_output:
        return Undefined()
    # As in openvmm: input and output, each in whole XMM registers, must fit; TLFS gives no status.
    last = needs.fast_output + needs.output if needs.output else needs.input
    if last > interface.XMM_FAST_SIZE:
        return HvStatus.INVALID_HYPERCALL_INPUT
    return registers.block[: needs.input]


def _from_memory(needs: Room, registers: CallRegisters, memory: Memory, view: View) -> bytes | Refusal:
    for gpa, size in ((registers.rdx, needs.input), (registers.r8, needs.output)):
        status = _placed(gpa, size, view)
        if status is not HvStatus.SUCCESS:
            return status
    # "cannot overlap or cross page boundaries" (Alignment Requirements): one status for both.
    apart = registers.rdx + needs.input <= registers.r8 or registers.r8 + needs.output <= registers.rdx
    if needs.input and needs.output and not apart:
        return view.profile.page_crossing
    data = memory.read(registers.rdx, needs.input) if needs.input else b""
    if data is None:
        return Denied(registers.rdx, Access.READ)
    if needs.output and not memory.may_write(registers.r8):
        return Denied(registers.r8, Access.WRITE)
    return data


def _placed(gpa: int, size: int, view: View) -> HvStatus:
    """A list of no bytes may point anywhere. The order is openvmm's: pages before alignment."""
    if size == 0:
        return HvStatus.SUCCESS
    if size > interface.PAGE_SIZE - gpa % interface.PAGE_SIZE:
        return view.profile.page_crossing
    if gpa % interface.ALIGNMENT or not view.partition.is_gfn(gpa // interface.PAGE_SIZE):
        return HvStatus.INVALID_ALIGNMENT
    return HvStatus.SUCCESS


def elements(call: Call, needs: Room, data: bytes, reps: range) -> tuple[bytes, ...]:
    """Those of `reps`, as the list has them."""
    size = size_of(call.element)
    return tuple(data[needs.header + size * at : needs.header + size * (at + 1)] for at in reps) if size else ()


def decode(call: Call, needs: Room, control: InputValue, data: bytes, reps: range) -> Parameters:
    """Header, variable header, and the elements of `reps`."""
    size = size_of(call.element)
    elements = [_at(call.element, data, needs.header + size * index) for index in reps] if call.element else ()
    return Parameters(
        call.header.from_buffer_copy(data),
        data[call.header_size : call.header_size + control.variable_header * interface.ALIGNMENT],
        elements or [None] * len(reps),
    )


def _at(layout: Layout, data: bytes, offset: int) -> object:
    return layout.from_buffer_copy(data, offset)
