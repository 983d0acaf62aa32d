"""Vectors of replies: what stands in 4,096 bytes, on its way back to a source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from intake import canonical, reply
from intake.age.sealing import seal
from tests.make_vectors import Vector, respelled
from tests.make_vectors.envelopes import BURMESE, EMOJI, ZAWGYI
from tests.makers import identity

Draft = Mapping[str, Any]

UNKNOWN = "A sealed reply opens, and is none"
FACTS: Draft = {"day": "2026-11-18", "kind": "reply", "number": 1, "text": BURMESE, "version": 1}
NOTICE: Draft = {**FACTS, "kind": "notice", "number": 0, "text": ""}
LINE = canonical.dump(FACTS)
LARGEST = 10**15 - 1


def padded(data: bytes) -> bytes:
    """Return a whole plaintext."""
    return data.ljust(reply.PLAINTEXT, b" ")


def plain(facts: object) -> bytes:
    """Return the plaintext of these fields, spelled canonically."""
    return padded(canonical.dump(facts) + b"\n")


def changed(**changes: object) -> bytes:
    """Return the reply with other fields."""
    return plain({**FACTS, **changes})


def without(field: str) -> bytes:
    """Return the reply that lacks a field."""
    return plain({key: value for key, value in FACTS.items() if key != field})


def spelled(old: str, new: str | bytes) -> bytes:
    """Return the reply with one piece of its line spelled otherwise, whatever that gives."""
    return padded(respelled(LINE, old, new) + b"\n")


# name, comment, fields
ACCEPTED: list[tuple[str, str, Draft]] = [
    ("reply", "An answer in Burmese, of two lines.", FACTS),
    ("notice", "What every case gets once.", NOTICE),
    ("reply-zawgyi", "Text in Zawgyi's order is text.", {**FACTS, "text": ZAWGYI}),
    ("reply-longest", "1,000 code points outside the BMP, and the largest number: 4,000 bytes.",
     {**FACTS, "number": LARGEST, "text": "😀" * reply.TEXT}),
    ("reply-emoji", "Emoji of several code points.", {**FACTS, "text": EMOJI}),
    ("reply-of-a-space", "White space is a text.", {**FACTS, "text": " "}),
    ("reply-number-0", "Number 0.", {**FACTS, "number": 0}),
    ("reply-number-largest", "The largest number.", {**FACTS, "number": LARGEST}),
    ("notice-first-day", "What takes the place of a reply that its source deleted.",
     {**NOTICE, "day": "0001-01-01"}),
]  # fmt: skip

# name, rule, comment, plaintext; the base is "reply"
REFUSED: list[tuple[str, str, str, bytes]] = [
    ("empty", "11.1", "No byte.", b""),
    ("too-short", "11.1", "4,095 bytes.", plain(FACTS)[:-1]),
    ("too-long", "11.1", "4,097 bytes.", plain(FACTS) + b" "),
    ("no-line-feed", "11.1", "The line is not ended.", padded(LINE)),
    ("crlf", "1", "The line ends in CR LF.", padded(LINE + b"\r\n")),
    ("byte-order-mark", "1", "A byte order mark.", padded(b"\xef\xbb\xbf" + LINE + b"\n")),
    ("not-utf-8", "1", "A byte that UTF-8 has not.", spelled('"reply"', b'"repl\xff"')),
    ("padding-hides", "11.1", "A word in the padding.", plain(FACTS)[:-9] + b"rosa     "),
    ("padding-zero", "11.1", "The last byte of the padding is a NUL.", plain(FACTS)[:-1] + b"\0"),
    ("second-line", "11.1", "Something behind the line.", padded(LINE + b"\n{}\n")),
    ("keys-unsorted", "2", "version before text.",
     spelled(f'"number":1,"text":{canonical.dump(BURMESE).decode()},"version":1',
             f'"number":1,"version":1,"text":{canonical.dump(BURMESE).decode()}')),
    ("key-twice", "2", "A key twice, with one value.",
     spelled('"number":1', '"number":1,"number":1')),
    ("space-after-colon", "2", "White space.", spelled('"number":1', '"number": 1')),
    ("escaped-letter", "2", "A letter escaped that need not be.",
     spelled('"reply"', r'"\u0072eply"')),
    ("float", "2", "1.0 for 1.", spelled('"number":1', '"number":1.0')),
    ("minus-zero", "2", "-0 for 0.", spelled('"number":1', '"number":-0')),
    ("surrogate", "2", "A lone surrogate, escaped.", spelled('"reply"', r'"\udc00"')),
    *((f"without-{field}", "11.1", f"No field {field}.", without(field)) for field in FACTS),
    ("unknown-field", "11.1", "A field that this version does not know.", changed(time="12:00")),
    ("version-2", "11.1", "Another version.", changed(version=2)),
    ("version-true", "11.1", "true is not 1.", changed(version=True)),
    ("kind-unknown", "11.1", "A kind that is none.", changed(kind="testimony")),
    ("kind-null", "11.1", "null is no kind.", changed(kind=None)),
    ("kind-array", "11.1", "A list is no kind.", changed(kind=["reply"])),
    ("number-negative", "11.1", "A number below 0.", changed(number=-1)),
    ("number-true", "11.1", "true is no number.", changed(number=True)),
    ("number-text", "11.1", "A text is no number.", changed(number="1")),
    ("number-null", "11.1", "null is no number.", changed(number=None)),
    ("day-that-is-not", "1", "30 February.", changed(day="2026-02-30")),
    ("day-with-time", "1", "A day with a time.", changed(day="2026-11-18T00:00")),
    ("day-null", "1", "null is no day.", changed(day=None)),
    ("text-empty", "11.1", "An answer that says nothing.", changed(text="")),
    ("text-null", "11.1", "null is no text.", changed(text=None)),
    ("text-array", "11.1", "A list is no text.", changed(text=[BURMESE])),
    ("text-object", "11.1", "An object is no text.", changed(text={BURMESE: 1})),
    ("text-too-long", "11.1", "1,001 code points.", changed(text="က" * (reply.TEXT + 1))),
    ("no-object", "11.1", "The line is a list.", plain(list(FACTS.items()))),
    ("an-envelope", "11.1", "An envelope's plaintext is another size.",
     plain(FACTS).ljust(32_768)),
]  # fmt: skip

# As above; the base is "notice".
NOTICES: list[tuple[str, str, str, bytes]] = [
    ("notice-with-text", "11.1", "A notice has no text.", plain({**NOTICE, "text": BURMESE})),
    ("notice-text-array", "11.1", "An empty list is no text.", plain({**NOTICE, "text": []})),
    ("notice-text-null", "11.1", "null is no text.", plain({**NOTICE, "text": None})),
    ("notice-number-false", "11.1", "false is not 0.", plain({**NOTICE, "number": False})),
]  # fmt: skip


def vectors() -> Iterator[Vector]:
    """Yield all of them."""
    for name, comment, facts in ACCEPTED:
        yield _accepted(name, comment, facts, plain(facts), {"layer": "plaintext"})
    for base, table in (("reply", REFUSED), ("notice", NOTICES)):
        for name, rule, comment, body in table:
            yield _refused(name, (rule, UNKNOWN, base), comment, body, {"layer": "plaintext"})
    key, other = identity("mailbox"), identity("another mailbox")
    here, there = ({"layer": "sealed", "identity": one.encode()} for one in (key, other))
    sealed = seal(plain(FACTS), [key.recipient()])
    yield _accepted("sealed", "A reply as it waits on the server.", FACTS, sealed, here)
    why = ("3", "None of the identities", "sealed")
    yield _refused("sealed-to-another", why, "It is another mailbox's.", sealed, there)


def _accepted(
    name: str, comment: str, facts: Draft, body: bytes, given: Mapping[str, str]
) -> Vector:
    digest = hashlib.sha256(facts["text"].encode()).hexdigest()
    out = {"kind": facts["kind"], "day": facts["day"], "number": str(facts["number"])}
    told = {**given, **out, "text-sha256": digest}
    sealed = "identity" in given
    return Vector(kind="reply", name=name, comment=comment, body=body, facts=told, sealed=sealed)


def _refused(
    name: str, why: tuple[str, str, str], comment: str, body: bytes, given: Mapping[str, str]
) -> Vector:
    rule, says, base = why
    return Vector(
        kind="reply",
        name=name,
        comment=comment,
        body=body,
        rule=rule,
        says=says,
        base=base,
        facts=given,
        sealed="identity" in given,
    )
