"""/api/doctor: can this host do it, and if not, what would help."""

from typing import Any

from fastapi import APIRouter, HTTPException

from app.doctor.service import DoctorError
from app.services import AllServices

router = APIRouter(prefix="/api", tags=["doctor"])


@router.get("/doctor")
async def report(services: AllServices) -> dict[str, Any]:
    """Devices, permissions, capabilities and enforceable masks, each with its fix; as `ringfence doctor --json`."""
    try:
        return await services.doctor.report()
    except DoctorError as error:
        raise HTTPException(503, str(error)) from error
