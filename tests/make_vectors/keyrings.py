"""Vectors of keyrings, by themselves and as a step after another.

Recipients are hollow here: right in form, of zeros and a hash, so that they compress. Nobody has
their identities, for nothing is sealed to them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from intake import canonical, keyring, signatures
from intake.age import bech32
from intake.keyring import Period
from tests import makers
from tests.make_vectors import Vector, respelled
from tests.make_vectors.closed import FRAME
from tests.make_vectors.envelopes import BURMESE, CONTROLS, EMOJI, ZAWGYI
from tests.makers import FIRST, identity, make_deployment, make_reviewer, public, signing_key

Draft = Mapping[str, Any]

UNKNOWN = "not a keyring that this version"
SIGNATURE = "signature on the keyring does not verify"
FEW_ROOTS = "Too few roots signed"
QUORUM = "quorum does not fit"
TWICE = "stands in the keyring twice"
OVERLAP = "overlap or are out of order"
FORGED = "An attestation of period"
FEW_OPENED = "Too few reviewers opened the package"

MADE = make_deployment(weeks=1, reviewers=2)
WHOLE = make_deployment(weeks=2, reviewers=3, roots=3)
ORDER = 2**252 + 27742317777372353535851937790883648493  # of Ed25519's group
ZERO = bytes(32).hex()
CLASSIC = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"  # age's own


def reviewer(name: str, **changes: object) -> dict[str, Any]:
    """Return a reviewer without keys for quarters, so that files are small."""
    facts = make_reviewer(name).facts()
    return {**facts, "quarters": {}, "quorum": recipient(f"{name} quorum"), **changes}


def reviewers(*names: str) -> list[dict[str, Any]]:
    """Return reviewers of these names."""
    return [reviewer(name) for name in names]


def roots(*names: str) -> dict[str, str]:
    """Return roots with their keys."""
    return {name: public(signing_key(name)) for name in names}


def recipient(name: str, start: bytes = bytes(2), share: bytes | None = None) -> str:
    """Return a hollow recipient that follows from a name, or that begins and ends otherwise."""
    own = hashlib.sha256(name.encode()).digest()
    ml_kem = start + bytes(1150) + own
    return bech32.encode("age1pq", ml_kem + (own if share is None else share))


# The smallest keyring: no periods, and no quarters.
DRAFT: Draft = {
    **MADE.draft,
    "archive": recipient("archive"),
    "expires": "2026-11-29",
    "periods": [],
    "reviewers": reviewers("alice", "bob"),
}
ALICE, BOB = DRAFT["reviewers"]
REMOVED = reviewer("carol", removed={"carol.desk-a": [3, "11" * 32]})
LINE = canonical.dump(DRAFT)
TWO = ("rosa", "ruth")
ROOTS, RHEA = roots(*TWO, "rhea"), roots("rhea")
OTHER = {"rhea": public(signing_key("other rhea"))}


def by(name: str, key: str, line: bytes = LINE, context: bytes = keyring.CONTEXT) -> bytes:
    """Return a signature line in one name, made with the key of another."""
    return signatures.signature_line(name, signing_key(key).sign(context + line))


def signed(line: bytes, *names: str) -> bytes:
    """Return line 1 with the signatures of these roots, rosa and ruth if none is named."""
    return line + b"\n" + b"".join(by(name, name, line) for name in names or TWO)


def made(*names: str, **changes: object) -> bytes:
    """Return the smallest keyring with these changes, signed."""
    return signed(canonical.dump({**DRAFT, **changes}), *names)


def spelled(old: str, new: str | bytes) -> bytes:
    """Return the smallest keyring, a piece of it spelled otherwise, and signed so."""
    return signed(respelled(LINE, old, new))


def without(field: str) -> bytes:
    """Return the smallest keyring, which lacks a field."""
    return signed(canonical.dump({k: v for k, v in DRAFT.items() if k != field}))


def also(**changes: object) -> bytes:
    """Return the keyring whose second reviewer has these changes."""
    return made(reviewers=[ALICE, {**BOB, **changes}])


def extra(name: str, **changes: object) -> bytes:
    """Return the keyring with a third root, or whatever ``changes`` say, of this name."""
    return made(**(changes or {"roots": {**DRAFT["roots"], name: public(signing_key("extra"))}}))


def carol(removed: object) -> bytes:
    """Return the keyring with a third reviewer, removed thus."""
    return made(reviewers=[ALICE, BOB, {**REMOVED, "removed": removed}])


def alice(removed: object) -> bytes:
    """Return the keyring whose first of three reviewers is removed thus."""
    return made(reviewers=[{**ALICE, "removed": removed}, BOB, reviewer("carol")])


def rosa_and(line: bytes) -> bytes:
    """Return the smallest keyring with rosa's signature and this second signature line."""
    return signed(LINE, "rosa") + line


def malleable() -> bytes:
    """Return the keyring with a second spelling of ruth's signature: S + L verifies too."""
    mark = signing_key("ruth").sign(keyring.CONTEXT + LINE)
    s = int.from_bytes(mark[32:], "little") + ORDER
    return rosa_and(signatures.signature_line("ruth", mark[:32] + s.to_bytes(32, "little")))


def period(name: str, first: int, last: int, key: str = "") -> dict[str, Any]:
    """Return a period from and to these days after the first day, attested by alice and bob."""
    days = (FIRST + timedelta(days=first), FIRST + timedelta(days=last))
    return makers.attested(Period(name, *days, recipient(key or name), {}), MADE.reviewers)


def periods(*spans: tuple[int, int]) -> bytes:
    """Return the keyring with these periods."""
    return made(periods=[period(f"p{number}", *span) for number, span in enumerate(spans, 1)])


WEEK = period("p1", 0, 6)
MARKS: Mapping[str, str] = WEEK["attestations"]
FACTS = {key: value for key, value in WEEK.items() if key != "attestations"}
STATEMENT = keyring.ATTESTATION + canonical.dump(FACTS)
ALICES, CAROLS = ({name: signing_key(name).sign(STATEMENT).hex()} for name in ("alice", "carol"))


