"""Bundles and returns: files on a stick, signed by somebody who may have been robbed of the key.

A mutant's list and line 1 are made to fit each other and signed again, so that what comes out is
what a hostile server, or two hostile reviewers, could bring. What was read is compared with a
second reader, written out here (:func:`verdicts`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from intake import bundle
from intake.bundle import Entry, Header
from intake.bundle.reading import Opened, open_bundle, open_return
from intake.bundle.writing import write_bundle, write_return
from intake.desk import importing
from intake.desk.casebook import Casebook
from intake.errors import BadKeyring
from intake.signatures import signature_line
from tests.fuzz.mutations import EDIT, FEW, INSIDE, MANY, Reader, Way, edited, outside, put, tiers
from tests.test_bundle import BODIES, ENTRIES, HEADER, MADE, RETURN

BODY = b"".join(BODIES)
LIST = b"".join(entry.line() for entry in ENTRIES)
KEYS = [MADE.reviewers[name] for name in ("alice", "bob")]
MAILBOXES = [Entry(e.id, e.sha256, bytes([9 - n]) * 16) for n, e in enumerate(ENTRIES)]


class Found(NamedTuple):
    """All that comes out of a file."""

    header: Header
    acknowledged: tuple[Entry, ...]
    entries: tuple[Entry, ...]
    verdicts: Sequence[tuple[Entry, bytes | None, str]]
    rest: tuple[list[Entry], int]


def taken(opened: Opened[Any]) -> Found:
    verdicts = list(opened)
    rest = (opened.doubled, opened.stray)
    return Found(opened.header, opened.acknowledged, opened.entries, verdicts, rest)


def same(found: Found, mutant: bytes, signatures: Callable[[bytes], set[bytes]]) -> bool:
    """Written back it is the same head, and a plain second reader says the same of the rest."""
    header = found.header
    line, _, rest = mutant.partition(b"\n")
    listed = b"".join(e.line() for e in (*found.acknowledged, *found.entries))
    head, _, body = rest.partition(listed) if listed else (rest, b"", b"")
    if not listed:  # where a head without a list ends
        head, body = signed_part(rest, header)
    numbers = [v for k in header.__slots__ for v in [getattr(header, k)] if k in NUMBERS]
    return (
        header.line() == line
        and all(type(n) is int and n >= 0 for n in numbers)
        and type(header.keyring[0]) is int
        and set(head.split(b"\n")) <= {b"", *signatures(header.statement())}
        and verdicts(found.entries, body, header.size) == Counter(v for *_, v in found.verdicts)
        and all(piece is None or piece in body for _, piece, _ in found.verdicts)
    )


NUMBERS = {"number", "size", "left", "count", "acknowledged", "replies"}


def signed_part(rest: bytes, header: Header) -> tuple[bytes, bytes]:
    """Return signatures and body of a file whose list is empty."""
    if header.FORMAT == HEADER.FORMAT:
        return rest[:129], rest[129:]
    head, _, body = rest.partition(b"\n\n")
    return head, body


def verdicts(entries: tuple[Entry, ...], body: bytes, size: int) -> Counter[str]:
    """Count the verdicts, one entry after the other and one piece after the other."""
    pieces = [body[n * size : (n + 1) * size] for n in range(2 * len(entries) if size else 0)]
    left = [p for p in pieces if len(p) == size]
    hashes = [hashlib.sha256(p).digest() for p in left]
    wanted = Counter(e.sha256 for e in entries)
    here = Counter({h: min(n, hashes.count(h)) for h, n in wanted.items()})
    found: Counter[str] = Counter()
    for place, entry in enumerate(entries):
        if here[entry.sha256] > 0:
            here[entry.sha256] -= 1
            found["ok"] += 1
        else:
            odd = place < len(left) and hashes[place] not in wanted
            found["altered" if odd else "missing"] += 1
    return found


class Signed(NamedTuple):
    """A change of line 1, the list or the bodies, before it is signed."""

    inside: Any
    listed: Any
    body: Any
    variant: int


def resigned(line: bytes, entries: bytes, sign: Callable[[bytes, int], bytes]) -> Way:
    """Return the way that changes the parts of a file, and signs it again."""
    value = json.loads(line)
    one = st.lists(EDIT, max_size=1)
    recipes = st.builds(Signed, st.none() | INSIDE, one, one, st.integers(0, 1 << 16))

    def build(recipe: Signed, step: int) -> bytes:
        listed = edited(entries, recipe.listed, step, len(entries), entries[98:] + entries[:98])
        facts = {**value, "list": hashlib.sha256(listed).hexdigest()}
        if "count" in facts and recipe.variant % 3:
            facts["count"] = len(listed) // bundle.ENTRY
        first = json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
        if recipe.inside is not None:
            first = recipe.inside.line(facts, step)
        body = edited(BODY, recipe.body, step, len(BODY), BODIES[1] * 4)
        return first + b"\n" + sign(first, recipe.variant) + listed + body

    return recipes, build


def by_the_server(line: bytes, _: int) -> bytes:
    return MADE.bundle_key.sign(b"intake bundle 1\n" + line).hex().encode() + b"\n"


def by_reviewers(line: bytes, variant: int) -> bytes:
    """Return two signatures and the empty line; sometimes one, or one twice, or the other way."""
    people = [*[KEYS] * 9, KEYS[:1], KEYS[:1] * 2, KEYS[::-1]][variant % 12]
    signed = b"intake return 1\n" + line
    return b"".join(signature_line(who.name, who.signing.sign(signed)) for who in people) + b"\n"


@tiers(MANY)
def test_a_bundle(tmp_path: Path, count: int) -> None:
    path, key = tmp_path / "x.bundle", MADE.keyring.bundle_key
    write_bundle(path, HEADER, ENTRIES, BODIES, MADE.bundle_key.sign)
    valid = path.read_bytes()
    write_bundle(path, HEADER, ENTRIES[:2], BODIES[:2], MADE.bundle_key.sign)

    def read(data: bytes) -> Found:
        with open_bundle(put(path, data), key, MADE.deployment) as opened:
            return taken(opened)

    Reader(
        valid=valid,
        read=read,
        same=lambda found, data: same(
            found, data, lambda s: {MADE.bundle_key.sign(s).hex().encode()}
        ),
        ways=[
            outside(valid, path.read_bytes(), len(valid) - len(BODY)),
            *[resigned(valid.partition(b"\n")[0], LIST, by_the_server)] * 2,
        ],
        reached=[
            *("another deployment", "signature on", "is not a file that", "or of the other kind"),
            "The list in",
        ],
    ).fuzz(count)


@tiers(FEW)
def test_a_return(tmp_path: Path, count: int) -> None:
    path = tmp_path / "x.return"
    signers = {who.name: who.signing.sign for who in KEYS}
    replies = replace(RETURN, size=len(BODIES[0]))
    write_return(path, replies, signers, ENTRIES, (MAILBOXES, BODIES[::-1]))
    valid = path.read_bytes()
    write_return(path, RETURN, signers, ENTRIES[:2])
    listed = LIST + b"".join(sorted(entry.line() for entry in MAILBOXES))

    def read(data: bytes) -> Found:
        with open_return(put(path, data), MADE.keyring) as opened:
            return taken(opened)

    def lines(statement: bytes) -> set[bytes]:
        return {signature_line(who.name, who.signing.sign(statement))[:-1] for who in KEYS}

    Reader(
        valid=valid,
        read=read,
        same=lambda found, data: same(found, data, lines),
        ways=[
            outside(valid, path.read_bytes(), len(valid) - len(BODY)),
            resigned(valid.partition(b"\n")[0], listed, by_reviewers),
        ],
        reached=[
            *("another deployment", "A signature on", "fewer than 2", "or of the other kind"),
            *("The list in", "is not a file that"),
        ],
    ).fuzz(count)


@tiers(FEW)
def test_the_keyring_that_a_bundle_names(tmp_path: Path, count: int) -> None:
    """It is looked for before anything of the bundle is believed, so line 1 may be anything."""
    path, book = tmp_path / "x.bundle", Casebook(tmp_path, "desk-a", [MADE.keyring])
    write_bundle(path, HEADER, ENTRIES, BODIES, MADE.bundle_key.sign)
    valid = path.read_bytes()
    Reader(
        valid=valid,
        read=lambda data: importing._keyring_of(put(path, data), book),
        same=lambda found, _: found == MADE.keyring,
        ways=[
            outside(valid, dense=len(HEADER.line())),
            resigned(valid.partition(b"\n")[0], LIST, by_the_server),
        ],
        refused=(BadKeyring,),
        reached=["was made under keyring"],
    ).fuzz(count)
