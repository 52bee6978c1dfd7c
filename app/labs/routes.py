"""A lab's text as a page: what it shows, what to watch and what to try, and the way to its machine."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import APIRouter, Response

from app.errors import not_found
from app.labs.text import Block, blocks
from app.render import View, page
from app.scenarios.builtin import FOLDER
from app.services import AllServices

router = APIRouter(include_in_schema=False, default_response_class=Response)


@dataclass(frozen=True)
class LabTextPage(View):
    """`scenario`: the id of its machine."""

    template: ClassVar[str] = "lab_text.html"
    title: str
    blocks: Sequence[Block]
    scenario: str


@router.get("/labs/{name}")
async def lab(name: str, services: AllServices) -> Response:
    scenario = services.builtins.labs.get(name)
    if scenario is None:
        raise not_found()
    title, *rest = blocks(await asyncio.to_thread((FOLDER / name / "lab.md").read_text))
    heading = "".join(span.text for span in title.spans)
    return page(LabTextPage(heading, rest, scenario))
