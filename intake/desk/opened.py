"""What an opened envelope says. The reading half of :mod:`intake.envelope`.

Rules:
- Strict: what was read, written again, must give the same 32,768 bytes. So there is no second
  spelling, no hidden byte in the padding, and no field that this version does not know.
- A refusal never repeats anything from inside the envelope: a source wrote it, or somebody worse.
"""

import contextlib
import json
from typing import Any

from intake import canonical, receipt
from intake.days import day
from intake.envelope import DECOY, KINDS, SLICE, Envelope
from intake.errors import BadFile, BadRequest
from intake.form import Testimony
from intake.signatures import octets


class NotAnEnvelope(BadFile):
    """It opens, and is something else."""


def parse(plaintext: bytes) -> Envelope:
    """Return the envelope in exactly 32,768 bytes. Raises :class:`NotAnEnvelope`."""
    line, _, rest = plaintext.partition(b"\n")
    with contextlib.suppress(BadRequest, ValueError, TypeError, LookupError, RecursionError):
        raw: Any = json.loads(line)  # any spelling; only one passes below
        envelope = Envelope(
            kind=raw["kind"],
            day=day(raw["day"]),
            language=raw["language"],
            keyring=(raw["keyring"]["version"], octets(raw["keyring"]["sha256"], 32)),
            case=octets(raw["case"], 16),
            reply=octets(raw["reply"], 32),
            nonce=octets(raw["nonce"], 32),
            body=raw["body"],
            content=rest[: raw["size"]],
        )
        known = envelope.kind in KINDS and type(raw["keyring"]["version"]) is int
        known &= envelope.kind in {SLICE, DECOY} or not envelope.content  # no page would show it
        if known and isinstance(raw["language"], str) and envelope.plaintext() == plaintext:
            return envelope
    raise NotAnEnvelope(
        "A sealed row opens, but it is not an envelope that this version of Intake knows.",
        "Update this machine, then import the bundle again. The row stays on the server.",
    )


def is_bound(row: bytes, envelope: Envelope) -> bool:
    """Return whether the row id, which the server chose, is the one that these words must have."""
    return row == envelope.row


def is_decoy(row: bytes, nonce: bytes) -> bool:
    """Return whether a row of this id is a decoy: nothing else with any nonce has such an id."""
    return row == receipt.submission_id(nonce, b"decoy\n{}")


def more_words(envelope: Envelope) -> str | None:
    """Return what a source added in words; None if this is something else, or of another shape."""
    match envelope:
        case Envelope(kind="words", body={"words": str(words), **rest}) if not rest:
            return words
    return None


def testimony(value: object) -> Testimony:
    """Return the testimony that ``value`` is. Raises ``BadFile`` unless its structure is right.

    Keys and codes are not checked: a desk may read a testimony of another or a newer form.
    """
    fields = canonical.check_object(value, {"answers", "form", "version"})
    form, version, raw = fields["form"], fields["version"], fields["answers"]
    if isinstance(form, str) and type(version) is int and isinstance(raw, dict):
        read = {k: tuple(map(str, a)) if isinstance(a, list) else str(a) for k, a in raw.items()}
        found = Testimony(form, version, read)
        if found.as_object() == value:
            return found
    raise BadFile("A testimony has the wrong shape.", "Update Intake on this machine.")
