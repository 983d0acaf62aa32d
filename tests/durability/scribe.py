"""Change files in one way that a program can, for tests of the rebuilt disk: ``HOW FOLDER``."""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path


def _place(at: Path) -> None:
    """Write at places, twice, and beyond the end."""
    with (at / "old").open("r+b") as file:
        file.seek(3)
        file.write(b"three")
        file.flush()
        os.pwrite(file.fileno(), b"far", 9000)
        os.pwritev(file.fileno(), [b"a", b"b"], 1)


def _size(at: Path) -> None:
    os.truncate(at / "old", 2)
    with (at / "old").open("r+b") as file:
        file.truncate(10)
        os.posix_fallocate(file.fileno(), 0, 5000)


def _names(at: Path) -> None:
    (at / "folder" / "deep").mkdir(parents=True)
    (at / "folder" / "deep" / "new").write_bytes(b"x")
    (at / "folder" / "deep" / "new").rename(at / "moved")
    os.link(at / "moved", at / "folder" / "twice")
    (at / "folder" / "deep").rmdir()
    (at / "old").unlink()


def _end(at: Path) -> None:
    for _ in range(2):
        with (at / "old").open("ab", buffering=0) as file:
            os.writev(file.fileno(), [b"more", b" and more"])


def _synced(at: Path) -> None:
    for name in ("kept", "nameless"):
        with (at / name).open("wb") as file:
            file.write(name.encode())
            file.flush()
            os.fsync(file.fileno())
        if name == "kept":
            folder = os.open(at, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    print("synced")  # noqa: T201 - shown, in the trace


def _mapped(at: Path) -> None:
    with (at / "old").open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        data[0:1] = b"!"


def _copied(at: Path) -> None:
    with (at / "old").open("rb") as source, (at / "copy").open("wb") as sink:
        os.copy_file_range(source.fileno(), sink.fileno(), 3)


def _sent(at: Path) -> None:
    with (at / "old").open("rb") as source, (at / "copy").open("wb") as sink:
        os.sendfile(sink.fileno(), source.fileno(), 0, 3)


def _linked(at: Path) -> None:
    (at / "link").symlink_to(at / "old")


KNOWN: dict[str, Callable[[Path], None]] = {
    "place": _place,
    "size": _size,
    "names": _names,
    "end": _end,
    "synced": _synced,
}
UNKNOWN: dict[str, Callable[[Path], None]] = {
    "mapped": _mapped,
    "copied": _copied,
    "sent": _sent,
    "linked": _linked,
}

if __name__ == "__main__":
    {**KNOWN, **UNKNOWN}[sys.argv[1]](Path(sys.argv[2]))
