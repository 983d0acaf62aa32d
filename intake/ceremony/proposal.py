"""The draft of a keyring: line 1, which is proposed, signed by the roots, and assembled.

Rules:
- Nobody signs in vain: whatever :func:`intake.keyring.parse` would refuse is refused here.
- After a keyring, its draft changes only what was asked for; the rest stays, periods included.
- No period begins more than 13 weeks ahead: what is made today should not outlive the trust in it.
- A removed reviewer stays named, with the last event of each of their chains that counts.
- A root or a reviewer never gets another key under the same name: a new key is a new name.
- A root signs, on their own machine, only a draft that names it with this key.
- What is assembled went through the reading half before it is written. Order and spelling are
  fixed, so the same signatures always give the same file.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, files, keyring, quorum
from intake.ceremony import card, package
from intake.errors import BadFile, Misuse
from intake.signatures import signature_line


@dataclass(frozen=True, slots=True)
class Wish:
    """What a draft is to say. None or empty: as in the keyring before.

    ``drop`` names periods that go, ``removed`` maps reviewers who go to the ends of their chains,
    as a keyring has them.
    """

    roots: Sequence[card.Card]
    threshold: int | None
    reviewers: Sequence[card.Card]
    archive: Path | None
    periods: Sequence[Path]
    bundle_key: str | None
    issued: date
    expires: date | None
    demo: bool
    drop: Sequence[str] = ()
    removed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def draft(wish: Wish, before: bytes | None) -> bytes:
    """Return line 1 of the keyring that fulfils ``wish`` and follows the keyring ``before``.

    Raises :class:`Misuse` for what is missing or does not fit, :class:`BadFile` for a package or
    attestation that is damaged or forged, :class:`BadKeyring` for what no keyring may say.
    """
    raw = _start(before, demo=wish.demo)
    raw["issued"] = wish.issued.isoformat()
    raw["expires"] = wish.expires.isoformat() if wish.expires else raw["expires"]
    if raw["issued"] > raw["expires"] > "":
        raise Misuse("The keyring would expire before it is issued.", "Change --expires.")
    raw["bundle_key"] = wish.bundle_key or raw["bundle_key"]
    raw["threshold"] = wish.threshold or raw["threshold"]
    if wish.roots:
        old, new = raw["roots"], {one.name: one.key.hex() for one in wish.roots}
        _same_keys(old, new)
        raw["leaving"] = {name: key for name, key in old.items() if name not in new}
        raw["roots"] = new
    if not keyring.MINIMUM <= raw["threshold"] <= len(raw["roots"]):
        what = f"{raw['threshold']} of {len(raw['roots'])} roots cannot be a threshold."
        raise Misuse(what, "Name the cards with --roots, and 2 or more of them with --threshold.")
    _add_reviewers(raw, wish)
    _drop(raw, wish.drop)
    _add_packages(raw, wish)
    for option in ("expires", "reviewers", "archive", "periods", "bundle_key"):
        if not raw[option]:
            name = option.replace("_", "-")
            raise Misuse(f"The first keyring needs --{name}.", "See: propose --help")
    line = canonical.dump(raw)
    keyring.draft(line)
    return line


def read_draft(path: Path) -> bytes:
    """Return line 1 from a draft's file, without its LF. Raises :class:`BadFile`."""
    data = files.read(path, keyring.MAX_SIZE)
    if data.count(b"\n") != 1 or not data.endswith(b"\n"):
        raise BadFile(f"{path} is not a draft.", "Ask whoever proposed it for the file again.")
    return data[:-1]


def sign(line: bytes, name: str, key: Ed25519PrivateKey) -> bytes:
    """Return the signature line of the root ``name`` on a draft. Raises :class:`Misuse`."""
    said = keyring.draft(line)
    if {**said.roots, **said.leaving}.get(name) != key.public_key().public_bytes_raw():
        what = f"The draft does not name {name} as a root with this key."
        raise Misuse(what, "Ask whoever proposed it which card they used.")
    return signature_line(name, key.sign(keyring.CONTEXT + line))


