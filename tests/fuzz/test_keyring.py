"""Keyrings, drafts and signature lines: what comes from the people who sign.

A recipient takes a millisecond to read, and a keyring has six. So a recipient that was read once is
remembered here (``Recipient.parse`` is replaced, and only for text that it accepted before). The
mutants of :func:`test_a_keyring_whose_recipients_are_read_each_time` go without that.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import strategies as st

from intake import canonical, days, keyring, signatures
from intake.age.recipient import Recipient
from intake.errors import BadFile
from intake.keyring import Keyring, Period, Reviewer
from tests import makers
from tests.fuzz.mutations import FEW, MANY, Reader, Way, inside, outside, refusing, tiers
from tests.makers import attested, make_deployment

MADE = make_deployment(weeks=1, reviewers=2)
OTHER = make_deployment(weeks=2, reviewers=2, label="other")
SIGNERS = [("rosa", "ruth")] * 12 + [("ruth", "rosa"), ("rosa",), ("rosa", "rosa"), ()]
FORMS = ["not a keyring that this version", "signature on the keyring", "Too few roots"]
DEEP = [
    "Too few reviewers",
    "attestation of period",
    "quorum does not fit",
    "stands in the keyring",
]


class Remembering:
    """Stands in for ``Recipient``: what it accepted once, it accepts again without looking."""

    _known = staticmethod(cache(Recipient.parse))

    @classmethod
    def parse(cls, text: Any) -> Recipient:  # noqa: ANN401 - JSON
        return cls._known(text) if isinstance(text, str) else Recipient.parse(text)


@pytest.fixture
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "Recipient", Remembering)


def signed(line: bytes, variant: int) -> bytes:
    """Return the line with signatures of its roots, or too few, or doubled ones."""
    names = SIGNERS[variant % len(SIGNERS)]
    pairs = [(name, MADE.roots[name]) for name in names]
    return line + b"\n" + b"".join(makers.signature_lines(pairs, keyring.CONTEXT + line))


def attested_anew() -> Way:
    """Return the way that changes a period, lets the reviewers attest it, and signs it all."""
    facts = {k: v for k, v in MADE.draft["periods"][0].items() if k != "attestations"}
    recipes, change = inside(facts)

    def build(recipe: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        try:
            raw: Any = canonical.load(change(recipe, step))
            day = {name: days.day(raw[name]) for name in ("first", "last")}
            period = Period(raw["name"], day["first"], day["last"], raw["recipient"], {})
            periods = [{**raw, **attested(period, MADE.reviewers)}]
        except (BadFile, ValueError, TypeError, LookupError, AttributeError):  # nothing to attest
            periods = [{"attestations": {}}, {"attestations": step}]
        return signed(canonical.dump({**MADE.draft, "periods": periods}), 0)

    return recipes, build


def person(found: Reviewer) -> dict[str, Any]:
    """Return a reviewer as JSON has them."""
    removed = found.removed
    return {
        "body": found.body,
        "key": found.key.hex(),
        "name": found.name,
        "quarters": dict(found.quarters),
        "quorum": found.quorum,
        "removed": removed and {name: [n, h.hex()] for name, (n, h) in removed.items()},
    }


def hexes(keys: Mapping[str, bytes]) -> dict[str, str]:
    return {name: key.hex() for name, key in keys.items()}


def line(found: Keyring) -> bytes:
    """Return line 1 of a keyring, written back from what was read."""
    periods = [{**p.facts(), "attestations": hexes(p.attestations)} for p in found.periods]
    facts = {
        "archive": found.archive,
        "bundle_key": found.bundle_key.hex(),
        "demo": found.demo,
        "deployment": found.deployment.hex(),
        "expires": found.expires.isoformat(),
        "format": "intake keyring 1",
        "issued": found.issued.isoformat(),
        "leaving": hexes(found.leaving),
        "periods": periods,
        "previous": found.previous.hex(),
        "quorum": found.quorum,
        "reviewers": list(map(person, found.reviewers)),
        "roots": hexes(found.roots),
        "threshold": found.threshold,
        "version": found.version,
    }
    return canonical.dump(facts)


def same(found: Keyring, mutant: bytes) -> bool:
    """Written back, it is the same line 1, and the same signatures in some order."""
    first, *lines = mutant.split(b"\n")
    marks = makers.signature_lines(
        [(name, MADE.roots[name]) for name in found.signers], keyring.CONTEXT + first
    )
    return line(found) == first and sorted(lines) == sorted([b"", *(m[:-1] for m in marks)])


READER = Reader(
    valid=MADE.raw,
    read=keyring.parse,
    same=same,
    ways=[outside(MADE.raw, OTHER.raw), *[inside(MADE.draft, signed)] * 2, attested_anew()],
    reached=[*FORMS, *DEEP],
)


@tiers(MANY)
@pytest.mark.usefixtures("_remembered")
def test_a_keyring(count: int) -> None:
    READER.fuzz(count)


@tiers(FEW // 10, fast=20)
def test_a_keyring_whose_recipients_are_read_each_time(count: int) -> None:
    READER.fuzz(count)


@tiers(FEW)
@pytest.mark.usefixtures("_remembered")
def test_a_draft(count: int) -> None:
    """What a root is asked to sign: line 1 alone."""
    raw = canonical.dump(MADE.draft)
    Reader(
        valid=raw,
        read=keyring.draft,
        same=lambda found, data: line(found) == data,
        ways=[outside(raw, canonical.dump(OTHER.draft)), inside(MADE.draft)],
        reached=[FORMS[0], *DEEP],
    ).fuzz(count)


@tiers(FEW)
@pytest.mark.usefixtures("_remembered")
def test_a_step_to_the_next_keyring(count: int) -> None:
    after = MADE.follow()
    Reader(
        valid=after.raw,
        read=lambda data: keyring.follow(MADE.keyring, [data]),
        same=same,
        ways=[outside(after.raw, MADE.raw), inside(after.draft, signed)],
        reached=[*FORMS, "another deployment", "does not follow", "follows another keyring"],
    ).fuzz(count)


@tiers(FEW)
def test_a_recipient_as_text(count: int) -> None:
    text, other = str(MADE.archive.recipient()), str(OTHER.archive.recipient())
    Reader(
        valid=text.encode(),
        read=lambda data: Recipient.parse(data.decode("utf-8", "surrogateescape")),
        same=lambda found, data: str(found).encode() == data,
        ways=[outside(text.encode(), other.encode())],
        reached=["not a post-quantum recipient"],
        accepts=False,
    ).fuzz(count)


@tiers(FEW)
def test_a_signature_line(count: int) -> None:
    right = signatures.signature_line("alice", bytes(range(64)))[:-1]
    parts = st.tuples(st.text(max_size=40), st.binary(min_size=62, max_size=66))

    def read(data: bytes) -> tuple[str, bytes]:
        return refusing(lambda: signatures.split_signature(data))

    Reader(
        valid=right,
        read=read,
        same=lambda found, data: signatures.signature_line(*found) == data + b"\n",
        ways=[
            outside(right, b"bob-2 " + b"ab" * 64),
            (parts, lambda part, step: f"{part[0]} {part[1].hex()}{'0' * (step % 3)}".encode()),
        ],
    ).fuzz(count)
