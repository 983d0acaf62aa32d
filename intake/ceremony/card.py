"""A card: the public half of a root or a reviewer, which travels to the others.

Rules:
- A card is signed with the key that it names, so nobody presents another's key as their own.
- A card made with a demo's passphrases says so, and never meets cards of a real ceremony.
- Who a card belongs to is not proven by it: compare the key face to face.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, files, keyring
from intake.age.recipient import Recipient
from intake.errors import BadFile, Misuse, Unsafe

ROOT = "intake root card 1"
REVIEWER = "intake reviewer card 1"
NAME = "card.json"
_CONTEXT = b"intake card 1\n"
_ROOT_FIELDS = frozenset({"demo", "format", "key", "name", "proof"})
_FIELDS = {ROOT: _ROOT_FIELDS, REVIEWER: _ROOT_FIELDS | {"body", "quarters", "quorum"}}
_LIMIT = 1 << 16  # bytes
_NEXT = "Ask its owner for the card again, and compare the key with them."


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says; ``body``, ``quorum`` and ``quarters`` are empty on a root's."""

    name: str
    key: bytes
    demo: bool
    body: str
    quorum: str
    quarters: Mapping[str, str]


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
    raw = canonical.load_object(files.read(path, _LIMIT), _FIELDS[kind])
    signed = _CONTEXT + canonical.dump({k: v for k, v in raw.items() if k != "proof"})
    body, quorum, quarters = raw.get("body", ""), raw.get("quorum", ""), raw.get("quarters", {})
    try:
        key, proof = keyring.octets(str(raw["key"]), 32), keyring.octets(str(raw["proof"]), 64)
        good = (
            raw["format"] == kind
            and keyring.NAME.match(str(raw["name"])) is not None
            and isinstance(quarters, dict)
            and all(map(keyring.QUARTER.match, quarters))
            and keyring.verified(key, proof, signed)
        )
    except ValueError:
        good = False
    if not good or not isinstance(quarters, dict):
        raise BadFile(f"{path} is not a card, or it was altered.", _NEXT)
    if kind == REVIEWER:
        for recipient in (quorum, *quarters.values()):
            Recipient.parse(str(recipient))
    texts = {name: str(recipient) for name, recipient in quarters.items()}
    return Card(str(raw["name"]), key, raw["demo"] is True, str(body), str(quorum), texts)


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
        raise Unsafe(
            "A demo's keys and a real ceremony never meet.",
            "Make every card anew, all with real passphrases, or all with --demo-passphrases.",
        )
