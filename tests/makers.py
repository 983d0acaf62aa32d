"""A whole deployment in memory: keys for everyone, and a keyring that they signed.

Rules:
- Every key follows from its owner's name, so that the same test sees the same bytes on every run
  (sealing still draws its own chance).
- Nothing here touches a disk, and the keyring went through :func:`intake.keyring.parse`.
- What a test wants otherwise, it changes in :attr:`Deployment.draft` and signs again::

      made = make_deployment(first=date(2026, 11, 16), weeks=2)
      made.keyring, made.raw                        # parsed, and the file's bytes
      made.archive, made.periods["2026-w47"]        # identities
      made.reviewers["alice"].quorum                # identity that opens packages
      made.reviewers["alice"].quarters["2026q4"]    # identity that opens cases
      made.reviewers["alice"].signing               # Ed25519
      made.follow(expires="2027-02-01").raw         # the next keyring of the same deployment
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, keyring, signatures
from intake.age.identity import Identity
from intake.keyring import Keyring, Period

FIRST = date(2026, 11, 16)  # a Monday
NAMES = ("alice", "bob", "carol", "dave", "erin")
ROOTS = ("rosa", "ruth", "rhea")


@dataclass(frozen=True, slots=True)
class ReviewerKeys:
    """A reviewer with all secrets, by ``name`` and ``body``."""

    name: str
    body: str
    signing: Ed25519PrivateKey
    quorum: Identity
    quarters: Mapping[str, Identity]

    def facts(self) -> dict[str, Any]:
        """Return the reviewer as a keyring has them."""
        return {
            "body": self.body,
            "key": public(self.signing),
            "name": self.name,
            "quarters": {name: str(key.recipient()) for name, key in self.quarters.items()},
            "quorum": str(self.quorum.recipient()),
            "removed": None,
        }


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everyone's keys; ``draft`` is line 1 as a value, ``raw`` the signed file, parsed below."""

    deployment: bytes
    roots: Mapping[str, Ed25519PrivateKey]
    reviewers: Mapping[str, ReviewerKeys]
    archive: Identity
    periods: Mapping[str, Identity]
    bundle_key: Ed25519PrivateKey
    draft: Mapping[str, Any]
    raw: bytes
    keyring: Keyring

    def follow(self, **changes: object) -> Deployment:
        """Return this deployment with the next keyring, whose draft has these ``changes``."""
        step = {"version": self.keyring.version + 1, "previous": self.keyring.sha256.hex()}
        draft = {**self.draft, **step, **changes}
        raw = sign(canonical.dump(draft), self.roots)
        return replace(self, draft=draft, raw=raw, keyring=keyring.parse(raw))


def make_deployment(  # noqa: PLR0913 - every size that a test may want
    *,
    first: date = FIRST,
    weeks: int = 2,
    reviewers: int = 3,
    quorum: int = 2,
    roots: int = 2,
    demo: bool = False,
    expires: date | None = None,
    label: str = "",
    quarters: Sequence[str] = (),
) -> Deployment:
    """Return a deployment whose weekly periods start on ``first``; issued on that day.

    X
    """
    signers = {name: signing_key(label + name) for name in ROOTS[:roots]}
    people = {name: make_reviewer(name, first, label, quarters) for name in NAMES[:reviewers]}
    starts = [first + timedelta(weeks=week) for week in range(weeks)]
    spans = {week_name(start): (start, start + timedelta(days=6)) for start in starts}
    periods = {name: identity(label + name) for name in spans}
    archive, bundle_key = identity(label + "archive"), signing_key(label + "bundle")
    deployment = hashlib.sha256(b"deployment " + label.encode()).digest()
    draft = {
        "archive": str(archive.recipient()),
        "bundle_key": public(bundle_key),
        "demo": demo,
        "deployment": deployment.hex(),
        "expires": (expires or first + timedelta(weeks=weeks, days=-1)).isoformat(),
        "format": keyring.FORMAT,
        "issued": first.isoformat(),
        "leaving": {},
        "periods": [
            attested(Period(name, *spans[name], str(key.recipient()), {}), people, quorum)
            for name, key in periods.items()
        ],
        "previous": bytes(32).hex(),
        "quorum": quorum,
        "reviewers": [person.facts() for person in people.values()],
        "roots": {name: public(key) for name, key in signers.items()},
        "threshold": max(2, len(signers) // 2 + 1),
        "version": 1,
    }
    raw = sign(canonical.dump(draft), signers)
    parsed = keyring.parse(raw)
    return Deployment(deployment, signers, people, archive, periods, bundle_key, draft, raw, parsed)


def make_reviewer(
    name: str, day: date = FIRST, label: str = "", quarters: Sequence[str] = ()
) -> ReviewerKeys:
    """Return a reviewer with the identities of the quarter of ``day`` and of ``quarters``."""
    named = (f"{day.year}q{(day.month + 2) // 3}", *quarters)
    own = label + name
    return ReviewerKeys(
        name,
        f"Body of {name}",
        signing_key(own),
        identity(f"{own} quorum"),
        {quarter: identity(f"{own} {quarter}") for quarter in named},
    )


def attested(period: Period, people: Mapping[str, ReviewerKeys], quorum: int = 2) -> dict[str, Any]:
    """Return ``period`` as a keyring has it, attested by the first ``quorum`` reviewers."""
    signers = list(people.values())[:quorum]
    marks = {who.name: who.signing.sign(period.statement()).hex() for who in signers}
    return {**period.facts(), "attestations": marks}


def sign(line: bytes, signers: Mapping[str, Ed25519PrivateKey]) -> bytes:
    """Return a keyring's file: line 1 and the signatures of ``signers``."""
    signed = keyring.CONTEXT + line
    return line + b"\n" + b"".join(signature_lines(signers.items(), signed))


def signature_lines(
    signers: Iterable[tuple[str, Ed25519PrivateKey]], signed: bytes
) -> Iterable[bytes]:
    """Yield the line of each signer over ``signed``."""
    return (signatures.signature_line(name, key.sign(signed)) for name, key in signers)


def identity(name: str) -> Identity:
    """Return the identity that follows from ``name``."""
    return Identity.from_seed(hashlib.sha256(b"identity " + name.encode()).digest())


def signing_key(name: str) -> Ed25519PrivateKey:
    """Return the Ed25519 key that follows from ``name``."""
    seed = hashlib.sha256(b"signing " + name.encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(seed)


def public(key: Ed25519PrivateKey) -> str:
    """Return the verifying key in hex."""
    return key.public_key().public_bytes_raw().hex()


def week_name(day: date) -> str:
    """Return the name of the period of the ISO week of ``day``, ``2026-w47``."""
    year, week, _ = day.isocalendar()
    return f"{year}-w{week:02}"


def sealed_size(plaintext: int, recipients: int) -> int:
    """Return the bytes of an age file of ``plaintext`` bytes to that many hybrid recipients.

    Counted from the grammar: header line and MAC line, a stanza of 1,120 bytes in base64 and 32
    bytes in base64 for each recipient, the nonce, and 16 bytes for each chunk of 64 KiB.
    """
    stanza = len("-> mlkem768x25519 ") + 1494 + 1 + 43 + 1
    chunks = max(1, -(-plaintext // 65536))
    return 22 + 48 + recipients * stanza + 16 + plaintext + 16 * chunks
