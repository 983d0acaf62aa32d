"""Casebooks by chance, planted authors among them, as bodies of vectors of the kind ``casebook``.

Rules:
- The same seed gives the same casebook.
- About one event in three is strange: a value in it is another, or its heads are claimed.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

from intake import canonical
from tests.make_vectors import casebooks as made
from tests.make_vectors.casebooks import ALICE, BOB, CAROL, CASE, MORE, OTHER, ROW, Book

CHAINS = (ALICE, BOB, CAROL, "alice.desk-b", "bob.desk-a", f"{BOB}~1a2b3c4d", f"{ALICE}~00000000")
BLOBS = tuple(made.named("blob", number) for number in range(4))
JUNK: Sequence[Any] = (
    *(None, True, False, 0, 1, -1, 1001, 10**15 - 1, "", "a", "ab", "alice", "2026-11-16", "ok"),
    *(
        [],
        {},
        [1, 2],
        [[]],
        {"a": "b"},
        ["alice", "bob"],
        ROW,
        BLOBS[0],
        BLOBS[0].upper(),
        "\u202e",
    ),
    *("verified", "vouched", ["vouched"], "decided", "marked", "withdrawn", "part", "x" * 1001),
)


def casebook(seed: int) -> bytes:
    """Return the body of a vector: up to sixteen events in up to seven files."""
    chance = random.Random(seed)
    book = Book().add(ALICE, made.received())
    chains = chance.sample(CHAINS, chance.randint(2, len(CHAINS)))
    for _ in range(chance.randint(1, 15)):
        chain = chance.choice(chains)
        book.add(chain, what(chance, book), **around(chance, book, chain))
    return canonical.dump(book.chains)


def what(chance: random.Random, book: Book) -> dict[str, Any]:
    """Return what some event says, strange or not."""
    records = [
        made.record(chance.choice(BLOBS), chance.choice((ROW, MORE)), chance.choice((CASE, OTHER)))
        for _ in range(chance.randint(1, 2))
    ]
    people = sorted(chance.sample(("alice", "bob", "carol"), 2))
    rows = [
        made.row(chance.choice((ROW, MORE)), chance.choice((*BLOBS, None)))
        for _ in range(chance.randint(1, 2))
    ]
    cases = {made.key_of(chance.choice((CASE, OTHER))): people}
    erased = [
        [
            chance.choice((ROW, ROW, MORE)),
            chance.choice((*BLOBS[:2], *BLOBS[:1] * 3)),
            chance.choice((*BLOBS[:3], None, None, None)),
        ]
        for _ in range(chance.randint(0, 2))
    ]
    slices = [
        {**one, "envelope": "slice", "slice": made.sliced(chance.randint(0, 1))["slice"]}
        for one in records
    ]
    back = {
        "heard": [made.key_of(chance.choice((CASE, OTHER)))],
        "replies": [made.named("reply", chance.randint(1, 3), 16)],
    }
    mark = chance.choice(("coercion", "duplicate"))
    of = {"of": bytes([chance.randint(1, 3)] * 16).hex()} if mark == "duplicate" else {}
    texts = chance.sample(sorted(book.lines.values()), min(2, len(book.lines)))
    state = chance.choice(("verified", "verified", "partial", "rejected", "received"))
    says: list[made.What] = [
        *[made.decided(state)] * 5,
        *[made.marked(mark, on=chance.random() < 0.5, **of)] * 3,
        made.WITHDRAWN,
        *[made.erased(*erased, cases=chance.choice((cases, {})))] * 10,
        made.received(*records, assigned=people),
        made.received(
            *({**one, "people": chance.sample(("alice", "bob", "carol"), 2)} for one in records),
            kind="resealed",
            assigned=people,
        ),
        made.received(*slices, assigned=people),
        *[made.replied(reply=chance.randint(1, 3))] * 2,
        *[made.acknowledged(chance.randint(1, 9), **back)] * 2,
        made.part(*rows, cases=cases),
        made.imported(rows=rows, cases=cases),
        {"events": texts, "kind": "carried"},
    ]
    value: Any = canonical.load(canonical.dump(chance.choice(says)))
    while chance.random() < 0.15 and len(value) > 1:
        spots = [(holder, key) for holder, key in places(value) if key != "kind"]
        holder, key = chance.choice(spots)
        if isinstance(holder, dict) and chance.random() < 0.2:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(chance.choice(JUNK))
    return dict(value)


def places(value: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Return holder and key of every value inside."""
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
    inner = [places(one) for _, one in pairs if isinstance(one, dict | list)]
    return [*((value, key) for key, _ in pairs), *(spot for some in inner for spot in some)]


def around(chance: random.Random, book: Book, chain: str) -> dict[str, Any]:
    """Return what else an event has: heads, a hash, a frame that nobody opens."""
    there = [one for one in book.chains if one != chain and "~" not in one]
    saw: Any = chance.sample(there, chance.randint(0, len(there)))
    if chance.random() < 0.1:
        saw = {chance.choice(CHAINS[:5]): [chance.randint(-1, 9), "00" * 32]}
    other: dict[str, Any] = {"saw": saw, "hash": chance.randbytes(32).hex()}
    if chance.random() < 0.1:
        other["closed"] = True
    if chance.random() < 0.05:
        other["case"] = chance.choice((OTHER, CASE, None))
    if chance.random() < 0.05:
        other["grounds"] = chance.choice((["other"], ["vouched", "vouched"], [1], [None], ["no"]))
    return other
