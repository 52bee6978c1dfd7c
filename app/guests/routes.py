"""The page of built-in guests: what each does, what it takes, and its assembly to read."""

from fastapi import APIRouter, Response

from app.guests.view import view
from app.render import page

router = APIRouter(include_in_schema=False, default_response_class=Response)


@router.get("/guests")
async def guests() -> Response:
    return page(view())