def assemble(line: bytes, signatures: Sequence[Path], before: bytes | None) -> bytes:
    """Return the keyring's file: the draft's ``line`` and the ``signatures``, verified.

    Raises :class:`BadFile` for a signature that does not belong to the draft, :class:`Misuse` if
    some are missing, :class:`BadKeyring` if the keyring does not follow the one ``before``.
    """
    said, message = keyring.draft(line), keyring.CONTEXT + line
    if said.version > 1 and before is None:
        what = f"Keyring {said.version} follows another one."
        raise Misuse(what, "Name that one with --previous.")
    keys = {**said.roots, **said.leaving}
    found = dict(card.read_signature(path, keys, message) for path in signatures)
    missing = sorted(said.roots.keys() - found.keys())
    if (signed := len(said.roots) - len(missing)) < said.threshold:
        what = f"{said.threshold} roots must sign; {signed} did."
        raise Misuse(what, f"Still to sign: {', '.join(missing)}.")
    data = line + b"\n" + b"".join(signature_line(*one) for one in sorted(found.items()))
    keyring.follow(keyring.parse(before) if before else None, [data])
    return data


def put(path: Path, data: bytes) -> None:
    """Write a public file, unless these very bytes are there. Raises :class:`Misuse` for others."""
    if not path.exists():
        files.write(path, data, files.PUBLIC, replace=False)
    elif files.read(path, keyring.MAX_SIZE) != data:
        what = f"{path} is already there, with other content."
        raise Misuse(what, "It stays as it is. Take another name, or move it away.")


def _start(before: bytes | None, *, demo: bool) -> dict[str, Any]:
    if before is not None:
        old = keyring.parse(before)
        card.check_demo([old.demo], demo=demo)
        raw: dict[str, Any] = canonical.load_object(before.split(b"\n", 1)[0], keyring.FIELDS)
        return {**raw, "leaving": {}, "previous": old.sha256.hex(), "version": old.version + 1}
    empty = {"archive": "", "bundle_key": "", "expires": "", "quorum": 0, "threshold": 0}
    empty |= {"leaving": {}, "periods": [], "reviewers": [], "roots": {}}
    own = {"demo": demo, "deployment": secrets.token_bytes(32).hex(), "format": keyring.FORMAT}
    return {**empty, **own, "previous": bytes(32).hex(), "version": 1}


def _same_keys(old: Mapping[str, str], new: Mapping[str, str]) -> None:
    for name in old.keys() & new.keys():
        if old[name] != new[name]:
            hint = "A new key takes a new name, so that nobody mistakes one for the other."
            raise Misuse(f"{name} has another key in the keyring before.", hint)


def _add_reviewers(raw: dict[str, Any], wish: Wish) -> None:
    people = {one["name"]: one for one in raw["reviewers"]}
    keys = {one.name: one.key.hex() for one in wish.reviewers}
    _same_keys({name: one["key"] for name, one in people.items()}, keys)
    for one in wish.reviewers:
        facts = {name: one.facts[name] for name in card.OF_REVIEWER}
        people[one.name] = {"removed": None, **people.get(one.name, {}), **facts}
    for name, ends in wish.removed.items():
        people[name] = {**people[name], "removed": ends}
    raw["reviewers"] = [people[name] for name in sorted(people)]


def _drop(raw: dict[str, Any], names: Sequence[str]) -> None:
    if strangers := set(names) - {one["name"] for one in raw["periods"]}:
        what = f"The keyring before has no period {min(strangers)}."
        raise Misuse(what, "See which it has: show KEYRING")
    raw["periods"] = [one for one in raw["periods"] if one["name"] not in names]


def _add_packages(raw: dict[str, Any], wish: Wish) -> None:
    active = {one["name"]: one["key"] for one in raw["reviewers"] if one["removed"] is None}
    keys = {name: bytes.fromhex(key) for name, key in active.items()}
    periods = {one["name"]: one for one in raw["periods"]}
    for folder in [wish.archive, *wish.periods] if wish.archive else wish.periods:
        made = quorum.read_package(folder)
        if (made.days is None) != (folder is wish.archive):
            what = f"{folder} holds another kind of secret: {made.secret}."
            raise Misuse(what, "Name the archive with --archive and periods with --periods.")
        raw["quorum"] = raw["quorum"] or made.quorum
        if not set(made.reviewers) <= active.keys() or raw["quorum"] != made.quorum:
            what = f"{folder} was made for other reviewers, or for another quorum."
            raise Misuse(what, "Make it again for this keyring's; all packages have one quorum.")
        marks = package.attestations(folder, made, keys)
        if made.days and made.days[0] > wish.issued + timedelta(weeks=package.MAX_WEEKS):
            what = f"{folder} begins more than {package.MAX_WEEKS} weeks after {wish.issued}."
            raise Misuse(what, "Leave it for a later keyring.")
        if made.days:
            period = keyring.Period(made.name, *made.days, made.recipient, marks)
            periods[period.name] = {**period.facts(), "attestations": marks}
        else:
            raw["archive"] = made.recipient
    raw["periods"] = sorted(periods.values(), key=lambda one: str(one["first"]))
