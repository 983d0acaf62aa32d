"""Read the header of an age file: who may open it, and what its MAC covers.

Rules:
- Parsing is strict: canonical base64, wrapped stanzas, a capped header. What the grammar does not
  allow is refused, not repaired.
- A header that parses is not believed yet: its MAC needs the file key (``unsealing.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

from intake.age import grammar
from intake.errors import BadFile

MAX_HEADER = 1 << 20  # bytes
MAX_LINE = 1 << 16  # bytes
# Possessive throughout: a header that does not fit is given up at once, never tried another way.
_STANZA = re.compile(
    rb"-> ([\x21-\x7e]++(?: [\x21-\x7e]++)*+)\n"
    rb"((?:[A-Za-z0-9+/]{64}\n)*+[A-Za-z0-9+/]{0,63}+\n)"
)
_END = re.compile(rb"--- ([A-Za-z0-9+/]{43})\n")


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
    line = source.readline(MAX_LINE)
    if line != grammar.VERSION_LINE + b"\n":
        raise HeaderFailure(
            "This is not an age v1 file.", "Check that it is the file that you meant."
        )
    text, stanzas, place = bytearray(line), [], len(line)
    while not line.startswith(grammar.END):
        line = source.readline(MAX_LINE)
        text += line
        if not line.endswith(b"\n") or len(text) > MAX_HEADER:
            raise damaged()
    try:
        while found := _STANZA.match(text, place):
            kind, *arguments = found[1].split(b" ")
            body = grammar.decode(found[2].replace(b"\n", b""))
            stanzas.append(Stanza(kind, tuple(arguments), body))
            place = found.end()
        end = _END.fullmatch(text, place)
        if stanzas and end:
            return stanzas, grammar.decode(end[1]), bytes(text[: place + len(grammar.END)])
    except ValueError:
        pass
    raise damaged()


def damaged() -> HeaderFailure:
    """Return the failure for a header that breaks a rule."""
    return HeaderFailure(
        "The sealed file's header is damaged: it was cut or altered.",
        "Fetch the file again from where it was made; keep the damaged one for comparison.",
    )
