"""The pages: the lab, the editor, the list, help; and the forms of the editor."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from app.render import (
    EditPage,
    HelpPage,
    LabPage,
    ListingPart,
    ProblemsPart,
    ScenariosPage,
    ScenarioView,
    by_htmx,
    page,
)
from app.scenarios import service
from app.scenarios.checking import Checked
from app.scenarios.service import ScenarioService
from app.security.limits import MAX_SCENARIO
from app.services import AllServices, Owner, Reading, Unhurried, Writing

router = APIRouter(include_in_schema=False, default_response_class=Response)

Typed = Annotated[str, Form(max_length=MAX_SCENARIO)]
Parent = Annotated[str, Form(max_length=32)]


@router.get("/")
async def front(services: AllServices, session: Reading) -> Response:
    return await _lab(services.builtins.default, services, session)


@router.get("/s/{scenario_id}")
async def lab(scenario_id: str, services: AllServices, session: Reading) -> Response:
    return await _lab(scenario_id, services, session)


@router.get("/s/{scenario_id}/edit")
async def edit(scenario_id: str, session: Reading) -> Response:
    scenario, parent = await _with_parent(scenario_id, session)
    return page(EditPage(scenario=scenario, parent=parent, problems=(), listings=()))


@router.get("/s/{scenario_id}/scenario.yaml")
async def download_yaml(scenario_id: str, session: Reading) -> Response:
    scenario = await ScenarioService(session).get(scenario_id)
    return _download(service.text(scenario), f"{scenario_id}.yaml", "application/yaml")


@router.get("/s/{scenario_id}/scenario.json")
async def download_json(scenario_id: str, session: Reading) -> Response:
    scenario = await ScenarioService(session).get(scenario_id)
    return _download(service.plain_json(scenario), f"{scenario_id}.json", "application/json")


@router.get("/scenarios")
async def scenarios(services: AllServices, owner: Owner, session: Reading) -> Response:
    stored = ScenarioService(session)
    builtins = [service.view(await stored.get(one)) for one in services.builtins.ids]
    own = [service.view(one) for one in await stored.own(owner)]
    labs = {scenario: name for name, scenario in services.builtins.labs.items()}
    return page(ScenariosPage(builtins=builtins, own=own, labs=labs))


@router.get("/help")
async def help_page() -> Response:
    return page(HelpPage())


@router.post("/edit/check", dependencies=[Unhurried])
async def edit_check(services: AllServices, yaml: Typed = "") -> Response:
    """A partial: the problems, or the code of every vCPU."""
    checked = await services.checker.check(yaml.encode())
    if checked.problems:
        return page(ProblemsPart(problems=checked.problems_out()))
    return page(ListingPart(listings=checked.listings_out()))


@router.post("/edit/save", dependencies=[Unhurried])
async def edit_save(
    request: Request, services: AllServices, owner: Owner, session: Writing, yaml: Typed = "", parent: Parent = ""
) -> Response:
    """On to the new link; or the problems, with what was typed left as it is."""
    checked = await services.checker.check(yaml.encode())
    if not checked.problems:
        await ScenarioService(session).save(owner, checked, parent or None)
        return _go(request, f"/s/{checked.id}")
    if by_htmx(request):
        return page(ProblemsPart(problems=checked.problems_out()), 422)
    return await _form(parent or services.builtins.default, yaml, checked, session, 422)


@router.post("/edit/import", dependencies=[Unhurried])
async def edit_import(services: AllServices, session: Reading, file: UploadFile, parent: Parent = "") -> Response:
    """The editor, filled with an uploaded file."""
    content = await file.read(MAX_SCENARIO + 1)
    if len(content) > MAX_SCENARIO:
        raise HTTPException(413, f"a scenario has at most {MAX_SCENARIO} bytes")
    checked = await services.checker.check(content)
    typed = content.decode(errors="replace")
    return await _form(parent or services.builtins.default, typed, checked, session)


async def _lab(scenario_id: str, services: AllServices, session: Reading) -> Response:
    scenario, parent = await _with_parent(scenario_id, session)
    lab = services.builtins.lab_of(scenario.id, parent.id if parent else "")
    return page(LabPage(scenario=scenario, parent=parent, lab=lab))


async def _with_parent(scenario_id: str, session: Reading) -> tuple[ScenarioView, ScenarioView | None]:
    stored = ScenarioService(session)
    scenario = await stored.get(scenario_id)
    parent = await stored.parent(scenario)
    return service.view(scenario), parent and service.view(parent)


async def _form(scenario_id: str, typed: str, checked: Checked, session: Reading, status: int = 200) -> Response:
    """The editor of a scenario, with other text in it."""
    scenario, parent = await _with_parent(scenario_id, session)
    kept = ScenarioView(scenario.id, checked.name or scenario.name, checked.about, typed)
    form = EditPage(scenario=kept, parent=parent, problems=checked.problems_out(), listings=checked.listings_out())
    return page(form, status)


def _go(request: Request, url: str) -> Response:
    if by_htmx(request):
        return Response(status_code=204, headers={"HX-Redirect": url})
    return RedirectResponse(url, 303)


def _download(text: str, name: str, media_type: str) -> Response:
    return Response(text, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
