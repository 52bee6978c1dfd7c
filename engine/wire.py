"""Messages between the web process and an engine process: length-prefixed msgpack over a socket pair.

Four bytes of little-endian length, then one tagged message. The engine speaks first with Hello.
"""

import asyncio
import socket
import struct
from typing import TypeVar

import msgspec

from engine.hypervisor.contract.capabilities import Capabilities
from engine.model.commands import AnyCommand
from engine.model.scenario import HypervisorChoice

WIRE_VERSION = 2
MAX_MESSAGE = 64 << 20
_LENGTH = struct.Struct("<I")


class Message(msgspec.Struct, frozen=True, tag_field="m"):
    """Anything on the wire."""


class Start(Message, frozen=True, tag="start"):
    """Build the machine and begin paused. `log_path`: file for the event log, or empty for none."""

    scenario: bytes
    hypervisor: HypervisorChoice
    log_path: str = ""


class Do(Message, frozen=True, tag="do"):
    """Carry out a command; answered by Reply with the same id."""

    id: int
    command: AnyCommand


class Look(Message, frozen=True, tag="look"):
    """Read `size` bytes of guest memory at `gpa`; answered by Seen with the same id."""

    id: int
    gpa: int
    size: int


class WantKeyframe(Message, frozen=True, tag="keyframe"):
    """The next frame must be a keyframe (somebody joined)."""


class Quit(Message, frozen=True, tag="quit"):
    """Close everything and exit 0."""


class Hello(Message, frozen=True, tag="hello"):
    version: int
    pid: int


class Started(Message, frozen=True, tag="started"):
    capabilities: Capabilities
    why_not_kvm: str


class Refused(Message, frozen=True, tag="refused"):
    """Start failed; `kind` is `missing` (no such hypervisor here), `scenario` or `error`. The engine exits."""

    kind: str
    reason: str


class Reply(Message, frozen=True, tag="reply"):
    """`error` is empty when the command was carried out."""

    id: int
    error: str


class Seen(Message, frozen=True, tag="seen"):
    """`data`, or in `error` why there is none."""

    id: int
    data: bytes
    error: str = ""


class FrameReady(Message, frozen=True, tag="frame"):
    """docs/frame.md; `keyframe` repeats the header's flag so that the hub need not look inside."""

    seq: int
    keyframe: bool
    data: bytes


ToEngine = Start | Do | Look | WantKeyframe | Quit
FromEngine = Hello | Started | Refused | Reply | Seen | FrameReady

T = TypeVar("T")
to_engine = msgspec.msgpack.Decoder(ToEngine)
from_engine = msgspec.msgpack.Decoder(FromEngine)
_encoder = msgspec.msgpack.Encoder()


def pack(message: Message) -> bytes:
    """The message with its length in front."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


async def receive(reader: asyncio.StreamReader, decoder: "msgspec.msgpack.Decoder[T]") -> T:
    """The next message; asyncio.IncompleteReadError at the end of the stream, ValueError when it is too long."""
    (length,) = _LENGTH.unpack(await reader.readexactly(4))
    return decoder.decode(await reader.readexactly(_bounded(length)))


def receive_blocking(sock: socket.socket, decoder: "msgspec.msgpack.Decoder[T]") -> T | None:
    """The next message from a blocking socket; None at the end of the stream."""
    head = _exactly(sock, 4)
    if head is None:
        return None
    body = _exactly(sock, _bounded(_LENGTH.unpack(head)[0]))
    return None if body is None else decoder.decode(body)


def _bounded(length: int) -> int:
    if length > MAX_MESSAGE:
        raise ValueError(f"message of {length} bytes: at most {MAX_MESSAGE} are allowed")
    return length


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(size - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)
