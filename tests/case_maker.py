"""A case with its envelopes opened, made of answers alone: no casebook, no key, no disk."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from intake.desk import reading
from intake.desk.cases import Case, Received
from intake.desk.chain import Event
from intake.desk.reading import Opened
from intake.envelope import TESTIMONY, Envelope
from intake.form import Answer, Form, Testimony
from intake.settings import FORM
from intake.wording import Wording

CASE = bytes.fromhex("c0ffee00c0ffee00c0ffee00c0ffee00")
ROW = bytes.fromhex("facade00facade00facade00facade00")
REPLY, NONCE = bytes([0xA1]) * 32, bytes([0xB2]) * 32
DAY = date(2026, 11, 19)
READERS = ("alice", "bob")
FORM_HERE = Form.load(FORM)
MY = Wording.load("my", FORM).text
KEYRING = (1, bytes([0xC3]) * 32)


def received(kind: str = TESTIMONY, day: date = DAY) -> Received:
    """Return what the casebook says of one envelope."""
    event = Event("alice.desk-a", bytes(32), 1, bytes(32), DAY, CASE, {"kind": "received"}, {})
    return Received(ROW, kind, day, bytes(32), bytes(32), KEYRING, READERS, CASE, event)


def envelope(body: object, content: bytes = b"", kind: str = TESTIMONY, day: date = DAY) -> Opened:
    """Return an opened envelope with any body and content."""
    inside = Envelope(kind, day, "my", KEYRING, CASE, REPLY, NONCE, body, content)
    return Opened(received(kind, day), None, inside, reading._sections(inside, FORM_HERE))


def told(answers: Mapping[str, Answer], day: date = DAY, kind: str = TESTIMONY) -> Opened:
    """Return an opened testimony, or more words that answer the form."""
    return envelope(Testimony("cdm", 1, answers).as_object(), kind=kind, day=day)


def case(*opened: Opened) -> Case:
    """Return the case of these envelopes."""
    return Case(CASE, READERS, received=[item.received for item in opened] or [received()])
