"""/api/scenarios: save, read and check."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from app.scenarios import service
from app.scenarios.schemas import CheckedOut, Problems, SavedOut, ScenarioList, ScenarioOut
from app.scenarios.service import ScenarioService
from app.security.limits import MAX_SCENARIO
from app.services import AllServices, Owner, Reading, Unhurried, Writing
from engine.model import schema

router = APIRouter(prefix="/api", tags=["scenarios"])

_TEXT_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/yaml": {"schema": {"type": "string"}}}}
}


async def body_text(request: Request) -> bytes:
    """The body, which is a scenario's text; 413 when it is too long for one."""
    body = await request.body()
    if len(body) > MAX_SCENARIO:
        raise HTTPException(413, f"a scenario has at most {MAX_SCENARIO} bytes")
    return body


@router.get("/scenario.schema.json")
async def scenario_schema() -> dict[str, Any]:
    """JSON Schema of the scenario file."""
    return schema.scenario_schema()


@router.get("/scenarios")
async def list_scenarios(services: AllServices, owner: Owner, session: Reading) -> ScenarioList:
    """The built-in ones, and what you saved."""
    scenarios = ScenarioService(session)
    builtins = [await scenarios.get(scenario_id) for scenario_id in services.builtins.ids]
    own = await scenarios.own(owner)
    return ScenarioList(builtins=list(map(service.summary, builtins)), own=list(map(service.summary, own)))


@router.get("/scenarios/{scenario_id}", response_model=ScenarioOut)
async def get_scenario(
    scenario_id: str, session: Reading, format: Annotated[Literal["json", "yaml"], Query()] = "json"
) -> ScenarioOut | Response:
    """One scenario: canonical JSON, or with `format=yaml` as a person would write it."""
    scenario = await ScenarioService(session).get(scenario_id)
    if format == "yaml":
        return Response(service.text(scenario), media_type="application/yaml")
    return service.full(scenario)


@router.post(
    "/scenarios",
    status_code=201,
    response_model=SavedOut,
    responses={422: {"model": Problems}},
    dependencies=[Unhurried],
    openapi_extra=_TEXT_BODY,
)
async def save_scenario(
    request: Request, services: AllServices, owner: Owner, session: Writing, parent: str | None = None
) -> SavedOut | Response:
    """Save YAML or JSON under the hash of its content. The same scenario always gets the same link."""
    checked = await services.checker.check(await body_text(request))
    if checked.problems:
        return JSONResponse(Problems(problems=checked.problems_out()).model_dump(), 422)
    await ScenarioService(session).save(owner, checked, parent)
    return SavedOut(id=checked.id, url=f"/s/{checked.id}")


@router.post("/scenarios/check", dependencies=[Unhurried], openapi_extra=_TEXT_BODY)
async def check_scenario(request: Request, services: AllServices) -> CheckedOut:
    """What is wrong with it, or what its vCPUs would execute. Nothing is stored."""
    checked = await services.checker.check(await body_text(request))
    return CheckedOut(problems=checked.problems_out(), id=checked.id or None, listings=checked.listings_out())
