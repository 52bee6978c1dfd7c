"""A run to its end on a host, of which no vCPU may die by a mistake of the VMM's own."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.machine.program import check_scenario
from engine.model.commands import Run
from engine.model.events import AnyEvent, PhaseChanged, VcpuChanged
from engine.session.host import Host
from engine.session.session import Session

MISTAKE = re.compile(r"[A-Z]\w*(Error|Exception|Warning): ")
"""What a vCPU died of where the VMM met what it did not expect (Machine.fail)."""


@contextmanager
def run(scenario: dict[str, Any], host: Host) -> Iterator[Session]:
    """The session as the run has left it, with all that its log says shown once."""
    ended, deaths = threading.Event(), list[str]()

    def sink(event: AnyEvent) -> None:
        if isinstance(event, VcpuChanged):
            deaths.append(event.why)
        if isinstance(event, PhaseChanged) and event.phase == "ended":
            ended.set()

    session = Session(check_scenario(scenario), host, sink=sink)
    try:
        session.handle(Run())
        assert ended.wait(30)
        session.settle()
        session.frame(keyframe=True)
        assert [why for why in deaths if MISTAKE.match(why)] == []
        yield session
    finally:
        session.close()
