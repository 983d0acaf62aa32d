"""Vectors of quorum packages: folders of which a secret comes out, or none."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from intake import canonical
from intake.age import bech32
from intake.age.recipient import Recipient
from intake.age.sealing import seal
from tests.make_vectors import Vector, respelled
from tests.make_vectors.keyrings import CLASSIC
from tests.makers import NAMES, identity

Draft = Mapping[str, Any]
Folder = Mapping[str, bytes]

JSON = "is not canonical JSON"
FIELDS = "is not the package that was expected"
FEW = "reviewers open"
CLOSED = "does not open"
DAMAGED = "is damaged: it was cut or altered"
SECRET = "This is not a post-quantum identity"
LARGE = "is larger than any file of its kind"
ABSENT = "is not there"

PERIOD = identity("2026-w47")
TEXT = PERIOD.encode().encode() + b"\n"
KEYS = {name: identity(f"{name} quorum") for name in (*NAMES, "a", "b", "frank")}
FACTS: Draft = {
    "first": "2026-11-16",
    "format": "intake package 1",
    "last": "2026-11-22",
    "name": "2026-w47",
    "quorum": 2,
    "recipient": str(PERIOD.recipient()),
    "reviewers": ["alice", "bob"],
    "secret": "period",
}
NAME = "alice+bob.age"


class Same:
    """A recipient whose stanza stands in a file again and again."""

    kind = Recipient.kind

    def __init__(self, recipient: Recipient) -> None:
        self._recipient = recipient
        self._stanza: tuple[bytes, ...] = ()

    def wrap(self, file_key: bytes) -> tuple[bytes, ...]:
        self._stanza = self._stanza or self._recipient.wrap(file_key)
        return self._stanza


def nested(text: bytes, names: Sequence[str], **other: str) -> bytes:
    """Return the text sealed to each in turn, the first outermost; ``other`` have others' keys."""
    for name in reversed(names):
        text = seal(text, [KEYS[other.get(name, name)].recipient()])
    return text


def made(age: Folder | None = None, **changes: object) -> dict[str, bytes]:
    """Return the package of alice and bob, its JSON changed, with these age files or its own."""
    facts = {key: value for key, value in {**FACTS, **changes}.items() if value is not None}
    sealed = SEALED if age is None else age
    return {**sealed, "package.json": canonical.dump(facts)}


def subsets(names: Sequence[str], quorum: int) -> dict[str, bytes]:
    """Return the age file of each subset."""
    return {"+".join(some) + ".age": nested(TEXT, some) for some in combinations(names, quorum)}


def inside(text: bytes) -> dict[str, bytes]:
    """Return the package with another innermost text."""
    return made({NAME: nested(text, ("alice", "bob"))})


def spelled(old: str, new: str) -> dict[str, bytes]:
    """Return the package, a piece of its JSON spelled otherwise."""
    return {**made(), "package.json": respelled(canonical.dump(FACTS), old, new)}


def large() -> bytes:
    """Return a file that opens and is over 64 KiB: alice's stanza stands there 43 times."""
    inner = seal(TEXT, [KEYS["bob"].recipient()])
    return seal(inner, [Same(KEYS["alice"].recipient())] * 43)


SEALED = subsets(("alice", "bob"), 2)
WHOLE = SEALED[NAME]
OF_THREE = {"alice+carol.age": nested(TEXT, ("alice", "carol"))}  # enough to open it
THREE: Draft = {"reviewers": ["alice", "bob", "carol"]}
ARCHIVE: Draft = {"secret": "archive", "name": "archive", "first": None, "last": None}
OTHER = identity("2026-w48")
SEED = hashlib.sha256(b"classic").digest()
TWO, ALL3 = ("alice", "bob"), ("alice", "bob", "carol")
EXPECTED = "expected-recipient"
OURS = {EXPECTED: FACTS["recipient"]}


