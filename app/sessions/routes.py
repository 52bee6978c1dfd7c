"""/api/sessions: start, ask, command and close."""

from typing import Annotated, Any, get_args

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request

from app.scenarios.service import ScenarioService
from app.services import AllServices, Owner, Reading, Unhurried
from app.sessions.host import EngineRefusedError
from app.sessions.schemas import Done, ErrorOut, MemoryOut, SessionIn, SessionOut
from app.sessions.service import CapReachedError
from engine.model.address import PAGE_SIZE
from engine.model.commands import AnyCommand
from engine.model.scenario import HypervisorChoice
from engine.model.text import from_canonical

router = APIRouter(prefix="/api/sessions", tags=["sessions"])

_ERRORS: dict[int | str, dict[str, Any]] = {code: {"model": ErrorOut} for code in (404, 409, 422, 429, 503)}
_COMMAND_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object", "required": ["do"], "properties": {
            "do": {"enum": [kind.__struct_config__.tag for kind in get_args(AnyCommand)]}
        }}}},
    }
}  # fmt: skip
Gpa = Annotated[int, Query(ge=0, lt=1 << 52)]
Size = Annotated[int, Query(ge=1, le=PAGE_SIZE)]
_STATUS = {"missing": 503, "scenario": 422, "error": 503}
_commands = msgspec.json.Decoder(AnyCommand)


@router.post("", status_code=201, responses=_ERRORS, dependencies=[Unhurried])
async def start_session(wish: SessionIn, services: AllServices, owner: Owner, session: Reading) -> SessionOut:
    """A machine of its own for a stored scenario, paused."""
    stored = await ScenarioService(session).get(wish.scenario)
    body = stored.body.encode()
    try:
        live = await services.sessions.start(owner, stored.id, body, _choice(wish, body))
    except CapReachedError as error:
        raise HTTPException(503 if error.whole_server else 409, str(error)) from error
    except EngineRefusedError as error:
        raise HTTPException(_STATUS.get(error.kind, 503), error.reason) from error
    return SessionOut.of(live)


@router.get("")
async def list_sessions(services: AllServices, owner: Owner) -> list[SessionOut]:
    """Yours, the live ones and those that ended lately."""
    return [SessionOut.of(session) for session in services.sessions.of(owner)]


@router.get("/{session_id}", responses=_ERRORS)
async def get_session(session_id: str, services: AllServices, owner: Owner) -> SessionOut:
    """One of yours; `ended` says how, once it has."""
    return SessionOut.of(services.sessions.get(session_id, owner))


@router.delete("/{session_id}", responses=_ERRORS, dependencies=[Unhurried])
async def close_session(session_id: str, services: AllServices, owner: Owner) -> SessionOut:
    """End it; the answer comes when its process is gone."""
    session = services.sessions.get(session_id, owner)
    await session.close("closed by its owner")
    return SessionOut.of(session)


@router.post("/{session_id}/commands", responses=_ERRORS, dependencies=[Unhurried], openapi_extra=_COMMAND_BODY)
async def give_command(session_id: str, request: Request, services: AllServices, owner: Owner) -> Done:
    """Carried out as a whole, or 409 with the reason why not."""
    session = services.sessions.get(session_id, owner)
    error = await session.do(_command(await request.body()))
    if error:
        raise HTTPException(409, error)
    return Done()


@router.get("/{session_id}/memory", responses=_ERRORS)
async def read_memory(session_id: str, services: AllServices, owner: Owner, gpa: Gpa, size: Size = 256) -> MemoryOut:
    """Guest memory as it is now, whatever a mask says; 409 where no slot is."""
    seen = await services.sessions.get(session_id, owner).look(gpa, size)
    if seen.error:
        raise HTTPException(409, seen.error)
    return MemoryOut(gpa=gpa, data=seen.data.hex())


def _choice(wish: SessionIn, body: bytes) -> HypervisorChoice:
    return wish.hypervisor if wish.hypervisor != "auto" else from_canonical(body).hypervisor


def _command(body: bytes) -> AnyCommand:
    try:
        command = _commands.decode(body)
        msgspec.msgpack.encode(command)  # integers of any length are JSON; on the wire they are not
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError) as error:
        raise HTTPException(422, f"this is not a command: {error}") from error
    return command