def week(**changes: object) -> bytes:
    """Return the keyring with one period of a week, changed after it was attested."""
    return made(periods=[{**WEEK, **changes}])


def marked(name: str, key: str, message: bytes = STATEMENT, other: str = "alice") -> bytes:
    """Return that keyring with ``other``'s attestation and this one, by ``key``, under a name."""
    return week(attestations={other: MARKS[other], name: signing_key(key).sign(message).hex()})


def maximal(size: int) -> bytes:
    """Return a keyring of exactly this many bytes, for alice comes from far away."""
    short = len(made(reviewers=[{**ALICE, "body": ""}, BOB]))
    body = "က" * ((size - short) // 3) + "x" * ((size - short) % 3)
    return made(reviewers=[{**ALICE, "body": body}, BOB])


# name, comment, file
ACCEPTED: list[tuple[str, str, bytes]] = [
    ("minimal", "Two roots, two reviewers, no period and no quarter.", signed(LINE)),
    ("signatures-in-any-order", "ruth's signature stands first.", signed(LINE, "ruth", "rosa")),
    ("two-of-three-roots", "The third root did not sign.",
     made(roots=ROOTS)),
    ("three-of-three-roots", "All of them had to.",
     made("rosa", "ruth", "rhea", roots=ROOTS, threshold=3)),
    ("leaving-signed", "A root that leaves signed too, and does not count.",
     made("rosa", "ruth", "rhea", leaving=RHEA)),
    ("leaving-unknown", "One leaves whom no keyring before had as a root.",
     made(leaving=roots("stranger"))),
    ("root-that-is-no-point", "The key of a root who did not sign is compared, not tried.",
     extra("", roots={**DRAFT["roots"], "rhea": "02" + "00" * 31})),
    ("whole", "A keyring as a ceremony makes it, with recipients of identities.", WHOLE.raw),
    ("demo", "A demo's keyring is one.", made(demo=True)),
    ("one-day", "Issued and expired on one day.", made(expires=DRAFT["issued"])),
    ("version-largest", "The largest version.", made(version=10**15 - 1, previous="11" * 32)),
    ("name-one-letter", "The shortest name.", extra("z")),
    ("name-one-digit", "A digit is a name.", extra("0")),
    ("name-longest", "A name of 32 characters.", extra("a" + "-" * 30 + "9")),
    ("body-empty", "Nobody sent bob.", also(body="")),
    ("body-burmese", "Free text in Burmese, Zawgyi and emoji.",
     also(body=BURMESE + ZAWGYI + EMOJI)),
    ("body-controls", "Free text is any text.", also(body=CONTROLS)),
    ("quarters", "A key for each of two quarters.",
     also(quarters={q: recipient(f"bob {q}") for q in ("2026q4", "2027q1")})),
    ("size-largest", "Exactly 1 MiB.", maximal(1 << 20)),
    ("five-reviewers", "As many as there may be, and one removed.",
     made(reviewers=[*reviewers(*makers.NAMES), reviewer("frank", removed={})])),
    ("quorum-of-all", "All three reviewers open together.",
     made(reviewers=reviewers("alice", "bob", "carol"), quorum=3)),
    ("removed", "A removed reviewer, and the last event that counts.",
     made(reviewers=[ALICE, BOB, REMOVED])),
    ("removed-nothing-counts", "Sequence 0: no event of this chain counts.",
     carol({"carol.desk-a": [0, ZERO]})),
    ("week", "One period.", week()),
    ("week-three-attestations", "More attested than had to.",
     made(reviewers=[ALICE, BOB, reviewer("carol")],
          periods=[{**WEEK, "attestations": {**MARKS, **CAROLS}}])),
    ("week-attested-by-removed", "The attestation of a removed reviewer counts.",
     made(reviewers=[ALICE, REMOVED, reviewer("dave")],
          periods=[{**WEEK, "attestations": {**ALICES, **CAROLS}}])),
    ("periods-adjacent", "Two periods without a day between them, one of a single day.",
     periods((0, 0), (1, 6))),
    ("periods-apart", "Days between two periods.", periods((0, 2), (5, 6))),
    ("period-outside", "A period may lie outside issued to expires.", periods((-9, -8), (90, 99))),
    ("alice-removed", "alice is removed; two events of hers count.",
     alice({"alice.desk-a": [2, hashlib.sha256(FRAME).hexdigest()]})),
    ("alice-removed-wholly", "alice is removed, and no event of hers counts.",
     alice({})),
    ("alice-removed-elsewhere", "alice is removed, with another event than she wrote.",
     alice({"alice.desk-a": [2, "11" * 32]})),
]  # fmt: skip

# name, rule, a part of the reason, comment, file; the base is "minimal"
REFUSED: list[tuple[str, str, str, str, bytes]] = [
    ("empty", "7.1", UNKNOWN, "No byte.", b""),
    ("size-above", "7.1", UNKNOWN, "1 MiB and one byte.", maximal((1 << 20) + 1)),
    ("no-line-feed", "1", UNKNOWN, "The last line is not ended.", signed(LINE)[:-1]),
    ("empty-line-after", "1", UNKNOWN, "An empty line at the end.", signed(LINE) + b"\n"),
    ("empty-line-between", "1", UNKNOWN, "An empty line after line 1.",
     signed(LINE).replace(b"\n", b"\n\n", 1)),
    ("empty-line-before", "1", UNKNOWN, "An empty line before line 1.", b"\n" + signed(LINE)),
    ("crlf", "1", UNKNOWN, "Signature lines end in CR LF.",
     LINE + signed(LINE)[len(LINE):].replace(b"\n", b"\r\n").removeprefix(b"\r")),
    ("crlf-line-1", "1", UNKNOWN, "Line 1 ends in CR LF, and was signed so.", signed(LINE + b"\r")),
    ("byte-order-mark", "1", UNKNOWN, "A byte order mark.", signed(b"\xef\xbb\xbf" + LINE)),
    ("not-utf-8", "1", UNKNOWN, "A byte that UTF-8 has not.", spelled('"Body of bob"', b'"\xff"')),
    ("surrogate", "2", UNKNOWN, "A lone surrogate, escaped.",
     spelled('"Body of bob"', r'"\ud800"')),
    ("space-after-colon", "2", UNKNOWN, "White space in line 1.",
     spelled('"version":1', '"version": 1')),
    ("escaped-letter", "2", UNKNOWN, "A letter escaped that need not be.",
     spelled('"bob"', r'"\u0062ob"')),
    ("key-twice", "2", UNKNOWN, "A field twice.",
     spelled('"version":1', '"version":1,"version":1')),
    ("key-twice-root", "2", UNKNOWN, "A root twice, with one key.",
     spelled('"ruth":', f'"ruth":"{DRAFT["roots"]["ruth"]}","ruth":')),
    ("key-twice-reviewer", "2", UNKNOWN, "A field of a reviewer twice.",
     spelled('"name":"bob"', '"name":"bob","name":"bob"')),
    ("keys-unsorted", "2", UNKNOWN, "version before threshold.",
     spelled('"threshold":2,"version":1', '"version":1,"threshold":2')),
    ("float", "2", UNKNOWN, "A threshold of 2.0.", spelled('"threshold":2', '"threshold":2.0')),
    ("sixteen-digits", "2", UNKNOWN, "A quorum of 16 digits.",
     spelled('"quorum":2', '"quorum":1000000000000000')),
    ("thirteen-deep", "2", UNKNOWN, "Thirteen levels.",
     spelled('"Body of bob"', "[" * 10 + "]" * 10)),
    ("no-object", "7.1", UNKNOWN, "Line 1 is a list.", signed(b"[]")),
    ("format-2", "7.1", UNKNOWN, "Another format.", made(format="intake keyring 2")),
    ("format-of-a-bundle", "7.1", UNKNOWN, "The format of another file.",
     made(format="intake bundle 1")),
    *((f"without-{field.replace('_', '-')}", "7.1", UNKNOWN, f"No field {field}.", without(field))
      for field in DRAFT),
    ("unknown-field", "7.1", UNKNOWN, "A field that this version does not know.",
     made(algorithm="ed25519")),
    ("version-0", "7.1", UNKNOWN, "Versions begin with 1.", made(version=0, previous="11" * 32)),
    ("version-negative", "7.1", UNKNOWN, "Version -1.", made(version=-1, previous="11" * 32)),
    ("version-true", "7.1", UNKNOWN, "true is not 1.", made(version=True)),
    ("version-text", "7.1", UNKNOWN, "A text is no version.", made(version="1")),
    ("version-null", "7.1", UNKNOWN, "null is no version.", made(version=None)),
    ("version-1-follows", "7.1", UNKNOWN, "Version 1 follows something.", made(previous="11" * 32)),
    ("version-2-follows-nothing", "7.1", UNKNOWN, "Version 2 follows nothing.", made(version=2)),
    ("previous-short", "1", UNKNOWN, "A hash of 31 bytes.", made(previous=ZERO[2:])),
    ("previous-upper-case", "1", UNKNOWN, "Hex in upper case.",
     made(version=2, previous="AB" * 32)),
    ("previous-spaces", "1", UNKNOWN, "Hex with a space between two bytes.",
     made(version=2, previous="11 " + "11" * 31)),
    ("previous-line-feed", "1", UNKNOWN, "Hex with a line feed.",
     made(version=2, previous="11" * 32 + "\n")),
    ("previous-null", "7.1", UNKNOWN, "null for zeros.", made(previous=None)),
    ("deployment-short", "1", UNKNOWN, "31 bytes.", made(deployment=DRAFT["deployment"][2:])),
    ("deployment-upper-case", "1", UNKNOWN, "Hex in upper case.",
     made(deployment=DRAFT["deployment"].upper())),
    ("bundle-key-long", "1", UNKNOWN, "33 bytes.", made(bundle_key=DRAFT["bundle_key"] + "00")),
    ("bundle-key-upper-case", "1", UNKNOWN, "Hex in upper case.",
     made(bundle_key=DRAFT["bundle_key"].upper())),
    ("root-key-upper-case", "1", UNKNOWN, "Hex in upper case.",
     made(roots={**DRAFT["roots"], "rhea": roots("rhea")["rhea"].upper()})),
    ("root-key-short", "1", UNKNOWN, "31 bytes.",
     made(roots={**DRAFT["roots"], "rhea": "11" * 31})),
    ("reviewer-key-upper-case", "1", UNKNOWN, "Hex in upper case.", also(key=BOB["key"].upper())),
    ("issued-that-is-not", "1", UNKNOWN, "31 November.",
     made(issued="2026-11-31", expires="2026-12-31")),
    ("issued-short", "1", UNKNOWN, "2026-2-3.", made(issued="2026-2-3")),
    ("issued-without-hyphens", "1", UNKNOWN, "20261116.", made(issued="20261116")),
    ("issued-with-time", "1", UNKNOWN, "A day with a time.", made(issued="2026-11-16T00:00")),
    ("issued-burmese-digits", "1", UNKNOWN, "A day in Burmese digits.", made(issued="၂၀၂၆-၁၁-၁၆")),
    ("expires-that-is-not", "1", UNKNOWN, "29 February of a year that has none.",
     made(expires="2027-02-29")),
    ("expires-as-week", "1", UNKNOWN, "A day as ISO 8601 counts weeks.",
     made(expires="2026-W48-7")),
    ("expires-with-line-feed", "1", UNKNOWN, "A day with a line feed.",
     made(expires="2026-11-29\n")),
    ("expires-before-issue", "7.1", UNKNOWN, "Expired on the day before it was issued.",
     made(expires="2026-11-15")),
    ("demo-0", "7.1", UNKNOWN, "0 is not false.", made(demo=0)),
    ("demo-null", "7.1", UNKNOWN, "null is not false.", made(demo=None)),
    ("demo-text", "7.1", UNKNOWN, "A text is not false.", made(demo="false")),
    ("name-empty", "1", UNKNOWN, "A root without a name.", extra("")),
    ("name-capital", "1", UNKNOWN, "A capital in a root's name.", extra("Rhea")),
    ("name-too-long", "1", UNKNOWN, "A name of 33 characters.", extra("r" * 33)),
    ("name-hyphen-first", "1", UNKNOWN, "A name that begins with a hyphen.", extra("-rhea")),
    ("name-hyphen-last", "1", UNKNOWN, "A name that ends with a hyphen.", extra("rhea-")),
    ("name-underscore", "1", UNKNOWN, "A name with an underscore.", extra("rhea_1")),
    ("name-dot", "1", UNKNOWN, "A name with a dot.", extra("rhea.1")),
    ("name-space", "1", UNKNOWN, "A name with a space.", extra("rhea 1")),
    ("name-line-feed", "1", UNKNOWN,
     "A name that ends with a line feed, which $ allows in many regular expressions.",
     extra("rhea\n")),
    ("name-burmese-digit", "1", UNKNOWN, "A name with a Burmese digit.", extra("rhea၁")),
    ("name-accent", "1", UNKNOWN, "A name with a letter beyond ASCII.", extra("rhéa")),
    ("name-long-s", "1", UNKNOWN, "U+017F, which is s where case does not count.",
     extra("ro\u017fe")),
    ("roots-null", "7.1", UNKNOWN, "null for no roots.", made(roots=None)),
    ("roots-array", "7.1", UNKNOWN, "A list of roots.",
     made(roots=[["rosa", DRAFT["roots"]["rosa"]], ["ruth", DRAFT["roots"]["ruth"]]])),
    ("leaving-array", "7.1", UNKNOWN, "A list for an object.", made(leaving=[])),
    ("leaving-null", "7.1", UNKNOWN, "null for an object.", made(leaving=None)),
    ("leaving-capital", "1", UNKNOWN, "A capital in a name.",
     made(leaving={"Rhea": roots("rhea")["rhea"]})),
    ("root-and-leaving", "7.1", UNKNOWN, "ruth is a root, and leaves.",
     made(leaving={"ruth": roots("rhea")["rhea"]})),
    ("periods-object", "7.1", UNKNOWN, "An object for a list.", made(periods={})),
    ("periods-text", "7.1", UNKNOWN, "A text for a list.", made(periods="")),
    ("periods-null", "7.1", UNKNOWN, "null for a list.", made(periods=None)),
    ("reviewers-object", "7.1", UNKNOWN, "An object of reviewers.",
     made(reviewers={"alice": ALICE, "bob": BOB})),
    ("reviewer-twice", "7.1", UNKNOWN, "Two reviewers of one name.",
     made(reviewers=[ALICE, BOB, {**reviewer("carol"), "name": "bob"}])),
    ("reviewer-unknown-field", "7.1", UNKNOWN,
     "A field of a reviewer that this version does not know.", also(note="")),
    *((f"reviewer-without-{field}", "7.1", UNKNOWN, f"No field {field} of a reviewer.",
       made(reviewers=[ALICE, {k: v for k, v in BOB.items() if k != field}])) for field in BOB),
    ("reviewer-name-capital", "1", UNKNOWN, "A capital in a reviewer's name.", also(name="Bob")),
    ("reviewer-name-line-feed", "1", UNKNOWN, "A name that ends with a line feed.",
     also(name="bob\n")),
    ("reviewer-body-null", "7.1", UNKNOWN, "null is no text.", also(body=None)),
    ("quarter-5", "1", UNKNOWN, "There is no fifth quarter.",
     also(quarters={"2026q5": recipient("bob 2026q4")})),
    ("quarter-capital", "1", UNKNOWN, "2026Q4.",
     also(quarters={"2026Q4": recipient("bob 2026q4")})),
    ("quarter-short", "1", UNKNOWN, "26q4.", also(quarters={"26q4": recipient("bob 2026q4")})),
    ("quarter-line-feed", "1", UNKNOWN, "A quarter that ends with a line feed.",
     also(quarters={"2026q4\n": recipient("bob 2026q4")})),
    ("quarter-burmese-digits", "1", UNKNOWN, "A quarter in Burmese digits.",
     also(quarters={"\u1042\u1040\u1042\u1046q4": recipient("bob 2026q4")})),
    ("quarters-array", "7.1", UNKNOWN, "A list for an object.", also(quarters=[])),
    ("removed-true", "7.1", UNKNOWN, "true says nothing of what counts.",
     carol(True)),
    ("removed-array", "7.1", UNKNOWN, "A list for an object.",
     carol([])),
    ("removed-sequence-true", "7.1", UNKNOWN, "true is not 1.",
     carol({"carol.desk-a": [True, "11" * 32]})),
    ("removed-sequence-negative", "7.1", UNKNOWN, "Event -1.",
     carol({"carol.desk-a": [-1, "11" * 32]})),
    ("removed-hash-short", "1", UNKNOWN, "A hash of 31 bytes.",
     carol({"carol.desk-a": [3, "11" * 31]})),
    ("removed-without-hash", "7.1", UNKNOWN, "A number alone.",
     carol({"carol.desk-a": [3]})),
    ("removed-no-chain", "1", UNKNOWN, "A name is not a chain's.",
     carol({"carol": [3, "11" * 32]})),
    ("removed-chain-capital", "1", UNKNOWN, "A capital in a chain's name.",
     carol({"carol.Desk": [3, "11" * 32]})),
    ("removed-chain-line-feed", "1", UNKNOWN, "A chain's name that ends with a line feed.",
     carol({"carol.desk-a\n": [3, "11" * 32]})),
    ("recipient-classic", "3", UNKNOWN, "X25519 alone, which is not post-quantum.",
     made(archive=CLASSIC)),
    ("recipient-upper-case", "3", UNKNOWN, "Bech32 in upper case.",
     made(archive=DRAFT["archive"].upper())),
    ("recipient-mixed-case", "3", UNKNOWN, "Bech32 with one capital.",
     made(archive=DRAFT["archive"][:9] + DRAFT["archive"][9:].replace("q", "Q", 1))),
    ("recipient-checksum", "3", UNKNOWN, "One character of the checksum is another.",
     made(archive=DRAFT["archive"][:-1] + ("q" if DRAFT["archive"][-1] != "q" else "p"))),
    ("recipient-line-feed", "3", UNKNOWN, "A recipient with a line feed.",
     made(archive=DRAFT["archive"] + "\n")),
    ("recipient-kelvin", "3", UNKNOWN, "U+212A, which is k where case does not count.",
     made(archive=DRAFT["archive"].replace("k", "\u212a", 1))),
    ("recipient-short", "3", UNKNOWN, "31 bytes of X25519, with a right checksum.",
     made(archive=recipient("bent", share=bytes([9]) * 31))),
    ("recipient-long", "3", UNKNOWN, "33 bytes of X25519, with a right checksum.",
     made(archive=recipient("bent", share=bytes([9]) * 33))),
    ("recipient-low-order", "3", UNKNOWN, "An X25519 share of low order, with a right checksum.",
     made(archive=recipient("bent", share=bytes(32)))),
    ("recipient-not-reduced", "3", UNKNOWN,
     "A coefficient of ML-KEM that is not below 3329, with a right checksum.",
     made(archive=recipient("bent", start=b"\xff\xff"))),
    ("recipient-of-an-identity", "3", UNKNOWN, "An identity.",
     made(archive=identity("archive").encode())),
    ("recipient-null", "7.1", UNKNOWN, "null is no recipient.", made(archive=None)),
    ("reviewer-recipient-classic", "3", UNKNOWN, "X25519 alone, which is not post-quantum.",
     also(quorum=CLASSIC)),
    ("unsigned", "7.2", FEW_ROOTS, "Line 1 alone.", LINE + b"\n"),
    ("one-root", "7.2", FEW_ROOTS, "One signature where two must be.", signed(LINE, "rosa")),
    ("one-root-twice", "7.2", UNKNOWN, "rosa signed twice.", signed(LINE, "rosa", "rosa")),
    ("signature-twice", "7.2", UNKNOWN, "A line stands there twice, and enough others.",
     signed(LINE, "rosa", "ruth", "rosa")),
    ("root-and-leaving-signed", "7.2", FEW_ROOTS, "One root and one that leaves are not two roots.",
     made("rosa", "rhea", leaving=RHEA)),
    ("threshold-1", "7.2", UNKNOWN, "One root could sign alone.", made(threshold=1)),
    ("threshold-true", "7.2", UNKNOWN, "true is no number.", made(threshold=True)),
    ("threshold-text", "7.2", UNKNOWN, "A text is no number.", made(threshold="2")),
    ("threshold-above-roots", "7.2", FEW_ROOTS, "Three of two roots.", made(threshold=3)),
    ("stranger-as-root", "7.2", SIGNATURE, "A stranger signed in ruth's name.",
     rosa_and(by("ruth", "stranger"))),
    ("stranger-besides", "7.2", SIGNATURE, "A stranger signed too, in their own name.",
     signed(LINE, "rosa", "ruth", "stranger")),
    ("stranger-with-a-hyphen", "7.2", SIGNATURE, "A name that is none, on a signature line.",
     signed(LINE) + by("-", "stranger")),
    ("bad-besides", "7.2", SIGNATURE, "A third root's signature that does not verify.",
     made(roots=ROOTS) + signatures.signature_line("rhea", bytes(64))),
    ("signatures-swapped", "7.2", SIGNATURE, "Each name has the other's signature.",
     LINE + b"\n" + by("rosa", "ruth") + by("ruth", "rosa")),
    ("no-context", "7.2", SIGNATURE, "Signed without the context.",
     rosa_and(by("ruth", "ruth", context=b""))),
    ("context-of-a-return", "7.2", SIGNATURE, "Signed with the context of another kind.",
     rosa_and(by("ruth", "ruth", context=b"intake return 1\n"))),
    ("context-without-line-feed", "7.2", SIGNATURE, "Signed with a context that has no LF.",
     rosa_and(by("ruth", "ruth", context=keyring.CONTEXT[:-1]))),
    ("signed-with-line-feed", "7.2", SIGNATURE, "Signed together with the LF of line 1.",
     rosa_and(by("ruth", "ruth", LINE + b"\n"))),
    ("signed-another-line", "7.2", SIGNATURE, "Signed for another keyring.",
     rosa_and(by("ruth", "ruth", LINE.replace(b"2026-11-29", b"2026-11-28")))),
    ("signature-not-reduced", "7.2", SIGNATURE,
     "S is not below the order of the group (RFC 8032, 5.1.7).", malleable()),
    ("signature-upper-case", "1", UNKNOWN, "A signature in upper-case hex.",
     LINE + signed(LINE)[len(LINE):].upper().replace(b"ROSA", b"rosa").replace(b"RUTH", b"ruth")),
    ("signature-short", "1", UNKNOWN, "A signature of 63 bytes.", signed(LINE)[:-3] + b"\n"),
    ("signature-two-spaces", "1", UNKNOWN, "Two spaces between name and signature.",
     signed(LINE).replace(b"\nruth ", b"\nruth  ")),
    ("signature-tab", "1", UNKNOWN, "A tab between name and signature.",
     signed(LINE).replace(b"\nruth ", b"\nruth\t")),
    ("signature-space-after", "1", UNKNOWN, "A space after a signature.",
     signed(LINE)[:-1] + b" \n"),
    ("quorum-1", "7.4", UNKNOWN, "One reviewer could open alone.", made(quorum=1)),
    ("quorum-true", "7.4", UNKNOWN, "true is no number.", made(quorum=True)),
    ("quorum-text", "7.4", UNKNOWN, "A text is no number.", made(quorum="2")),
    ("quorum-above", "7.4", QUORUM, "Three of two reviewers.", made(quorum=3)),
    ("one-reviewer", "7.4", QUORUM, "One reviewer is no quorum.", made(reviewers=[ALICE])),
    ("no-reviewers", "7.4", QUORUM, "None.", made(reviewers=[])),
    ("one-reviewer-left", "7.4", QUORUM, "A removed reviewer does not count.",
     made(reviewers=[ALICE, REMOVED])),
    ("six-reviewers", "7.4", QUORUM, "Six who were not removed.",
     made(reviewers=reviewers(*makers.NAMES, "frank"))),
    ("key-two-roots", "7.5", TWICE, "Two roots with one key.",
     extra("", roots={**DRAFT["roots"], "rhea": DRAFT["roots"]["ruth"]})),
    ("key-root-and-leaving", "7.5", TWICE, "A root and one that leaves with one key.",
     made(leaving={"rhea": DRAFT["roots"]["ruth"]})),
    ("key-root-and-reviewer", "7.5", TWICE, "A root and a reviewer with one key.",
     also(key=DRAFT["roots"]["ruth"])),
    ("key-root-and-server", "7.5", TWICE, "A root and the server with one key.",
     made(bundle_key=DRAFT["roots"]["ruth"])),
    ("key-leaving-and-server", "7.5", TWICE, "One that leaves and the server with one key.",
     made(leaving={"rhea": DRAFT["bundle_key"]})),
    ("key-reviewer-and-server", "7.5", TWICE, "A reviewer and the server with one key.",
     also(key=DRAFT["bundle_key"])),
    ("key-two-reviewers", "7.5", TWICE, "Two reviewers with one key.", also(key=ALICE["key"])),
    ("key-removed-reviewer", "7.5", TWICE, "A removed reviewer under a new name.",
     made(reviewers=[ALICE, BOB, {**REMOVED, "key": BOB["key"]}])),
    ("recipient-two-reviewers", "7.5", TWICE, "Two reviewers with one recipient of packages.",
     also(quorum=ALICE["quorum"])),
    ("recipient-removed-reviewer", "7.5", TWICE, "A removed reviewer's recipient.",
     made(reviewers=[ALICE, BOB, {**REMOVED, "quorum": BOB["quorum"]}])),
    ("recipient-quorum-and-quarter", "7.5", TWICE,
     "One reviewer's recipient for packages and for a quarter.",
     also(quarters={"2026q4": BOB["quorum"]})),
    ("recipient-two-quarters", "7.5", TWICE, "One recipient for two quarters.",
     also(quarters={q: recipient("bob 2026q4") for q in ("2026q4", "2027q1")})),
    ("recipient-archive-and-reviewer", "7.5", TWICE, "The archive's is a reviewer's.",
     made(archive=BOB["quorum"])),
    ("recipient-archive-and-quarter", "7.5", TWICE, "The archive's is that of a quarter.",
     also(quarters={"2026q4": DRAFT["archive"]})),
]  # fmt: skip

# As above; the base is "week".
PERIODS: list[tuple[str, str, str, str, bytes]] = [
    ("week-unknown-field", "7.1", UNKNOWN, "A field of a period that this version does not know.",
     week(note="")),
    ("week-without-recipient", "7.1", UNKNOWN, "No field recipient of a period.",
     made(periods=[{k: v for k, v in WEEK.items() if k != "recipient"}])),
    ("week-name-capital", "1", UNKNOWN, "A capital in a period's name.",
     made(periods=[period("P1", 0, 6)])),
    ("week-name-line-feed", "1", UNKNOWN, "A name that ends with a line feed.",
     made(periods=[period("p1\n", 0, 6)])),
    ("week-day-that-is-not", "1", UNKNOWN, "31 November.", week(last="2026-11-31")),
    ("week-recipient-classic", "3", UNKNOWN, "X25519 alone, which is not post-quantum.",
     week(recipient=CLASSIC)),
    ("attestations-array", "7.1", UNKNOWN, "A list for an object.",
     week(attestations=list(map(list, MARKS.items())))),
    ("attestation-upper-case", "1", UNKNOWN, "A signature in upper-case hex.",
     week(attestations={**MARKS, "bob": MARKS["bob"].upper()})),
    ("attestation-short", "1", UNKNOWN, "A signature of 63 bytes.",
     week(attestations={**MARKS, "bob": MARKS["bob"][2:]})),
    ("attestation-missing", "7.3", FEW_OPENED, "One where the quorum is two.",
     week(attestations=ALICES)),
    ("attestations-none", "7.3", FEW_OPENED, "None.", week(attestations={})),
    ("attestation-by-a-stranger", "7.3", FORGED,
     "Somebody who is no reviewer, besides two who are.",
     week(attestations={**MARKS, "stranger": signing_key("stranger").sign(STATEMENT).hex()})),
    ("attestation-by-a-root", "7.3", FORGED, "A root is no reviewer.", marked("ruth", "ruth")),
    ("attestation-in-another-name", "7.3", FORGED, "alice attested in bob's name.",
     marked("bob", "alice")),
    ("attestation-without-context", "7.3", FORGED, "Signed without the context.",
     marked("bob", "bob", canonical.dump(FACTS))),
    ("attestation-with-keyring-context", "7.3", FORGED, "Signed with the context of another kind.",
     marked("bob", "bob", keyring.CONTEXT + canonical.dump(FACTS))),
    ("attestation-of-attestations", "7.3", FORGED,
     "Signed with the attestations of the others inside.",
     marked("bob", "bob", keyring.ATTESTATION + canonical.dump({**WEEK, "attestations": ALICES}))),
    ("attestation-of-another-day", "7.3", FORGED, "The last day was put off after they attested.",
     week(last="2026-11-23")),
    ("attestation-of-another-name", "7.3", FORGED, "The name was changed after they attested.",
     week(name="p2")),
    ("attestation-of-another-recipient", "7.3", FORGED,
     "The recipient was exchanged after they attested.", week(recipient=recipient("p2"))),
    ("period-backwards", "7.3", OVERLAP, "It ends before it begins.", periods((6, 0))),
    ("recipient-archive-and-period", "7.5", TWICE, "The archive's is that of a period.",
     made(archive=WEEK["recipient"], periods=[WEEK])),
    ("recipient-period-and-reviewer", "7.5", TWICE, "A period's is a reviewer's.",
     made(reviewers=[ALICE, {**BOB, "quorum": WEEK["recipient"]}], periods=[WEEK])),
]  # fmt: skip

# As above; the base is "periods-adjacent".
TWO_PERIODS: list[tuple[str, str, str, str, bytes]] = [
    ("periods-share-a-day", "7.3", OVERLAP, "The last day of one is the first of the other.",
     periods((0, 1), (1, 6))),
    ("periods-overlap", "7.3", OVERLAP, "They share some days.", periods((0, 4), (2, 6))),
    ("periods-one-in-another", "7.3", OVERLAP, "One lies within the other.",
     periods((0, 6), (2, 3))),
    ("periods-of-one-day", "7.3", OVERLAP, "Both are the same day.", periods((1, 1), (1, 1))),
    ("periods-out-of-order", "7.3", OVERLAP, "The later one stands first.",
     periods((1, 6), (0, 0))),
    ("periods-of-one-name", "7.3", OVERLAP, "Both have one name.",
     made(periods=[period("p1", 0, 0), period("p1", 1, 6, "p2")])),
    ("recipient-two-periods", "7.5", TWICE, "Both have one recipient.",
     made(periods=[period("p1", 0, 0), period("p2", 1, 6, "p1")])),
]  # fmt: skip


def after(before: Draft, *names: str, **changes: object) -> bytes:
    """Return the keyring that follows ``before``, with these changes, signed."""
    previous = hashlib.sha256(canonical.dump(before)).hexdigest()
    draft = {**before, "version": before["version"] + 1, "previous": previous, **changes}
    return signed(canonical.dump(draft), *names)


GONE = {"reviewers": [ALICE, BOB, REMOVED]}
WITH_CAROL: Draft = {**DRAFT, **GONE}
NEXT_WEEK = period("p2", 7, 13)


def tried(*names: str) -> dict[str, Any]:
    """Return the second week, attested by reviewers of these names."""
    facts = {key: value for key, value in NEXT_WEEK.items() if key != "attestations"}
    statement = keyring.ATTESTATION + canonical.dump(facts)
    marks = {name: signing_key(name).sign(statement).hex() for name in names}
    return {**NEXT_WEEK, "attestations": marks}


SECOND: Draft = json.loads(after(DRAFT).split(b"\n")[0])
OLD: Draft = {**DRAFT, "roots": ROOTS}
THREE: Draft = {**OLD, "threshold": 3}
FEWER = {"roots": DRAFT["roots"], "leaving": RHEA, "threshold": 2}
NEW = {"roots": roots("ines", "iris"), "leaving": roots("rosa", "ruth")}
NEW_BOB = {"reviewers": [ALICE, {**BOB, "key": public(signing_key("new bob"))}]}
ALL = ("rosa", "ruth", "ines", "iris")

CHANGED: Draft = json.loads(after(DRAFT, *ALL, **NEW).split(b"\n")[0])

# name, what is installed before, comment, file
STEPS: list[tuple[str, str, str, bytes]] = [
    ("second", "minimal", "The next keyring, nothing else changed.", after(DRAFT)),
    ("third", "second", "The one after that.", after(SECOND)),
    ("new-roots", "minimal", "All roots leave, two others come; all four signed.",
     after(DRAFT, *ALL, **NEW)),
    ("new-roots-alone", "new-roots", "The roots that left need not be named for ever.",
     after(CHANGED, "ines", "iris", leaving={})),
    ("one-root-leaves", "three-of-three-roots",
     "One leaves, and the threshold falls; all three signed.",
     after(THREE, "rosa", "ruth", "rhea", **FEWER)),
    ("issued-earlier", "minimal", "Days may go back; versions count.",
     after(DRAFT, issued="2020-01-01", expires="2020-01-02")),
    ("removed-stays", "removed", "Who was removed stays named, as before.",
     after(WITH_CAROL)),
    ("week-goes-week-comes", "week", "A period goes, another comes.",
     after({**DRAFT, "periods": [WEEK]}, periods=[NEXT_WEEK])),
    ("week-stays-attested-by-more", "week", "A period stays; others attested it meanwhile.",
     after({**DRAFT, "periods": [WEEK]}, reviewers=[ALICE, BOB, reviewer("carol")],
           periods=[{**WEEK, "attestations": {**MARKS, **CAROLS}}])),
    ("new-week-also-by-removed", "removed",
     "Two who are active tried a new period, and one who was removed.",
     after(WITH_CAROL, periods=[tried("alice", "bob", "carol")])),
    ("new-key-of-bob", "minimal", "bob has another key; the old one's events still count.",
     after(DRAFT, **NEW_BOB)),
]  # fmt: skip

# name, what is installed before, rule, a part of the reason, comment, file, base
STEPS_REFUSED: list[tuple[str, str, str, str, str, bytes, str]] = [
    ("step-the-same-again", "minimal", "7.6", "does not follow", "The installed one again.",
     signed(LINE), "second"),
    ("step-same-version", "minimal", "7.6", "does not follow",
     "Another keyring of the same version.", made(expires="2026-11-28"), "second"),
    ("step-back", "second", "7.6", "does not follow", "The one before the installed one.",
     signed(LINE), "third"),
    ("step-skips", "minimal", "7.6", "does not follow", "Version 3 after version 1.",
     after(DRAFT, version=3), "second"),
    ("step-third-after-first", "minimal", "7.6", "does not follow",
     "The third keyring, without the second.", after(SECOND), "third"),
    ("step-previous-wrong", "minimal", "7.6", "follows another keyring",
     "It follows another keyring 1.", after(DRAFT, previous="11" * 32), "second"),
    ("step-previous-of-file", "minimal", "7.6", "follows another keyring",
     "previous is the hash of the whole file.",
     after(DRAFT, previous=hashlib.sha256(signed(LINE)).hexdigest()), "second"),
    ("step-previous-with-line-feed", "minimal", "7.6", "follows another keyring",
     "previous is the hash of line 1 with its LF.",
     after(DRAFT, previous=hashlib.sha256(LINE + b"\n").hexdigest()), "second"),
    ("step-deployment", "minimal", "7.6", "another deployment", "Another deployment.",
     after(DRAFT, deployment="11" * 32), "second"),
    ("step-demo", "minimal", "7.6", "never follow each other", "A demo's after a real one.",
     after(DRAFT, demo=True), "second"),
    ("step-from-demo", "demo", "7.6", "never follow each other", "A real one after a demo's.",
     after({**DRAFT, "demo": True}, demo=False), "second"),
    ("step-new-roots-alone", "minimal", "7.7", "Too few of the roots before",
     "Only the new roots signed.", after(DRAFT, "ines", "iris", **NEW), "new-roots"),
    ("step-one-old-root", "minimal", "7.7", "Too few of the roots before",
     "One old root and both new ones signed.", after(DRAFT, "rosa", "ines", "iris", **NEW),
     "new-roots"),
    ("step-old-roots-alone", "minimal", "7.2", FEW_ROOTS, "Only the old roots signed.",
     after(DRAFT, "rosa", "ruth", **NEW), "new-roots"),
    ("step-old-threshold", "three-of-three-roots", "7.7", "Too few of the roots before",
     "Two signed, which the new threshold allows and the old one does not.",
     after(THREE, "rosa", "ruth", **FEWER),
     "one-root-leaves"),
    ("step-root-dropped", "two-of-three-roots", "7.7", "drops a root",
     "A root is gone and not named as leaving.",
     after(OLD, roots=DRAFT["roots"]),
     "one-root-leaves"),
    ("step-key-exchanged", "two-of-three-roots", "7.7", "drops a root",
     "A root has another key under the same name.",
     after(OLD, roots={**DRAFT["roots"], **OTHER}),
     "second"),
    ("step-leaves-with-another-key", "two-of-three-roots", "7.7", "drops a root",
     "A root leaves with another key than it had.",
     after(OLD, roots=DRAFT["roots"], leaving=OTHER),
     "one-root-leaves"),
    ("step-reviewer-dropped", "removed", "7.8", "drops carol",
     "Who was removed is not named any more.", after(WITH_CAROL, reviewers=[ALICE, BOB]),
     "removed-stays"),
    ("step-removed-is-back", "removed", "7.8", "drops carol",
     "Who was removed is active again.",
     after(WITH_CAROL, reviewers=[ALICE, BOB, reviewer("carol")]), "removed-stays"),
    ("step-removed-ends-later", "removed", "7.8", "drops carol",
     "One more event of a removed reviewer is to count.",
     after(WITH_CAROL, reviewers=[
         ALICE, BOB, reviewer("carol", removed={"carol.desk-a": [4, "11" * 32]})]),
     "removed-stays"),
    ("step-removed-has-another-key", "removed", "7.8", "drops carol",
     "A removed reviewer has another key.",
     after(WITH_CAROL, reviewers=[
         ALICE, BOB, {**REMOVED, "key": public(signing_key("new carol"))}]),
     "removed-stays"),
    ("step-period-has-another-key", "week", "7.9", "the name of period p1",
     "Another recipient under the name of a period.",
     after({**DRAFT, "periods": [WEEK]}, periods=[period("p1", 0, 6, "other")]),
     "week-goes-week-comes"),
    ("step-period-has-other-days", "week", "7.9", "the name of period p1",
     "Other days under the name of a period.",
     after({**DRAFT, "periods": [WEEK]}, periods=[period("p1", 0, 5)]),
     "week-goes-week-comes"),
    ("step-new-week-by-removed", "removed", "7.9", "Too few active reviewers",
     "A new period was tried by one who is active and one who was removed.",
     after(WITH_CAROL, periods=[tried("alice", "carol")]),
     "new-week-also-by-removed"),
]  # fmt: skip


def vectors() -> Iterator[Vector]:
    """Yield all of them."""
    for name, comment, body in ACCEPTED:
        yield _accepted(name, comment, body)
    for base, table in (("minimal", REFUSED), ("week", PERIODS), ("periods-adjacent", TWO_PERIODS)):
        for name, rule, says, comment, body in table:
            yield _refused(name, comment, body, (rule, says, base))
    for name, before, comment, body in STEPS:
        yield _accepted(name, comment, body, after=before)
    for name, before, rule, says, comment, body, base in STEPS_REFUSED:
        yield _refused(name, comment, body, (rule, says, base), after=before)


def _accepted(name: str, comment: str, body: bytes, **more: str) -> Vector:
    line, *marks = body.splitlines()
    signers = sorted(mark.split(b" ")[0].decode() for mark in marks)
    facts = {
        **more,
        "version": str(json.loads(line)["version"]),
        "fingerprint": hashlib.sha256(line).hexdigest(),
        "signers": " ".join(signers),
    }
    return Vector(kind="keyring", name=name, comment=comment, body=body, facts=facts)


def _refused(name: str, comment: str, body: bytes, why: Sequence[str], **more: str) -> Vector:
    rule, says, base = why
    return Vector(
        kind="keyring",
        name=name,
        comment=comment,
        body=body,
        rule=rule,
        says=says,
        base=base,
        facts=more,
    )