def accepted() -> list[tuple[str, str, dict[str, bytes], Sequence[str]]]:
    """Return name, comment, folder, and who is here."""
    return [
        ("whole", "A period's, of two reviewers.", made(), TWO),
        ("one-file-cut", "One subset's file is cut; another opens.",
         made({**OF_THREE, NAME: WHOLE[:-1]}, **THREE), ALL3),
        ("one-file-missing", "The files of two subsets are not there; the third opens.",
         made(OF_THREE, **THREE), ALL3),
        ("one-file-of-another-secret", "One subset's file holds another secret; another opens.",
         made({**OF_THREE, NAME: nested(OTHER.encode().encode() + b"\n", TWO)}, **THREE), ALL3),
        ("all-of-five", "Five reviewers, all of whom must come.",
         made(subsets(NAMES, 5), reviewers=list(NAMES), quorum=5), NAMES),
        ("archive", "The archive's has no days.", made(**ARCHIVE), TWO),
        ("archive-of-another-name", "An archive may have any name.",
         made(**{**ARCHIVE, "name": "a"}), TWO),
        ("days-backwards", "Days are spelled right; whether they are a period, the keyring says.",
         made(first="2026-11-22", last="2026-11-16"), TWO),
        ("files-besides", "Files that no rule names are not looked at.",
         {**made(), "attestation-alice": b"x", "NOTES": b"", "carol+dave.age": b""}, TWO),
        ("names-of-one-letter", "Reviewers a and b.",
         made({"a+b.age": nested(TEXT, ("a", "b"))}, reviewers=["a", "b"]), ("a", "b")),
    ]  # fmt: skip


Row = tuple[str, str, str, str, dict[str, bytes]]


def json_refused() -> list[Row]:
    """Return name, rule, a part of the reason, comment, folder; the base is "whole"."""
    line = canonical.dump(FACTS)
    return [
        ("space-after-colon", "2", JSON, "White space.", spelled('"quorum":2', '"quorum": 2')),
        ("key-twice", "2", JSON, "A field twice.", spelled('"quorum":2', '"quorum":2,"quorum":2')),
        ("keys-unsorted", "2", JSON, "format before first.",
         spelled('"first":"2026-11-16","format":"intake package 1"',
                 '"format":"intake package 1","first":"2026-11-16"')),
        ("float", "2", JSON, "2.0 for 2.", spelled('"quorum":2', '"quorum":2.0')),
        ("escaped-letter", "2", JSON, "A letter escaped that need not be.",
         spelled('"bob"', r'"\u0062ob"')),
        ("line-feed-after", "2", JSON, "An LF after the value.",
         {**made(), "package.json": line + b"\n"}),
        ("byte-order-mark", "1", JSON, "A byte order mark.",
         {**made(), "package.json": b"\xef\xbb\xbf" + line}),
        ("json-too-large", "9", LARGE, "Over 64 KiB of white space after the value.",
         {**made(), "package.json": line.ljust((1 << 16) + 1)}),
        ("json-missing", "9", ABSENT, "There is no package.json.", dict(SEALED)),
        *((f"without-{field}", "9", FIELDS, f"No field {field}.", made(**{field: None}))
          for field in FACTS),
        ("unknown-field", "9", FIELDS, "A field that this version does not know.", made(note="")),
        ("format-2", "9", FIELDS, "Another format.", made(format="intake package 2")),
        ("secret-unknown", "9", FIELDS, "Another kind of secret.",
         made(secret="case", first=None, last=None)),
        ("archive-with-days", "9", FIELDS, "The archive's has no days.",
         made(**{**ARCHIVE, "first": "2026-11-16", "last": "2026-11-22"})),
        ("period-without-days", "9", FIELDS, "A period's has days.", made(first=None, last=None)),
        ("name-capital", "1", FIELDS, "A capital in a name.", made(name="2026-W47")),
        ("name-line-feed", "1", FIELDS, "A name that ends with a line feed.",
         made(name="2026-w47\n")),
        ("name-dots", "1", FIELDS, "Two dots are no name.", made(name="..")),
        ("day-that-is-not", "1", FIELDS, "31 November.", made(last="2026-11-31")),
        ("day-without-hyphens", "1", FIELDS, "20261116.", made(first="20261116")),
        ("quorum-1", "9", FIELDS, "alice could open alone.",
         made({"alice.age": nested(TEXT, ("alice",)), "bob.age": nested(TEXT, ("bob",))},
              quorum=1)),
        ("quorum-true", "9", FIELDS, "true is not 1.",
         made({"alice.age": nested(TEXT, ("alice",))}, quorum=True)),
        ("quorum-text", "9", FIELDS, "A text is no number.", made(quorum="2")),
        ("quorum-above", "9", FIELDS, "Three of two reviewers.", made(quorum=3)),
        ("six-reviewers", "9", FIELDS, "At most five.", made(reviewers=[*NAMES, "frank"])),
        ("reviewers-unsorted", "9", FIELDS, "bob stands before alice.",
         made({"bob+alice.age": nested(TEXT, ("bob", "alice"))}, reviewers=["bob", "alice"])),
        ("reviewer-twice", "9", FIELDS, "alice stands there twice.",
         made(reviewers=["alice", "alice", "bob"])),
        ("reviewer-alone-twice", "9", FIELDS, "alice, and alice again, are no quorum.",
         made({"alice+alice.age": nested(TEXT, ("alice", "alice"))},
              reviewers=["alice", "alice"])),
        ("reviewer-capital", "1", FIELDS, "A capital in a name.", made(reviewers=["Zoe", *TWO])),
        ("reviewer-path", "1", FIELDS, "A name that leads to another folder.",
         made(reviewers=["../alice", *TWO])),
        ("reviewer-line-feed", "1", FIELDS, "A name that ends with a line feed.",
         made(reviewers=[*TWO, "carol\n"])),
        ("reviewers-object", "9", FIELDS, "An object of names.",
         made(reviewers={"alice": 1, "bob": 1})),
        ("recipient-classic", "3", FIELDS, "X25519 alone, which is not post-quantum.",
         made(recipient=CLASSIC)),
        ("recipient-upper-case", "3", FIELDS, "Bech32 in upper case.",
         made(recipient=FACTS["recipient"].upper())),
        ("recipient-of-another", "9", FIELDS, "It names another one than the secret's.",
         made(recipient=str(OTHER.recipient()))),
    ]  # fmt: skip


