"""/api/doctor: can this host do it, and if not, what would help."""

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter

from engine.session import doctor

router = APIRouter(prefix="/api", tags=["doctor"])


@router.get("/doctor")
async def report() -> dict[str, Any]:
    """Devices, permissions, capabilities and enforceable masks, each with its fix; as `ringfence doctor --json`."""
    return msgspec.to_builtins(await asyncio.to_thread(doctor.report))
