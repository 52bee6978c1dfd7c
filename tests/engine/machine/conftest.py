"""How most tests of guests with VTLs run one."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.session.host import Host
from tests.engine.machine.vsm_run import Ran


@pytest.fixture
def run(host: Host, scenario: Callable[..., Any]) -> Callable[..., Ran]:
    """`run(asm, **fields of the scenario)`; files whose guests begin alike have one of their own."""
    return lambda asm, **fields: Ran(host, scenario, asm, **fields)