def secret_refused() -> list[Row]:
    """Return the same for what lies in the age files."""
    classic = bech32.encode("AGE-SECRET-KEY-", SEED).encode() + b"\n"
    other = OTHER.encode().encode() + b"\n"
    return [
        ("nested-in-another-order", "9", CLOSED, "bob's layer is the outer one.",
         made({NAME: nested(TEXT, ("bob", "alice"))})),
        ("not-nested", "9", DAMAGED, "alice's layer alone: what comes out is for nobody's key.",
         made({NAME: nested(TEXT, ("alice",))})),
        ("inner-layer-of-another", "9", CLOSED, "The inner layer is sealed to carol.",
         made({NAME: nested(TEXT, TWO, bob="carol")})),
        ("outer-layer-of-another", "9", CLOSED, "The outer layer is sealed to carol.",
         made({NAME: nested(TEXT, TWO, alice="carol")})),
        ("secret-of-another", "9", FIELDS, "Another secret than package.json names.",
         inside(other)),
        ("secret-classic", "9", SECRET, "An X25519 identity.", inside(classic)),
        ("secret-lower-case", "9", SECRET, "The identity in lower case.", inside(TEXT.lower())),
        ("secret-no-line-feed", "9", FIELDS, "No LF after the identity.", inside(TEXT[:-1])),
        ("secret-two-line-feeds", "9", SECRET, "Two.", inside(TEXT + b"\n")),
        ("secret-crlf", "9", SECRET, "CR LF after the identity.", inside(TEXT[:-1] + b"\r\n")),
        ("secret-space-before", "9", SECRET, "A space before the identity.", inside(b" " + TEXT)),
        ("secret-two", "9", SECRET, "Two identities.", inside(TEXT + other)),
        ("secret-with-comment", "9", SECRET, "A comment before the identity.",
         inside(b"# created today\n" + TEXT)),
        ("secret-checksum", "9", SECRET, "A character of the identity is another.",
         inside(TEXT[:40] + (b"Q" if TEXT[40:41] != b"Q" else b"P") + TEXT[41:])),
        ("secret-empty", "9", SECRET, "Nothing is inside.", inside(b"")),
        ("file-cut", "9", DAMAGED, "The last byte of the file is not there.",
         made({NAME: WHOLE[:-1]})),
        ("file-inner-cut", "9", DAMAGED, "The inner layer is cut, and was sealed so.",
         made({NAME: seal(nested(TEXT, ("bob",))[:-1], [KEYS["alice"].recipient()])})),
        ("file-empty", "9", DAMAGED, "No byte.", made({NAME: b""})),
        ("file-missing", "9", ABSENT, "There is no age file.", made({})),
        ("file-of-another-name", "9", ABSENT, "The names stand in another order.",
         made({"bob+alice.age": WHOLE})),
        ("file-too-large", "9", LARGE, "Over 64 KiB, and it would open.", made({NAME: large()})),
    ]  # fmt: skip


