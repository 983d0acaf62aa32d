"""Read the header of an age file: who may open it, and what its MAC covers.

Rules:
- Parsing is strict: canonical base64, wrapped stanzas, a capped header. What the grammar does not
  allow is refused, not repaired.
- A header that parses is not believed yet: its MAC needs the file key (``unsealing.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from intake.age import grammar
from intake.errors import BadFile

MAX_HEADER = 1 << 20  # bytes
MAX_LINE = 1 << 16  # bytes
_MAC = 32  # bytes

Line = Callable[[], bytes]


class HeaderFailure(BadFile):
    """The header is not what the grammar allows."""


@dataclass(frozen=True, slots=True)
class Stanza:
    """One wrapped file key: its kind, its arguments and its body."""

    kind: bytes
    arguments: tuple[bytes, ...]
    body: bytes

    def exact(self, count: int) -> list[bytes]:
        """Return the decoded arguments of a stanza that must have ``count`` and a 32-byte body."""
        # The exact body length also stops partitioning-oracle attacks with oversized file keys.
        if len(self.arguments) != count or len(self.body) != grammar.WRAPPED_KEY:
            raise damaged()
        try:
            return [grammar.decode(argument) for argument in self.arguments]
        except ValueError:
            raise damaged() from None


def read_header(source: BinaryIO) -> tuple[list[Stanza], bytes, bytes]:
    """Return the stanzas, the MAC, and the bytes that the MAC covers. Raises `HeaderFailure`."""
    raw = bytearray()

    def line() -> bytes:
        text = source.readline(MAX_LINE)
        raw.extend(text)
        if not text.endswith(b"\n") or len(raw) > MAX_HEADER:
            raise damaged()
        return text[:-1]

    if line() != grammar.VERSION_LINE:
        raise HeaderFailure(
            "This is not an age v1 file.", "Check that it is the file that you meant."
        )
    stanzas: list[Stanza] = []
    try:
        while True:
            signed = len(raw) + len(grammar.END)
            first, *arguments = line().split(b" ")
            if first == grammar.END and stanzas:
                mac = grammar.decode(b" ".join(arguments))
                if len(mac) != _MAC:
                    break
                return stanzas, mac, bytes(raw[:signed])
            if first != grammar.STANZA or not arguments or not all(map(_valid, arguments)):
                break
            kind, *rest = arguments
            stanzas.append(Stanza(kind, tuple(rest), _body(line)))
    except ValueError:
        pass
    raise damaged()


def damaged() -> HeaderFailure:
    """Return the failure for a header that breaks a rule."""
    return HeaderFailure(
        "The sealed file's header is damaged: it was cut or altered.",
        "Fetch the file again from where it was made; keep the damaged one for comparison.",
    )


def _valid(argument: bytes) -> bool:
    return grammar.ARGUMENT.match(argument) is not None


def _body(line: Line) -> bytes:
    body = b""
    while len(text := line()) == grammar.COLUMNS:
        body += grammar.decode(text)
    if len(text) > grammar.COLUMNS:
        raise ValueError
    return body + grammar.decode(text)
