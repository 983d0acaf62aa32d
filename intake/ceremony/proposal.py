"""The draft of a keyring: line 1, which the roots read and sign.

Rules:
- Nobody signs in vain: whatever :func:`intake.keyring.follow` would refuse is refused here.
- After a keyring, its draft changes only what was asked for; the rest stays, periods included.
- A root or a reviewer never gets another key under the same name: a new key is a new name.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, keyring, quorum
from intake.ceremony import attestation, card
from intake.ceremony.card import Card
from intake.errors import BadFile, BadKeyring, Misuse
from intake.keyring import Keyring
from intake.quorum import Package


@dataclass(frozen=True, slots=True)
class Wish:
    """What a draft is to say. None or empty: as in the keyring before."""

    roots: Sequence[Card]
    threshold: int | None
    reviewers: Sequence[Card]
    archive: Path | None
    periods: Sequence[Path]
    bundle_key: str | None
    issued: date
    expires: date
    demo: bool


def draft(wish: Wish, before: bytes | None) -> bytes:
    """Return line 1 of the keyring that fulfils ``wish`` and follows the keyring ``before``.

    Raises :class:`Misuse` for what is missing or does not fit, :class:`BadFile` for a package or
    attestation that is damaged or forged, :class:`BadKeyring` for what no keyring may say.
    """
    if wish.issued > wish.expires:
        raise Misuse("The keyring would expire before it is issued.", "Change --expires.")
    raw = _start(before, demo=wish.demo)
    card.check_demo([raw["demo"]], demo=wish.demo)
    raw |= {"expires": str(wish.expires), "issued": str(wish.issued)}
    if wish.roots:
        roots = {one.name: one.key.hex() for one in wish.roots}
        _same_keys(raw["roots"], roots)
        raw["leaving"] = {name: k for name, k in raw["roots"].items() if name not in roots}
        raw["roots"] = roots
    raw["threshold"] = wish.threshold or raw["threshold"]
    if not keyring.MINIMUM <= raw["threshold"] <= len(raw["roots"]):
        raise Misuse(
            f"{raw['threshold']} of {len(raw['roots'])} roots cannot be a threshold.",
            "Name the cards with --roots, and 2 or more of them with --threshold.",
        )
    people = {one["name"]: one for one in raw["reviewers"]}
    keys = {name: one["key"] for name, one in people.items()}
    _same_keys(keys, {one.name: one.key.hex() for one in wish.reviewers})
    for one in wish.reviewers:
        people[one.name] = {
            "body": one.body,
            "key": one.key.hex(),
            "name": one.name,
            "quarters": dict(one.quarters),
            "quorum": one.quorum,
            "removed": people.get(one.name, {}).get("removed"),
        }
    raw["reviewers"] = [people[name] for name in sorted(people)]
    raw["bundle_key"] = wish.bundle_key or raw["bundle_key"]
    _add_packages(raw, wish)
    for option in ("reviewers", "archive", "periods", "bundle_key"):
        if not raw[option]:
            name = option.replace("_", "-")
            raise Misuse(f"The first keyring needs --{name}.", "See: propose --help")
    line = canonical.dump(raw)
    check(line, before)
    return line


def _start(before: bytes | None, *, demo: bool) -> dict[str, Any]:
    if before is not None:
        old = keyring.parse(before)
        raw: dict[str, Any] = canonical.load_object(before.split(b"\n", 1)[0], keyring.FIELDS)
        step = {"leaving": {}, "previous": old.sha256.hex(), "version": old.version + 1}
        return {**raw, **step}
    return {
        "archive": "",
        "bundle_key": "",
        "demo": demo,
        "deployment": secrets.token_bytes(32).hex(),
        "format": keyring.FORMAT,
        "leaving": {},
        "periods": [],
        "previous": bytes(32).hex(),
        "quorum": 0,
        "reviewers": [],
        "roots": {},
        "threshold": 0,
        "version": 1,
    }


def _same_keys(old: Mapping[str, str], new: Mapping[str, str]) -> None:
    for name in old.keys() & new.keys():
        if old[name] != new[name]:
            raise Misuse(
                f"{name} has another key in the keyring before.",
                "A new key takes a new name, so that nobody mistakes one for the other.",
            )


def _add_packages(raw: dict[str, Any], wish: Wish) -> None:
    keys = {one["name"]: bytes.fromhex(one["key"]) for one in raw["reviewers"]}
    periods = {one["name"]: one for one in raw["periods"]}
    for folder in [wish.archive, *wish.periods] if wish.archive else wish.periods:
        package = quorum.read_package(folder)
        _check_package(folder, package, raw, period=folder is not wish.archive)
        marks = attestation.read(folder, package, keys)
        raw["quorum"] = package.quorum
        if package.days:
            first, last = map(str, package.days)
            periods[package.name] = {
                "attestations": marks,
                "first": first,
                "last": last,
                "name": package.name,
                "recipient": package.recipient,
            }
        else:
            raw["archive"] = package.recipient
    raw["periods"] = sorted(periods.values(), key=lambda one: str(one["first"]))


def _check_package(folder: Path, package: Package, raw: Mapping[str, Any], *, period: bool) -> None:
    if (package.days is not None) != period:
        raise Misuse(
            f"{folder} holds the secret of another kind: {package.secret}.",
            "Name the archive's package with --archive and the periods' with --periods.",
        )
    active = {one["name"] for one in raw["reviewers"] if one["removed"] is None}
    if not set(package.reviewers) <= active or raw["quorum"] not in {0, package.quorum}:
        raise Misuse(
            f"{folder} was made for other reviewers, or for another quorum.",
            "Make it again for the reviewers of this keyring; all packages have one quorum.",
        )


def check(line: bytes, before: bytes | None) -> Keyring:
    """Return the keyring that ``line`` would be if it were signed. Raises :class:`BadKeyring`.

    1. Each root's key is replaced by a stand-in, made now and thrown away; equal keys get one.
    2. All stand-ins sign, and the reading half judges the result as it will judge the real one.
    3. What comes back says the real keys again, and that nobody has signed.
    """
    old = keyring.parse(before) if before is not None else None
    try:
        raw: dict[str, Any] = canonical.load_object(line, keyring.FIELDS)
        real = {part: _octets(raw[part]) for part in ("roots", "leaving")}
    except (BadFile, ValueError, TypeError, AttributeError):
        raise BadKeyring("This is not a keyring's draft.", "Ask for the draft again.") from None
    everyone = [
        *real["roots"].values(),
        *real["leaving"].values(),
        *(old.roots if old else {}).values(),
    ]
    actors = {key: Ed25519PrivateKey.generate() for key in everyone}  # (1)
    faces = {key: actor.public_key().public_bytes_raw() for key, actor in actors.items()}
    for part, keys in real.items():
        raw[part] = {name: faces[key].hex() for name, key in keys.items()}
    if old is not None:
        old = replace(old, roots={name: faces[key] for name, key in old.roots.items()})
    play = canonical.dump(raw)  # (2)
    signers = {**real["leaving"], **real["roots"]}.items()
    lines = [keyring.signature_line(n, actors[k].sign(keyring.CONTEXT + play)) for n, k in signers]
    found = keyring.follow(old, [b"\n".join([play, b"".join(lines)])])
    sha256 = hashlib.sha256(line).digest()
    roots, leaving = real["roots"], real["leaving"]
    return replace(found, roots=roots, leaving=leaving, sha256=sha256, signers=frozenset())  # (3)


def _octets(keys: Mapping[str, str]) -> dict[str, bytes]:
    return {name: keyring.octets(key, 32) for name, key in keys.items()}
