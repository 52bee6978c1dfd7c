from engine.machine.script import Script
from engine.model.commands import DeleteSlot, SetMask
from engine.model.scenario import After, ScriptEntry

MASK = {"do": "set_mask", "base": 0x1000, "pages": 1, "rights": 1}


def test_an_entry_is_due_once_its_count_is_reached_and_only_once() -> None:
    script = Script((ScriptEntry(After(exits=3), MASK),))
    assert script.due(2, 0, None) == []
    assert script.due(3, 0, None) == [SetMask(base=0x1000, pages=1, rights=1)]
    assert script.due(4, 0, None) == []


def test_entries_due_together_keep_the_order_written() -> None:
    script = Script(
        (ScriptEntry(After(protection=1), {"do": "delete_slot", "slot": 1}), ScriptEntry(After(exits=1), MASK))
    )
    assert script.due(1, 1, None) == [DeleteSlot(1), SetMask(base=0x1000, pages=1, rights=1)]


def test_seconds_are_a_clock_of_their_own() -> None:
    script = Script((ScriptEntry(After(seconds=0.5), MASK),))
    assert script.due(10**9, 10**9, 10**9) == []
    assert script.due_at(0.4) == []
    assert len(script.due_at(0.5)) == 1


def test_instructions_are_never_due_where_they_are_not_counted() -> None:
    script = Script((ScriptEntry(After(instructions=5), MASK),))
    assert script.due(9, 9, None) == []
    assert len(script.due(0, 0, 5)) == 1
