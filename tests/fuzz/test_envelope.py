"""Envelopes: what a source, or somebody worse, sealed to the period.

Read as the desk reads a row: parsed, and its testimony taken apart for the page. Most mutants begin
behind the seal, where the bytes are the source's own.
"""

from __future__ import annotations

import json

from intake import envelope
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.desk import opened, reading
from intake.desk.opened import is_bound
from intake.envelope import Envelope
from intake.errors import BadFile
from intake.form import Form
from intake.settings import Settings
from tests.desk_maker import deployment, sealed_row
from tests.fuzz.mutations import FEW, MANY, Made, Reader, inside, outside, tiers

ROW = sealed_row("a form")
OTHER = sealed_row("another form", {"account": "ေျပာျပခ်င္တယ္"})
LINE = ROW.plaintext.partition(b"\n")[0]
PERIOD = deployment().periods["2026-w47"]
FORM = Form.load(Settings.from_environment().form)


def padded(line: bytes, variant: int) -> bytes:
    """Return an envelope's plaintext: mostly right padding, sometimes content, or too short."""
    tail = [b"\n", b"\n", b"\n", b"\n", b"", b"\nwords", b"\n\x00", b"\r\n"][variant % 8]
    size = envelope.PLAINTEXT - (variant // 8 % 37 == 0)
    return (line + tail).ljust(size, b" ")


def told(found: Envelope) -> Envelope:
    """Return the envelope, after all that the desk makes of its body went well."""
    is_bound(ROW.entry.id, found)
    try:
        taken = opened.testimony(found.body)
        assert taken.as_object() == found.body
    except BadFile:
        pass
    reading._sections(found, FORM)
    return found


def same(found: Envelope, mutant: bytes) -> bool:
    return found.plaintext() == mutant and type(found.keyring[0]) is int


BEHIND = Reader(
    valid=ROW.plaintext,
    read=lambda data: told(opened.parse(data)),
    same=same,
    ways=[outside(ROW.plaintext, OTHER.plaintext, len(LINE) + 2), inside(json.loads(LINE), padded)],
    reached=["is not an envelope"],
)


@tiers(MANY)
def test_an_envelope(count: int) -> None:
    BEHIND.fuzz(count)


@tiers(FEW)
def test_an_envelope_in_its_seal(count: int) -> None:
    """The seal is real, so half of the mutants are of the age file, and half are inside it."""
    recipient = [PERIOD.recipient()]
    sealed = [outside(ROW.sealed, OTHER.sealed, envelope.SEALED - envelope.PLAINTEXT)]

    def within(line: bytes, variant: int) -> bytes:
        plaintext = padded(line, variant)
        return Made.of(seal(plaintext, recipient), plaintext, ROW.plaintext)

    sealed.append(inside(json.loads(LINE), within))
    Reader(
        valid=ROW.sealed,
        read=lambda data: told(opened.parse(unseal(data, [PERIOD]))),
        same=lambda found, data: same(found, unseal(data, [PERIOD])),
        ways=sealed,
        reached=["is not an envelope", "payload is damaged", "header is damaged", "None of the"],
    ).fuzz(count)
