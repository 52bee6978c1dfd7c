"""The examination of this host's hypervisors: one at a time, whoever asks; what came of the last one is kept."""

import asyncio
from collections.abc import Sequence

from app.conformance.examiner import examined
from app.conformance.messages import Opened
from engine.conformance.catalogue import BY_ID
from engine.conformance.report import Record, Report
from engine.model.scenario import HypervisorChoice


class Conformance:
    """Anybody may ask for it, as often as they like, so that it must cost no more than one process a hypervisor."""

    def __init__(self, hypervisors: Sequence[HypervisorChoice]) -> None:
        self._hypervisors = hypervisors
        self._record = Record(hypervisors)
        self._task: asyncio.Task[None] | None = None

    @property
    def report(self) -> Report:
        if self._task is None:
            return self._record.report("new")
        return self._record.report("done" if self._task.done() else "running")

    def start(self) -> None:
        """Nothing when one is under way: whoever asks then gets its answers."""
        if self._task is None or self._task.done():
            self._record = Record(self._hypervisors)
            self._task = asyncio.create_task(_examine_all(self._hypervisors, self._record))

    async def finished(self) -> Report:
        """The report, once nothing is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])
        return self.report

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


async def examine_here(hypervisors: Sequence[HypervisorChoice]) -> Report:
    """From beginning to end."""
    record = Record(hypervisors)
    await _examine_all(hypervisors, record)
    return record.report("done")


async def _examine_all(hypervisors: Sequence[HypervisorChoice], record: Record) -> None:
    async with asyncio.TaskGroup() as group:
        for hypervisor in hypervisors:
            group.create_task(_examine(hypervisor, record))


async def _examine(hypervisor: HypervisorChoice, record: Record) -> None:
    async for told in examined(hypervisor, list(BY_ID)):
        if isinstance(told, Opened):
            record.open(hypervisor, told.label, told.problem)
        else:
            record.add(hypervisor, told)
