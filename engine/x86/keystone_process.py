"""Keystone behind a process boundary with a deadline.

Some statements make keystone loop for ever inside one C call (measured: `.word 1,_`), where no exception reaches it;
a hostile scenario must not stop the process that checks it. One child serves all calls and is replaced when it hangs.
"""

import atexit
import os
import select
import subprocess
import sys
import threading
import time
from typing import IO

from engine.x86 import keystone_child
from engine.x86.keystone_child import ANSWER, REQUEST

DEADLINE = 1.0
"""Seconds for one call; a guest takes about a millisecond."""
PROBE = 0.25
"""Seconds for each of the calls that look for the line at fault after a hang."""
HUNG = -1
"""Error number when keystone did not answer in time, or died."""
_START = 20.0


class KeystoneProcess:
    """`encode` from any thread; one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def encode(self, text: str, base: int, deadline: float = DEADLINE) -> tuple[int, bytes]:
        """(0, code) or (keystone's error number, b"") or (HUNG, b"")."""
        with self._lock:
            child = self._running()
            try:
                return _ask(child, text.encode("ascii"), base, deadline)
            except (TimeoutError, OSError):
                self._stop()
                return HUNG, b""

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._child is None or self._child.poll() is not None:
            self._stop()
            command = [sys.executable, "-I", keystone_child.__file__]
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            # The first answer waits for Python and keystone to be loaded.
            _ask(self._child, b"nop", 0, _START)
        return self._child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def _ask(child: "subprocess.Popen[bytes]", text: bytes, base: int, seconds: float) -> tuple[int, bytes]:
    assert child.stdin is not None
    assert child.stdout is not None
    until = time.monotonic() + seconds
    child.stdin.write(REQUEST.pack(len(text), base) + text)
    error, length = ANSWER.unpack(_exactly(child.stdout, ANSWER.size, until))
    return error, _exactly(child.stdout, length, until)


def _exactly(pipe: IO[bytes], size: int, until: float) -> bytes:
    parts, waiting = bytearray(), select.poll()  # select(2) knows no descriptor above 1023, and a server has more
    waiting.register(pipe, select.POLLIN)
    while len(parts) < size:
        ready = waiting.poll(max(0.0, until - time.monotonic()) * 1000)
        part = os.read(pipe.fileno(), size - len(parts)) if ready else b""
        if not part:
            raise TimeoutError("keystone did not answer")
        parts += part
    return bytes(parts)


_shared = KeystoneProcess()
encode = _shared.encode
close = _shared.close
"""Lets the child go, 20 MB, until the next call; for processes that assemble once."""
atexit.register(close)
