"""The archive that the lane's machine starts from."""

import io
import stat

from tests.lanes.newc import Newc

HEADER = 110


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes of each entry, read back as the kernel does: header, name and bytes each padded to four."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = archive[at + HEADER : at + HEADER + fields[11] - 1].decode()
        at = (at + HEADER + fields[11] + 3) // 4 * 4
        found[name] = fields[1], archive[at : at + fields[6]]
        at = (at + fields[6] + 3) // 4 * 4
    return found


def test_files_links_and_the_folders_above_them_read_back() -> None:
    out = io.BytesIO()
    made = Newc(out)
    made.file("/a/b/c.txt", b"12345", executable=True)
    made.file("a/b/c.txt", b"another")
    made.link("/a/link", "b/c.txt")
    made.end()
    assert entries(out.getvalue()) == {
        "a": (stat.S_IFDIR | 0o755, b""),
        "a/b": (stat.S_IFDIR | 0o755, b""),
        "a/b/c.txt": (stat.S_IFREG | 0o755, b"12345"),
        "a/link": (stat.S_IFLNK | 0o777, b"b/c.txt"),
        "TRAILER!!!": (0, b""),
    }


def test_one_archive_may_follow_another() -> None:
    out = io.BytesIO()
    for name in ("first", "second"):
        made = Newc(out)
        made.file(name, name.encode())
        made.end()
    assert [name for name in entries(out.getvalue()) if name != "TRAILER!!!"] == ["first", "second"]
