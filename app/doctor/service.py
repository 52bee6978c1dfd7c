"""Asks the doctor, one process at a time: who asks meanwhile, or right after, gets the same answer."""

import asyncio
import time
from typing import Any

import msgspec

from app.children import spawn

_SECONDS = 20.0
_FRESH = 2.0
"""Seconds for which a report is still true."""


class DoctorError(Exception):
    """It did not finish; the text says its last words."""


class Doctor:
    """Anybody may ask, as often as they like, so that it must cost no more than one process."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._report: dict[str, Any] = {}
        self._asked_at = -_FRESH

    async def report(self) -> dict[str, Any]:
        """As `ringfence doctor --json`; DoctorError."""
        async with self._turn:
            if time.monotonic() - self._asked_at >= _FRESH:
                self._report = await _ask()
                self._asked_at = time.monotonic()
            return self._report


async def _ask() -> dict[str, Any]:
    child = await spawn("app.doctor.report_process", {})
    try:
        async with asyncio.timeout(_SECONDS):
            text = await child.reader.read(-1)
    except TimeoutError:
        text = b""
    finally:
        child.kill()
        await child.wait(1.0)
    if not text:
        raise DoctorError(f"the doctor did not finish: {child.last_words}")
    return msgspec.json.decode(text)
