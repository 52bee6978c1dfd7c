"""The report of this host: one examination at a time, and what came of it."""

from app.conformance.service import Conformance, examine_here
from engine.conformance.catalogue import BY_ID


async def test_who_asks_while_one_is_under_way_gets_its_answers() -> None:
    conformance = Conformance(["sim"])
    assert conformance.report.state == "new"
    conformance.start()
    conformance.start()
    assert conformance.report.state == "running"
    report = await conformance.finished()
    assert (report.state, report.failed) == ("done", 0)
    assert [line.id for line in report.checks] == list(BY_ID)
    assert all(line.answers["sim"].verdict in ("pass", "not possible") for line in report.checks)
    await conformance.close()


async def test_it_can_be_closed_at_any_moment() -> None:
    conformance = Conformance(["sim"])
    await conformance.close()
    conformance.start()
    await conformance.close()
    assert all(not line.answers for line in conformance.report.checks)


async def test_from_beginning_to_end() -> None:
    report = await examine_here(["sim"])
    assert (report.state, report.failed) == ("done", 0)
    (one,) = report.hypervisors
    assert sum(one.counts.values()) == len(BY_ID)
