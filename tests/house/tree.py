"""The tracked files of the project, read once; in an exported tree without git, the files that are there."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_MADE = {".git", ".venv", "node_modules", "var", "build", "__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis"}


@cache
def tracked() -> tuple[Path, ...]:
    """Paths relative to ROOT: tracked ones and new ones that git does not ignore."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, check=False)
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else _walked()
    return tuple(sorted(Path(name) for name in names if name and (ROOT / name).is_file()))


def _walked() -> list[str]:
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [str(path) for path in found if not _MADE & set(path.parts) and ".egg-info" not in str(path)]


def python_files(*folders: str) -> list[Path]:
    """Tracked .py files under the folders, relative to ROOT."""
    return [path for path in tracked() if path.suffix == ".py" and path.parts[0] in folders]


def text_of(path: Path) -> str | None:
    """None for a file that is no text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
