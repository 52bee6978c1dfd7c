"""The process that keystone runs in: requests on stdin, answers on stdout, until stdin ends.

Request: length of text and base (`<IQ`), then the text in ASCII. Answer: keystone's error number or 0, and the length
of the code (`<II`), then the code.
"""

import signal
import struct
import sys
from typing import Any, BinaryIO

import keystone

REQUEST = struct.Struct("<IQ")
ANSWER = struct.Struct("<II")
_LONGEST = 30
"""Seconds that one text may take, far above what the parent waits."""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests one by one."""
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        length, base = REQUEST.unpack(head)
        error, code = _assemble(requests.read(length), base)
        answers.write(ANSWER.pack(error, len(code)) + code)
        answers.flush()


def _assemble(text: bytes, base: int) -> tuple[int, bytes]:
    # Its default action ends this process, should whoever asked be gone and keystone never return.
    signal.alarm(_LONGEST)
    engine: Any = keystone.Ks(keystone.KS_ARCH_X86, keystone.KS_MODE_64)
    try:
        code, _ = engine.asm(text, base, as_bytes=True)
    except keystone.KsError as error:
        return error.args[0], b""
    finally:
        signal.alarm(0)
    return 0, bytes(code or b"")


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
