"""Errors as the client can use them: JSON `{"error": text}` for programs, a page for people."""

import logging

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app.render import ErrorPage, ProblemsPart, by_htmx, page
from app.scenarios.schemas import ProblemOut

log = logging.getLogger(__name__)


def error_response(connection: HTTPConnection, status: int, text: str) -> Response:
    """`text` in the form that the client accepts; a part of a page where htmx will swap it in."""
    if by_htmx(connection):
        return page(ProblemsPart(problems=[ProblemOut(path="", value="", rule=text)]), status)
    wants_page = "text/html" in connection.headers.get("accept", "") and not connection.url.path.startswith("/api/")
    if wants_page:
        return page(ErrorPage(status=status, error=text), status)
    return JSONResponse({"error": text}, status)


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    """Answer from a middleware. A websocket that was not accepted yet is answered in HTTP, too."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": text})
    else:
        await error_response(HTTPConnection(scope), status, text)(scope, receive, send)


def install(app: FastAPI) -> None:
    """Make every error of `app` leave in this form."""
    app.add_exception_handler(StarletteHTTPException, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(OperationalError, _no_database)
    app.add_exception_handler(Exception, _unexpected)


def not_found() -> HTTPException:
    """Also for what belongs to somebody else: that it exists is nobody's business."""
    return HTTPException(404, "there is nothing here")


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    response = error_response(request, error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    parts = (f"{'.'.join(str(step) for step in one['loc'])}: {one['msg']}" for one in error.errors())
    return error_response(request, 422, "; ".join(parts))


async def _no_database(request: Request, error: Exception) -> Response:
    """A full disk, a lock that is never let go, a server that is away: nothing was saved, and it may pass."""
    assert isinstance(error, OperationalError)
    log.error("%s %s: %s", request.method, request.url.path, error)
    return error_response(request, 503, f"the database cannot be used now, nothing was saved: {error.orig}")


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_response(request, 500, "the server made a mistake; its log says which")
