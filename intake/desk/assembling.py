"""A source's file, put together from its slices and written into a folder.

Procedure of :func:`write`, in constant memory:
1. Refuse a file of which something is not here.
2. Open each slice, in order, and check that it is the one that was recorded (``open_words``).
3. Write what they carry.
4. Compare length and SHA-256 with what the end says. If they differ, nothing is left.
5. If the source had sealed it with age, and its key was kept (``inner``), write what is inside
   instead. If that is damaged, the file stays as it came, and that is said.

Rules:
- What is written is in the clear, and the reviewer's to guard and to delete.
- A file of a source is never looked into. Its name on the disk is random; its own is only shown,
  spelled, and :data:`ADVICE` beside it.
"""

import secrets
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from intake import files
from intake.age import grammar, unsealing
from intake.age.identity import Identity
from intake.desk import visible
from intake.desk.reading import open_words
from intake.desk.slices import End, File, Parts
from intake.errors import BadFile, Incomplete

ADVICE = (
    "This file may be made to attack whoever opens it. Carry it to another machine, without keys "
    "and without a network, make it harmless there with Dangerzone, and look only at that copy."
)
OPENED = "The source had sealed this file with age; it is opened."
STAYS = "It is sealed with age, and was not opened here: it is as it came."
SPOILED = "The source had sealed it with age, and it is damaged inside: it is as it came."
NAME = 120  # characters of a file's own name that are shown
_AGE = grammar.VERSION_LINE + b"\n"


class Written(NamedTuple):
    """Where a file is, and a sentence about what it is, or nothing."""

    path: Path
    note: str = ""


def name(end: End) -> str:
    """Return a source's own name for a file, spelled on one line, cut to 120 characters."""
    return visible.line(end.name[:NAME])


def write(casebook: Path, file: File, identities: Sequence[Identity], folder: Path) -> Written:
    """Write a file of the casebook in that folder into ``folder``, under a random name.

    Raises :class:`Incomplete` while a part of it is missing, :class:`BadFile` if one is damaged or
    the whole is not what its end says, and as :func:`intake.files.whole`. Then nothing is there.
    """
    if file.end is None or file.missing:  # (1)
        of = f"{file.missing} of the {file.end.number} parts" if file.end else "The end"
        what = f"{of} of this file: not here."
        raise Incomplete(what, "The next bundle may bring it. Import that, then do this again.")
    # Dangerous line: without it, a source chooses what is written on this machine, and where.
    path, inner = (folder / secrets.token_hex(8) for _ in range(2))
    with files.whole(path, replace=False) as sink:
        sink.writelines(_contents(casebook, file.parts, file.end, identities))  # (3)
    with files.troubled(path), path.open("rb") as source:
        if source.read(len(_AGE)) != _AGE:
            return Written(path)
        source.seek(0)
        first = file.parts[0].part  # (5)
        if first is None or not first.key:
            return Written(path, STAYS)
        try:
            with files.whole(inner, replace=False) as sink:
                key = unsealing.read_key(source, first.key)
                sink.writelines(unsealing.chunks(source, key))
        except BadFile:
            return Written(path, SPOILED)
        path.unlink()
    return Written(inner, OPENED)


def _contents(
    casebook: Path, parts: Parts, end: End, identities: Sequence[Identity]
) -> Iterator[bytes]:
    """Yield a file as it came; whoever takes it to its end knows that it is right."""
    digest, size = sha256(), 0
    for number in range(end.number):
        content = open_words(casebook, parts[number], identities).content  # (2)
        digest.update(content)
        size += len(content)
        yield content
    if (size, digest.digest()) != (end.size, end.sha256):  # (4)
        raise BadFile(
            "The parts of this file are not the whole that its end says.",
            "Its source may have broken off. Nothing was written; the parts stay here.",
        )
