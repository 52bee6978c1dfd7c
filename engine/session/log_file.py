"""The event log on disk: length-prefixed msgpack in segments, of which the newest are kept.

A segment begins with its LogHeader, so each can be read alone. Bounded: a session that runs for days at full speed
loses its oldest segments, never its disk. When the disk takes no more, the log ends there and says so; the run goes on.
"""

import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from engine.model.events import AnyEvent, LogHeader

SEGMENT_BYTES = 32 << 20
SEGMENTS_KEPT = 4
_LENGTH = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()


class LogFile:
    """Writes `NAME.0`, `NAME.1`, ...; buffered, and flushed by flush(), from any thread."""

    def __init__(self, path: Path, header: LogHeader) -> None:
        self._path, self._header = path, _framed(_encoder.encode(header))
        self._segment = 0
        self._lock = threading.Lock()
        self._begin()

    def __call__(self, event: AnyEvent) -> None:
        self._attempt(lambda: self._write(_framed(_encoder.encode(event))))

    def flush(self) -> None:
        self._attempt(lambda: self._file.flush())

    def close(self) -> None:
        self._attempt(lambda: self._file.close())

    def _attempt(self, act: Callable[[], None]) -> None:
        """Nothing once the file is closed. An event that cannot be written must not stop whoever reports it."""
        with self._lock:
            if self._file.closed:
                return
            try:
                act()
            except OSError as error:
                sys.stderr.write(f"the event log ends here, {self._name(self._segment)}: {error}\n")
                self._file.raw.close()  # with what is buffered: to close the buffer would fail once more

    def _write(self, record: bytes) -> None:
        self._file.write(record)
        if self._file.tell() > SEGMENT_BYTES:
            self._file.close()
            self._segment += 1
            self._begin()
            self._name(self._segment - SEGMENTS_KEPT).unlink(missing_ok=True)

    def _begin(self) -> None:
        self._file = self._name(self._segment).open("wb")
        self._file.write(self._header)

    def _name(self, segment: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{segment}")


def read_segment(path: Path) -> tuple[LogHeader, Iterator[AnyEvent]]:
    """A segment's header and events; a torn last record, as kill -9 leaves it, ends the iteration."""
    records = _records(path.read_bytes())
    header = msgspec.msgpack.decode(next(records), type=LogHeader)
    decoder = msgspec.msgpack.Decoder(AnyEvent)
    return header, (decoder.decode(record) for record in records)


def _framed(record: bytes) -> bytes:
    return _LENGTH.pack(len(record)) + record


def _records(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 4 <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        if at + 4 + length > len(data):
            return
        yield data[at + 4 : at + 4 + length]
        at += 4 + length
