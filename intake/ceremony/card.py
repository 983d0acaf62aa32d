"""A card: the public half of a root or a reviewer, which travels to the others.

Rules:
- A card is signed with the key that it names, so nobody presents another's key as their own.
- A card made with a demo's passphrases says so, and never meets cards of a real ceremony.
- Who a card belongs to is not proven by it: compare the key face to face.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, files, keyring
from intake.errors import BadFile, Misuse, Unsafe
from intake.signatures import octets, split_signature, verified

ROOT = "intake root card 1"
REVIEWER = "intake reviewer card 1"
NAME = "card.json"
OF_REVIEWER = frozenset({"body", "key", "name", "quarters", "quorum"})  # also in a keyring
_CONTEXT = b"intake card 1\n"
_ROOT_FIELDS = frozenset({"demo", "format", "key", "name", "proof"})
_FIELDS = {ROOT: _ROOT_FIELDS, REVIEWER: _ROOT_FIELDS | OF_REVIEWER}
_LIMIT = 1 << 16  # bytes


@dataclass(frozen=True, slots=True)
class Card:
    """A root's or a reviewer's card; ``facts`` is all of it, as JSON has it."""

    name: str
    key: bytes
    demo: bool
    facts: Mapping[str, Any]


def write(folder: Path, key: Ed25519PrivateKey, facts: Mapping[str, object]) -> None:
    """Write the card with ``facts`` (format, name, demo and a reviewer's), signed by ``key``."""
    facts = {**facts, "key": key.public_key().public_bytes_raw().hex()}
    proof = key.sign(_CONTEXT + canonical.dump(facts)).hex()
    files.write(folder / NAME, canonical.dump({**facts, "proof": proof}), files.PUBLIC)


def read(path: Path, kind: str) -> Card:
    """Return the card in ``path``, or in the folder ``path``, which must be of that ``kind``.

    Raises :class:`BadFile` if it is damaged, altered or of another kind.
    """
    path = path / NAME if path.is_dir() else path
    data = files.read(path, _LIMIT)
    try:
        raw = canonical.load_object(data, _FIELDS[kind])
        name, key = str(raw["name"]), octets(str(raw["key"]), 32)
        proof = octets(str(raw.pop("proof")), 64)
        good = verified(key, proof, _CONTEXT + canonical.dump(raw))
        good = good and (raw["format"], raw["name"], type(raw["demo"])) == (kind, name, bool)
        good = good and keyring.NAME.match(name) is not None
    except (ValueError, BadFile):
        good = False
    if not good:
        hint = "Check whose it is, or ask its owner for the card again and compare the key."
        raise BadFile(f"{path} is no {kind.split()[1]}'s card, or it was altered.", hint)
    return Card(name, key, raw["demo"] is True, raw)


def recipients(cards: Iterable[Card]) -> dict[str, str]:
    """Return what each reviewer opens packages with, by name."""
    return {one.name: str(one.facts["quorum"]) for one in cards}


def read_all(paths: Iterable[Path], kind: str, *, demo: bool) -> list[Card]:
    """Return the cards in order of names. Raises as :func:`read`, :class:`Misuse`, :class:`Unsafe`.

    ``demo`` says whether this is a demo's ceremony, which takes a demo's cards and no others.
    """
    cards = sorted((read(path, kind) for path in paths), key=lambda card: card.name)
    if len({card.name for card in cards}) != len(cards):
        raise Misuse("Two cards have the same name.", "Give each card once; names are unique.")
    check_demo((card.demo for card in cards), demo=demo)
    return cards


def check_demo(found: Iterable[bool], *, demo: bool) -> None:
    """Refuse to mix a demo with a real ceremony: :class:`Unsafe`."""
    if any(one != demo for one in found):
        hint = "Make every card anew: all with real passphrases, or all with --demo-passphrases."
        raise Unsafe("A demo's keys and a real ceremony never meet.", hint)


def read_signature(path: Path, keys: Mapping[str, bytes], message: bytes) -> tuple[str, bytes]:
    """Return who signed ``message`` in the one-line file ``path``, and the signature.

    ``keys`` maps names to verifying keys. Raises :class:`BadFile` for anything else.
    """
    try:
        data = files.read(path, _LIMIT)
        name, signature = split_signature(data.removesuffix(b"\n"))
        good = name in keys and verified(keys[name], signature, message)
    except ValueError:
        good = False
    if not good:
        hint = "It may be of an earlier file. Let that person sign again."
        raise BadFile(f"{path} is no signature of this by one of those who may sign.", hint)
    return name, signature
