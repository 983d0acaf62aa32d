r"""The signed keyring: whom to seal to today, and whom to believe.

A file of lines (docs/FORMAT.md). Line 1 is canonical JSON; each further line is
``<root> <signature>``, an Ed25519 signature (RFC 8032) in lowercase hex over
``"intake keyring 1\n"`` and line 1. An attestation in a period is a reviewer's signature over
``"intake attestation 1\n"`` and the period's canonical JSON without its attestations.

Rules of :func:`parse`, which takes one file and believes nothing else:
1. At most 1 MiB; canonical JSON with exactly the known fields and the known format name.
2. Every signature line verifies, under a root of this keyring or one that leaves with it; no root
   signs twice; at least ``threshold`` of this keyring's roots signed. The threshold is at least 2.
3. Periods are in order and do not overlap. Each carries attestations of at least ``quorum``
   reviewers of this keyring who opened its package to try it; each attestation verifies.
4. The quorum is at least 2, and 2 to 5 reviewers are active.
5. Every key has one owner: none stands twice. One person under two names would be a quorum.

Rules of :func:`follow`, which goes from the installed keyring to a new one:
6. Versions rise by one, and each names the SHA-256 of line 1 before it; the deployment is the same,
   and a demo's is never followed by a real one, nor the other way: anyone can sign a demo's.
7. A threshold of the *old* roots signed too, and the roots that leave are named as leaving.
8. Every reviewer stays named. One who was removed stays so, with the same key and the same ends of
   their chains: or what a thief signs in their name would count again.
9. A period keeps its facts under its name. One that is new was tried by enough reviewers who are
   active: those who were removed have no say in what comes after them.

Everything here is pure: bytes and days in, a keyring out, :class:`BadKeyring` raised.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from intake import canonical
from intake.age.recipient import Recipient
from intake.days import day
from intake.errors import BadFile, BadKeyring
from intake.signatures import octets, split_signature, verified

FORMAT = "intake keyring 1"
CONTEXT = b"intake keyring 1\n"
ATTESTATION = b"intake attestation 1\n"
MAX_SIZE = 1 << 20  # bytes
MINIMUM = 2  # of roots' signatures, and of reviewers who open
MAX_REVIEWERS = 5
_NAME = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
NAME = re.compile(rf"{_NAME}\Z")
CHAIN = re.compile(rf"{_NAME}\.{_NAME}\Z")
QUARTER = re.compile(r"[0-9]{4}q[1-4]\Z")
_HASH = 32  # bytes
_NEXT = "Get the keyring again from the people who signed it. What is installed stays as it was."


@dataclass(frozen=True, slots=True)
class Period:
    """The days ``first`` to ``last``, both included, and the recipient of their envelopes."""

    name: str
    first: date
    last: date
    recipient: str
    attestations: Mapping[str, bytes]

    def statement(self) -> bytes:
        """Return what a reviewer signs after opening the period's package."""
        return ATTESTATION + canonical.dump(self.facts())

    def facts(self) -> dict[str, str]:
        """Return the period as JSON has it, without attestations."""
        return {
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "name": self.name,
            "recipient": self.recipient,
        }


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A reviewer: who sent them, what they sign with, and what opens for them.

    ``quorum`` is the recipient of packages, ``quarters`` maps ``2026q4`` to the recipient of that
    quarter's cases. ``removed`` is None, or the last accepted event of each of their chains,
    ``{"<reviewer>.<desk>": [sequence, hash]}``.
    """

    name: str
    body: str
    key: bytes
    quorum: str
    quarters: Mapping[str, str]
    removed: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Keyring:
    """A verified keyring. ``sha256`` is the hash of line 1, ``signers`` who signed it."""

    version: int
    previous: bytes
    issued: date
    expires: date
    deployment: bytes
    demo: bool
    roots: Mapping[str, bytes]
    leaving: Mapping[str, bytes]
    threshold: int
    quorum: int
    archive: str
    periods: tuple[Period, ...]
    reviewers: tuple[Reviewer, ...]
    bundle_key: bytes
    sha256: bytes
    signers: frozenset[str]

    def period_of(self, day: date) -> Period | None:
        """Return the period that ``day`` falls into, if the keyring has one."""
        return next((p for p in self.periods if p.first <= day <= p.last), None)

    def reviewer(self, name: str) -> Reviewer | None:
        """Return the reviewer of that name, removed ones included."""
        return next((r for r in self.reviewers if r.name == name), None)

    @property
    def active(self) -> tuple[Reviewer, ...]:
        """The reviewers who were not removed."""
        return tuple(r for r in self.reviewers if r.removed is None)


# What line 1 has: all of a keyring but what is known of line 1 itself.
FIELDS = frozenset({one.name for one in fields(Keyring)} - {"sha256", "signers"} | {"format"})


def quarter_of(day: date) -> str:
    """Return the quarter that ``day`` falls into, as :data:`QUARTER` has it: ``2026q4``."""
    return f"{day.year}q{(day.month + 2) // 3}"


def parse(data: bytes) -> Keyring:
    """Return the keyring in ``data``, verified by itself. Raises :class:`BadKeyring`."""
    line, signatures = _lines(data)
    keyring = draft(line, frozenset(signatures))
    keys = {**keyring.roots, **keyring.leaving}
    for name, signature in signatures.items():  # (2)
        if name not in keys or not verified(keys[name], signature, CONTEXT + line):
            raise _bad("A signature on the keyring does not verify.")
    if len(keyring.signers & keyring.roots.keys()) < keyring.threshold:
        raise _bad("Too few roots signed the keyring.")
    return keyring


def draft(line: bytes, signers: frozenset[str] = frozenset()) -> Keyring:
    """Return what line 1 says, checked but for the signatures on it, which a draft lacks."""
    try:
        keyring = _structure(line, signers)  # (1)
    except (BadFile, ValueError, TypeError, AttributeError, KeyError):
        raise _unknown() from None
    _check_periods(keyring)  # (3)
    if not MINIMUM <= keyring.quorum <= len(keyring.active) <= MAX_REVIEWERS:  # (4)
        raise _bad("The keyring's quorum does not fit its reviewers.")
    for keys in _owned(keyring):  # (5)
        if len(set(keys)) != len(keys):
            raise _bad("A key stands in the keyring twice.")
    return keyring


def follow(old: Keyring | None, chain: Sequence[bytes]) -> Keyring:
    """Return the last keyring of ``chain``, each step following the one before.

    ``old`` is the installed keyring, or None where there is none yet; then the caller compares
    the fingerprint with an announcement made elsewhere. Raises :class:`BadKeyring`.
    """
    if not chain:
        raise _bad("No keyring was given.")
    for data in chain:
        new = parse(data)
        if old is not None:
            _check_step(old, new)
        old = new
    return new


def _check_step(old: Keyring, new: Keyring) -> None:
    if new.deployment != old.deployment:
        raise _bad("The keyring belongs to another deployment.")
    if new.demo != old.demo:
        raise _bad("A demo's keyring and a real one never follow each other.")
    if new.version != old.version + 1:  # (6)
        raise _bad(f"Keyring {new.version} does not follow keyring {old.version}, the last one.")
    if new.previous != old.sha256:
        raise _bad(f"Keyring {new.version} follows another keyring {old.version} than this one.")
    if len(new.signers & old.roots.keys()) < old.threshold:  # (7)
        raise _bad("Too few of the roots before signed the keyring.")
    everyone = {**new.roots, **new.leaving}
    if any(everyone.get(name) != key for name, key in old.roots.items()):
        raise _bad("The keyring drops a root without naming it as leaving.")
    _check_people(old, new)


def _check_people(old: Keyring, new: Keyring) -> None:
    for before in old.reviewers:  # (8)
        after = new.reviewer(before.name)
        stays = after is not None and (after.key, after.removed) == (before.key, before.removed)
        if after is None or not (stays or before.removed is None):
            raise _bad(f"The keyring drops {before.name}, or undoes the removal.")
    facts, active = {p.name: p.facts() for p in old.periods}, {one.name for one in new.active}
    for period in new.periods:  # (9)
        if facts.get(period.name, period.facts()) != period.facts():
            raise _bad(f"The keyring gives the name of period {period.name} to another.")
        if period.name not in facts and len(period.attestations.keys() & active) < new.quorum:
            raise _bad(f"Too few active reviewers opened the package of period {period.name}.")


def _lines(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    if len(data) > MAX_SIZE or not data.endswith(b"\n"):
        raise _unknown()
    line, *rest = data[:-1].split(b"\n")
    try:
        signatures = dict(map(split_signature, rest))
    except ValueError:
        raise _unknown() from None
    if len(signatures) != len(rest):
        raise _unknown()
    return line, signatures


def _structure(line: bytes, signers: frozenset[str]) -> Keyring:
    raw: Any = canonical.load_object(line, FIELDS)
    if (raw["format"], type(raw["demo"]), type(raw["periods"])) != (FORMAT, bool, list):
        raise ValueError
    keyring = Keyring(
        version=_count(raw["version"], 1),
        previous=octets(raw["previous"], _HASH),
        issued=day(raw["issued"]),
        expires=day(raw["expires"]),
        deployment=octets(raw["deployment"], _HASH),
        demo=raw["demo"],
        roots=_keys(raw["roots"]),
        leaving=_keys(raw["leaving"]),
        threshold=_count(raw["threshold"], MINIMUM),
        quorum=_count(raw["quorum"], MINIMUM),
        archive=_recipient(raw["archive"]),
        periods=tuple(map(_period, raw["periods"])),
        reviewers=tuple(map(_reviewer, raw["reviewers"])),
        bundle_key=octets(raw["bundle_key"], _HASH),
        sha256=hashlib.sha256(line).digest(),
        signers=signers,
    )
    names = [reviewer.name for reviewer in keyring.reviewers]
    if (
        len(set(names)) != len(names)
        or keyring.roots.keys() & keyring.leaving.keys()
        or (keyring.version == 1) != (keyring.previous == bytes(_HASH))
        or keyring.issued > keyring.expires
    ):
        raise ValueError
    return keyring


def _period(raw: Any) -> Period:  # noqa: ANN401 - JSON of any shape comes in, a period goes out
    canonical.check_object(raw, {"attestations", "first", "last", "name", "recipient"})
    return Period(
        _name(raw["name"]),
        day(raw["first"]),
        day(raw["last"]),
        _recipient(raw["recipient"]),
        {_name(k): octets(v, 64) for k, v in raw["attestations"].items()},
    )


def _reviewer(raw: Any) -> Reviewer:  # noqa: ANN401 - as above
    canonical.check_object(raw, {"body", "key", "name", "quarters", "quorum", "removed"})
    removed = raw["removed"]
    if removed is not None:
        removed = {k: (_count(n, 0), octets(h, _HASH)) for k, (n, h) in removed.items()}
    names = all(map(QUARTER.match, raw["quarters"])) and all(map(CHAIN.match, removed or ()))
    if not isinstance(raw["body"], str) or not names:
        raise ValueError
    return Reviewer(
        _name(raw["name"]),
        raw["body"],
        octets(raw["key"], _HASH),
        _recipient(raw["quorum"]),
        {k: _recipient(v) for k, v in raw["quarters"].items()},
        removed,
    )


def _owned(keyring: Keyring) -> tuple[list[bytes], list[str]]:
    """Return every key that signs, and every recipient."""
    people = keyring.reviewers
    signing = [*keyring.roots.values(), *keyring.leaving.values(), keyring.bundle_key]
    sealing = [keyring.archive, *(period.recipient for period in keyring.periods)]
    sealing += [recipient for r in people for recipient in (r.quorum, *r.quarters.values())]
    return signing + [reviewer.key for reviewer in people], sealing


def _check_periods(keyring: Keyring) -> None:
    periods = keyring.periods
    forward = all(period.first <= period.last for period in periods)
    apart = all(one.last < after.first for one, after in itertools.pairwise(periods))
    if not (forward and apart) or len({period.name for period in periods}) != len(periods):
        raise _bad("The keyring's periods overlap or are out of order.")
    for period in periods:
        for name, signature in period.attestations.items():
            reviewer = keyring.reviewer(name)
            if reviewer is None or not verified(reviewer.key, signature, period.statement()):
                raise _bad(f"An attestation of period {period.name} does not verify.")
        if len(period.attestations) < keyring.quorum:
            raise _bad(f"Too few reviewers opened the package of period {period.name} to try it.")


def _keys(raw: Mapping[str, str]) -> dict[str, bytes]:
    return {_name(name): octets(key, _HASH) for name, key in raw.items()}


def _name(text: str) -> str:
    if not NAME.match(text):
        raise ValueError
    return text


@functools.lru_cache(1024)  # the keyrings of a chain name the same ones; each takes a millisecond
def _recipient(text: str) -> str:
    return str(Recipient.parse(text))


def _count(value: object, least: int) -> int:
    if type(value) is not int or value < least:
        raise ValueError
    return value


def _bad(what: str) -> BadKeyring:
    return BadKeyring(what, _NEXT)


def _unknown() -> BadKeyring:
    return _bad("This is not a keyring that this version of Intake knows.")
