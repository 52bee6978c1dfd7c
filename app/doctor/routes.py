"""/api/doctor: can this host do it, and if not, what would help."""

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter, HTTPException

from app.children import spawn

router = APIRouter(prefix="/api", tags=["doctor"])

_SECONDS = 20.0


@router.get("/doctor")
async def report() -> dict[str, Any]:
    """Devices, permissions, capabilities and enforceable masks, each with its fix; as `ringfence doctor --json`."""
    child = await spawn("app.doctor.report_process", {})
    try:
        async with asyncio.timeout(_SECONDS):
            text = await child.reader.read(-1)
    except TimeoutError:
        child.kill()
        text = b""
    await child.wait(1.0)
    if not text:
        raise HTTPException(503, f"the doctor did not finish: {child.last_words}")
    return msgspec.json.decode(text)
