"""Archives that the kernel unpacks as its first file system (newc, Documentation/driver-api/early-userspace)."""

import stat
from pathlib import Path
from typing import BinaryIO

_ALIGN = 4


class Newc:
    """Writes one archive to `out`; folders above a file are made by themselves. Several may follow one another."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._made: set[str] = set()

    def folder(self, name: str) -> None:
        path = Path(name)
        for one in (*reversed(path.parents), path):
            if one.name and str(one) not in self._made:
                self._entry(str(one), stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, data: bytes, executable: bool = False) -> None:
        """A second file of a name is left out."""
        name = name.lstrip("/")
        if name not in self._made:
            self.folder(str(Path(name).parent))
            self._entry(name, stat.S_IFREG | (0o755 if executable else 0o644), data)

    def link(self, name: str, target: str) -> None:
        name = name.lstrip("/")
        self.folder(str(Path(name).parent))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def end(self) -> None:
        self._entry("TRAILER!!!", 0, b"")

    def _entry(self, name: str, mode: int, data: bytes) -> None:
        self._made.add(name)
        raw = name.encode() + b"\0"
        # ino, mode, uid, gid, nlink, mtime, filesize, four device numbers, namesize, check
        fields = (len(self._made), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self._padded(header + raw)
        self._padded(data)

    def _padded(self, data: bytes) -> None:
        self._out.write(data + b"\0" * (-len(data) % _ALIGN))
