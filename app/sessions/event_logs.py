"""Where the event logs of sessions are on disk, and how long."""

import shutil
from collections.abc import Collection
from pathlib import Path

KEPT = 32
"""Sessions whose logs stay; live ones always do."""


def new_log(folder: Path, session_id: str, live: Collection[str]) -> Path:
    """The log path for a new session, in a directory of its own; the oldest finished sessions' make room."""
    folder.mkdir(parents=True, exist_ok=True)
    finished = [path for path in folder.iterdir() if path.is_dir() and path.name not in live]
    for path in sorted(finished, key=lambda path: path.stat().st_mtime)[: -(KEPT - 1)]:
        shutil.rmtree(path, ignore_errors=True)
    path = folder / session_id
    path.mkdir()
    return path / "events"
