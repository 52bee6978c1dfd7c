"""Do this host's hypervisors keep the contract: the report as JSON, and a page that follows it."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.conformance.view import ConformancePage, ConformancePart, view
from app.render import by_htmx, page
from app.services import AllServices, Unhurried

api = APIRouter(prefix="/api/conformance", tags=["conformance"])
pages = APIRouter(prefix="/conformance", include_in_schema=False, default_response_class=Response)
routers = (api, pages)


@api.get("")
async def report(services: AllServices) -> dict[str, Any]:
    """As `ringfence conformance --json`; `state` is new, running or done, and while it runs answers are missing."""
    return msgspec.to_builtins(services.conformance.report)


@api.post("", status_code=202, dependencies=[Unhurried])
async def start(services: AllServices) -> dict[str, Any]:
    """Starts an examination, unless one is under way; the report as it is now."""
    services.conformance.start()
    return msgspec.to_builtins(services.conformance.report)


@pages.get("")
async def show(services: AllServices) -> Response:
    return page(ConformancePage(view(services.conformance.report)))


@pages.get("/report")
async def show_report(services: AllServices) -> Response:
    """A partial; it asks for itself again while an examination is under way."""
    return page(ConformancePart(view(services.conformance.report)))


@pages.post("/run", dependencies=[Unhurried])
async def run(request: Request, services: AllServices) -> Response:
    services.conformance.start()
    if by_htmx(request):
        return page(ConformancePart(view(services.conformance.report)))
    return RedirectResponse("/conformance", 303)