# name, comment, who is here, other headers, a part of the reason; the base is "whole"
PEOPLE: list[tuple[str, str, Sequence[str], Mapping[str, str], str]] = [
    ("one-key", "alice alone.", ("alice",), {}, FEW),
    ("no-key", "Nobody is here.", (), {}, FEW),
    ("key-of-no-reviewer", "alice, and carol, who is none of them.", ("alice", "carol"), {}, FEW),
    ("key-of-another", "bob brought another key.", ("alice",),
     {"key-bob": KEYS["carol"].encode()}, CLOSED),
    ("keyring-names-another", "It agrees with itself, and not with the keyring.", TWO,
     {EXPECTED: str(OTHER.recipient())}, FIELDS),
]  # fmt: skip


def vectors() -> Iterator[Vector]:
    """Yield all of them."""
    digest = {"identity-sha256": hashlib.sha256(TEXT[:-1]).hexdigest()}
    for name, comment, folder, here in accepted():
        yield _vector(name, comment, folder, here, **digest)
    comment = "The keyring names its recipient too."
    yield _vector("as-the-keyring-says", comment, made(), TWO, **OURS, **digest)
    for name, rule, says, comment, folder in [*json_refused(), *secret_refused()]:
        yield _vector(name, comment, folder, TWO, (rule, says, "whole"))
    for name, comment, here, other, says in PEOPLE:
        yield _vector(name, comment, made(), here, ("9", says, "whole"), **other)
    words = made({"a+b.age": nested(TEXT, ("a", "b"))}, reviewers="ab")
    why = ("9", FIELDS, "names-of-one-letter")
    yield _vector("reviewers-text", "A text of one-letter names.", words, ("a", "b"), why)
    text, recipient = OTHER.encode().encode() + b"\n", str(OTHER.recipient())
    exchanged = made({NAME: nested(text, TWO)}, recipient=recipient)
    comment = "Another package that agrees with itself, under the name of this one."
    why = ("9", FIELDS, "as-the-keyring-says")
    yield _vector("exchanged", comment, exchanged, TWO, why, **OURS)


def _vector(
    name: str,
    comment: str,
    folder: Folder,
    here: Sequence[str],
    why: Sequence[str] = ("", "", ""),
    **more: str,
) -> Vector:
    rule, says, base = why
    keys = {f"key-{one}": KEYS[one].encode() for one in here}
    files = {one: base64.b64encode(data).decode() for one, data in folder.items()}
    return Vector(
        kind="package",
        name=name,
        comment=comment,
        body=canonical.dump(files),
        rule=rule,
        says=says,
        base=base,
        facts={"name": "2026-w47", **keys, **more},
        sealed=True,
    )
