"""Makes the project's own test vectors, ``tests/vectors/``: one failure, one file.

``python -m tests.make_vectors [KIND ...]`` writes them again, after a change that is meant.

Rules:
- Every vector is a row of a table here. A refused one is its base, an accepted one, with one
  change, and signed again unless the signature is what is wrong: so it is refused for its own
  reason and no other.
- Keys follow from names (:mod:`tests.makers`). Only sealing draws chance; all else is the same
  bytes on every run.
- What must come out of an accepted vector is stated here, or counted from what went in. It is never
  asked of the reader that it will judge.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
READABLE = 2048  # bytes; smaller bodies stay as they are, to be looked at

Facts = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """A vector: ``rule`` is empty where it is accepted, ``facts`` are the headers of its kind.

    ``says`` is a part of the sentence that our reader refuses it with, ``base`` the accepted vector
    that it is, but for one change. What is ``sealed`` is another file on every run.
    """

    kind: str
    name: str
    comment: str
    body: bytes
    rule: str = ""
    says: str = ""
    base: str = ""
    facts: Facts = field(default_factory=dict)
    sealed: bool = False

    def headers(self) -> list[tuple[str, str]]:
        """Return the header lines, in order."""
        lines = [("expect", "refused" if self.rule else "accepted")]
        lines += [("rule", self.rule)] if self.rule else []
        lines.append(("comment", self.comment))
        for key, value in self.facts.items():
            lines += [(key, one) for one in ([value] if isinstance(value, str) else value)]
        if len(self.body) > READABLE and len(self._packed()) * 10 < len(self.body) * 9:
            lines.append(("compressed", "zlib"))
        return lines

    def _packed(self) -> bytes:
        return zlib.compress(self.body, 9)

    def encode(self) -> bytes:
        """Return the file."""
        headers = self.headers()
        body = self._packed() if ("compressed", "zlib") in headers else self.body
        return b"".join(f"{key}: {value}\n".encode() for key, value in headers) + b"\n" + body


def decode(data: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Return the headers and the body of a vector's file."""
    head, _, body = data.partition(b"\n\n")
    headers = []
    for line in head.decode().split("\n"):
        key, colon, value = line.partition(": ")
        if not colon:
            raise ValueError(line)
        headers.append((key, value))
    return headers, zlib.decompress(body) if ("compressed", "zlib") in headers else body


def respelled(data: bytes, old: str, new: str | bytes) -> bytes:
    """Return ``data`` with the piece that is there once replaced, whatever that gives."""
    one, two = (text.encode() if isinstance(text, str) else text for text in (old, new))
    if data.count(one) != 1:
        raise ValueError(old)
    return data.replace(one, two)
