"""What an opened envelope says. The reading half of :mod:`intake.envelope`.

Rules:
- Strict: what was read, written again, must give the same 32,768 bytes. So there is no second
  spelling, no hidden byte in the padding, and no field that this version does not know.
- A refusal never repeats anything from inside the envelope: a source wrote it, or somebody worse.
"""

from __future__ import annotations

from typing import Any

from intake import canonical
from intake.envelope import KINDS, PLAINTEXT, TESTIMONY, Envelope
from intake.errors import BadFile, BadRequest
from intake.keyring import day, octets
from intake.receipt import submission_id

FIELDS = frozenset(
    {
        *("body", "case", "day", "keyring", "kind"),
        *("language", "nonce", "reply", "size", "version"),
    }
)
WORDS = frozenset({TESTIMONY, "words"})  # kinds whose id follows from what they say


def parse(plaintext: bytes) -> Envelope:
    """Return the envelope in exactly 32,768 bytes. Raises :class:`BadFile`."""
    line, _, rest = plaintext.partition(b"\n")
    try:
        raw: Any = canonical.load_object(line, FIELDS)
        keyring: Any = canonical.check_object(raw["keyring"], {"sha256", "version"})
        if type(keyring["version"]) is not int or raw["kind"] not in KINDS:
            raise _foreign()
        envelope = Envelope(
            kind=raw["kind"],
            day=day(raw["day"]),
            language=raw["language"],
            keyring=(keyring["version"], octets(keyring["sha256"], 32)),
            case=octets(raw["case"], 16),
            reply=octets(raw["reply"], 32),
            nonce=octets(raw["nonce"], 32),
            body=raw["body"],
            content=rest[: raw["size"]],
        )
        if len(plaintext) == PLAINTEXT and envelope.plaintext() == plaintext:
            return envelope
    except (BadFile, BadRequest, ValueError, TypeError):
        pass
    raise _foreign()


def is_bound(row: bytes, envelope: Envelope) -> bool:
    """Return whether the row id is the one that these words must have (the server chose it)."""
    if envelope.kind not in WORDS:
        return False
    return row == submission_id(envelope.nonce, canonical.dump(envelope.body))


def _foreign() -> BadFile:
    return BadFile(
        "A sealed row opens, but it is not an envelope that this version of Intake knows.",
        "Update this machine, then import the bundle again. The row stays on the server.",
    )
