"""A source's file: which slice of it an envelope is, and what of it is here.

Rules:
- A file is slices with one nonce and an end (``envelope``). What has another shape is words of no
  known shape, and is shown as such: nothing is lost, and nothing is guessed at.
- Whoever holds the receipt chooses all of it. Two ends of one nonce are two files, each of which
  its own SHA-256 must prove; of two slices with one number the first is taken.
- Nothing here opens a slice that carries bytes: a case is read without its files' bytes.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from intake.desk.cases import Part, Received
from intake.envelope import CONTENT, Envelope
from intake.signatures import octets

FILE = 16  # bytes of the hash of a nonce, by which a file goes

Parts = Mapping[int, Received]


class End(NamedTuple):
    """What the end says: the source's own name for the file, its slices, its hash, its bytes."""

    name: str
    number: int
    sha256: bytes
    size: int


_END = frozenset(End._fields)


@dataclass(slots=True)
class File:
    """A file of a case. ``end`` is None until its end is here; ``again`` is how often it came more.

    ``parts`` are the slices that are here, by number.
    """

    parts: Parts
    end: End | None = None
    again: int = 0

    @property
    def here(self) -> int:
        """How many slices of it are here."""
        return len(self.parts) if self.end is None else sum(n < self.end.number for n in self.parts)

    @property
    def missing(self) -> int:
        """How many slices are missing, as far as its end says."""
        return self.end.number - self.here if self.end else 0

    @property
    def whole(self) -> bool:
        """Whether all of it is here."""
        return self.end is not None and not self.missing


def part_of(envelope: Envelope) -> Part | None:
    """Return which slice an envelope is; None if it is none, or has no known shape."""
    file = sha256(envelope.nonce).digest()[:FILE]
    if end := end_of(envelope):
        return Part(file, end.number, end=True)
    match envelope:
        case Envelope(kind="slice", body={"number": int(number), **rest}, content=content):
            known = not rest and type(number) is int and number >= 0
            return Part(file, number, end=False) if known and 0 < len(content) <= CONTENT else None
    return None


def end_of(envelope: Envelope) -> End | None:
    """Return the end of a file; None if this is something else, or its numbers do not fit."""
    match envelope:
        case Envelope(kind="slice", body=dict(body), content=b"") if body.keys() == _END:
            with contextlib.suppress(ValueError, TypeError):
                end = End(**{**body, "sha256": octets(body["sha256"], 32)})
                right = type(end.name) is str and type(end.number) is type(end.size) is int
                if right and end.size >= 0 and end.number == -(-end.size // CONTENT):
                    return end
    return None


def parts(received: Iterable[Received]) -> dict[bytes, dict[int, Received]]:
    """Return the slices that carry bytes, by file and number, each once."""
    found: dict[bytes, dict[int, Received]] = defaultdict(dict)
    for item in received:
        if item.part and item.raw:
            found[item.part.file].setdefault(item.part.number, item)
    return found


def is_again(file: File, before: Iterable[File]) -> bool:
    """Return whether one of ``before`` is the same file, sent earlier; the fuller one stands."""
    for one in before:
        if file.end and one.end and file.end == one.end:
            one.again += 1
            if file.missing < one.missing:
                one.parts = file.parts
            return True
    return False
