"""The second copy of a casebook: written, read back from the disk, compared.

Rules:
- A copy that knows more is never written over: what is there must be the beginning of what is
  here. If it is not, the casebook lost something and the copy has it, or one of them is damaged.
- What was written is read again from the disk, as far as the system lets us (``posix_fadvise``).
- An empty blob is where withdrawn words were. It replaces what the copy still has, and is never
  written over: a copy that knows of a withdrawal must be merged first.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from intake import files
from intake.desk.casebook import Casebook
from intake.errors import BadFile, Misuse

_MARK = "casebook.json"
_PIECE = 1 << 20  # bytes


def copy(casebook: Casebook, to: Path) -> int:
    """Bring the second copy up to date and compare all of it; return how many files were copied.

    Raises :class:`Misuse`, :class:`BadFile` or :class:`MachineTrouble`.
    """
    _check_place(casebook, to)
    with casebook.locked():
        if torn := casebook.torn():  # copied, it would be in the way for ever
            raise Misuse(
                f"The log {torn[0].file} has a torn end, as after a power cut.",
                "Run repair, which keeps the torn part elsewhere; then copy again.",
            )
        todo = [path for path in listed(casebook) if _differs(casebook.folder, to, path)]
        for path in todo:
            _copy_file(casebook.folder / path, to / path)
        for path in listed(casebook):
            check_same(casebook.folder, to, path)
    return len(todo)


def listed(casebook: Casebook) -> Iterator[Path]:
    """Yield what belongs to a casebook, ``casebook.json`` first."""
    yield Path(_MARK)
    for part in ("keyrings", "chains", "blobs"):
        for path in sorted((casebook.folder / part).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(casebook.folder)


def check_same(folder: Path, second: Path, path: Path) -> None:
    """Refuse unless both have the same bytes at ``path``, read from the disk."""
    here, there = folder / path, second / path
    with files.troubled(there):
        same = there.exists() and _size(there) == _size(here) and _begins(there, here)
    if not same or second.samefile(folder):
        raise BadFile(
            f"The second copy lacks {path}, or has it otherwise, or is the casebook itself.",
            "Copy again: python -m intake.desk copy. If it fails again, take another stick.",
        )


def _check_place(casebook: Casebook, to: Path) -> None:
    here, there, mark = casebook.folder.resolve(), to.resolve(), casebook.folder / _MARK
    if here == there or here in there.parents or there in here.parents:
        raise Misuse("One folder is inside the other.", "Copy to another stick or disk.")
    other = to / _MARK
    same = other.exists() and other.read_bytes() == mark.read_bytes()
    if to.exists() and not same and any(path.suffix != ".partial" for path in to.iterdir()):
        what = f"{to} is not empty, and no copy of this casebook."
        raise Misuse(what, "Name its copy, or an empty or new folder.")


def _differs(folder: Path, to: Path, path: Path) -> bool:
    """Return whether ``path`` must be copied. Refuses to write over what knows more."""
    source, target = folder / path, to / path
    if not target.exists():
        return True
    if path.parts[0] == "blobs" and not _size(source):
        return bool(_size(target))
    known = path.parts[0] == "blobs" and not _size(target)
    if known or not _begins(target, source):
        raise BadFile(
            f"{target} has what the casebook does not have, or one of the two is damaged.",
            "Keep both as they are, and find out which one is right before going on.",
        )
    return _size(target) < _size(source)


def _copy_file(source: Path, target: Path) -> None:
    with files.troubled(target):
        files.make_folder(target.parent)
        with source.open("rb") as file, files.whole(target) as copied:
            shutil.copyfileobj(file, copied)


def _size(path: Path) -> int:
    return path.stat().st_size


def _begins(one: Path, other: Path) -> bool:
    """Return whether all of ``one`` is the beginning of ``other``, both read from the disk."""
    with one.open("rb") as first, other.open("rb") as second:
        for file in (first, second) if hasattr(os, "posix_fadvise") else ():
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        pieces = iter(lambda: first.read(_PIECE), b"")
        return all(second.read(len(piece)) == piece for piece in pieces)
