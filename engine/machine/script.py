"""What the VMM does by itself: script entries, each due once."""

import msgspec

from engine.model.commands import AnyCommand
from engine.model.scenario import ScriptEntry


class Script:
    """The entries not yet due, in the order written."""

    def __init__(self, entries: tuple[ScriptEntry, ...]) -> None:
        self._counted = [entry for entry in entries if entry.after.seconds is None]
        self._timed = [entry for entry in entries if entry.after.seconds is not None]

    def due(self, exits: int, protection: int, instructions: int | None) -> list[AnyCommand]:
        """Commands due now by what has been counted; each is given once."""
        ready = [entry for entry in self._counted if _reached(entry, exits, protection, instructions)]
        for entry in ready:
            self._counted.remove(entry)
        return [_command(entry) for entry in ready]

    def due_at(self, seconds: float) -> list[AnyCommand]:
        """Commands due after so many seconds of running; each is given once."""
        ready = [entry for entry in self._timed if (entry.after.seconds or 0.0) <= seconds]
        for entry in ready:
            self._timed.remove(entry)
        return [_command(entry) for entry in ready]


def _reached(entry: ScriptEntry, exits: int, protection: int, instructions: int | None) -> bool:
    after = entry.after
    if after.exits is not None:
        return exits >= after.exits
    if after.protection is not None:
        return protection >= after.protection
    return after.instructions is not None and instructions is not None and instructions >= after.instructions


def _command(entry: ScriptEntry) -> AnyCommand:
    return msgspec.convert(entry.command, AnyCommand)
