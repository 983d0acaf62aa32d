"""Vectors of a casebook's events, one by one and as a chain of frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from intake import canonical
from intake.age.sealing import seal
from tests.make_vectors import Facts, Vector, respelled
from tests.make_vectors.bundles import IDS, sha256
from tests.make_vectors.closed import FRAME
from tests.make_vectors.envelopes import BURMESE, CONTROLS, EMOJI, ZAWGYI
from tests.make_vectors.keyrings import MADE, ORDER
from tests.makers import identity, signing_key

Draft = Mapping[str, Any]

FORGED = "is damaged, foreign or forged"
FOLLOWS = "is not the one that event"
TORN = "the end is torn"
DAMAGED = "damaged after event"

CONTEXT = b"intake event 1\n"
ZERO = bytes(32).hex()
READER = identity("reader")
HASH = "11" * 32
FACTS: Draft = {
    "author": "alice",
    "case": None,
    "day": "2026-11-16",
    "deployment": MADE.deployment.hex(),
    "desk": "desk-a",
    "format": "intake event 1",
    "grounds": [],
    "heads": {"bob.desk-b": [3, HASH]},
    "previous": ZERO,
    "sequence": 1,
    "what": {
        "kind": "acknowledged",
        "list": HASH,
        "manifest": HASH,
        "number": 1,
        "rows": [[IDS[1], HASH]],
        "signers": ["bob", "carol"],
    },
}
LINE = canonical.dump(FACTS)


def signed(line: bytes, key: str = "alice", context: bytes = CONTEXT) -> bytes:
    """Return the plaintext of an event: a line, and its signature."""
    return line + b"\n" + signing_key(key).sign(context + line).hex().encode() + b"\n"


def made(key: str = "alice", **changes: object) -> bytes:
    """Return the event, its fields changed, signed."""
    return signed(canonical.dump({**FACTS, **changes}), key)


def spelled(old: str, new: str | bytes) -> bytes:
    """Return the event, a piece of it spelled otherwise, and signed so."""
    return signed(respelled(LINE, old, new))


def without(field: str) -> bytes:
    """Return the event that lacks a field."""
    return signed(canonical.dump({key: value for key, value in FACTS.items() if key != field}))


def what(**changes: object) -> bytes:
    """Return the event that says something else."""
    return made(what={**FACTS["what"], **changes})


def head(name: str, *last: object) -> bytes:
    """Return the event whose author had seen this chain up to this event."""
    return made(heads={name: list(last) or [3, HASH]})


def malleable() -> bytes:
    """Return the event with a second spelling of its signature: S + L verifies too."""
    mark = signing_key("alice").sign(CONTEXT + LINE)
    s = int.from_bytes(mark[32:], "little") + ORDER
    return LINE + b"\n" + (mark[:32] + s.to_bytes(32, "little")).hex().encode() + b"\n"


EVENT = made()
NEW_KEY = "new-key-of-bob"
PAD = "x" * 46  # so that the length of a frame has a letter

# name, chain, keyring, comment, plaintext
ACCEPTED: list[tuple[str, str, str, str, bytes]] = [
    ("event", "alice.desk-a", "minimal", "An event for everyone.", EVENT),
    ("no-heads", "alice.desk-a", "minimal", "There is no other chain.", made(heads={})),
    ("case", "alice.desk-a", "minimal", "An event of a case.", made(case="ab" * 16)),
    ("case-zeros", "alice.desk-a", "minimal", "A tag of zeros is a tag.", made(case="00" * 16)),
    ("kind-unknown", "alice.desk-a", "minimal",
     "An event is one whatever it says; what it means, the fold finds out.",
     made(what={"kind": "from the future", "text": BURMESE + ZAWGYI + EMOJI + CONTROLS})),
    ("kind-empty", "alice.desk-a", "minimal", "A kind is any text.", made(what={"kind": ""})),
    ("grounds", "alice.desk-a", "minimal", "A reader sees that it is a list, no more.",
     made(grounds=["not yet known"])),
    ("grounds-of-any-type", "alice.desk-a", "minimal", "And what stands in it may be anything.",
     made(grounds=[1, None, {}])),
    ("day-before", "alice.desk-a", "minimal", "When an event may be dated is a rule for writers.",
     made(day="1999-12-31")),
    ("sequence-largest", "alice.desk-a", "minimal", "Alone, any number may come.",
     made(sequence=10**15 - 1, previous=HASH)),
    ("desk-longest", f"alice.{'d' * 32}", "minimal", "A desk's name of 32 characters.",
     made(desk="d" * 32)),
    ("key-in-force", "bob.desk-a", NEW_KEY, "The keyring in force gives bob this key.",
     made("new bob", author="bob")),
    ("key-of-an-older-keyring", "bob.desk-a", NEW_KEY, "An older keyring gave bob this key.",
     made("bob", author="bob")),
]  # fmt: skip

# name, rule, comment, plaintext; the base is "event", and so are chain and keyring
REFUSED: list[tuple[str, str, str, bytes]] = [
    ("empty", "12.1", "No byte.", b""),
    ("line-1-alone", "12.1", "No signature.", LINE + b"\n"),
    ("no-line-feed", "12.1", "Line 2 is not ended.", EVENT[:-1]),
    ("third-line", "12.1", "Something follows.", EVENT + b"x"),
    ("empty-line-after", "12.1", "An empty line follows.", EVENT + b"\n"),
    ("empty-line-before", "12.1", "An empty line before line 1.", b"\n" + EVENT),
    ("two-signatures", "12.1", "The signature twice.", EVENT + EVENT.split(b"\n")[1] + b"\n"),
    ("crlf", "1", "Line 1 ends in CR LF, and was signed so.", signed(LINE + b"\r")),
    ("byte-order-mark", "1", "A byte order mark.", signed(b"\xef\xbb\xbf" + LINE)),
    ("not-utf-8", "1", "A byte that UTF-8 has not.", spelled('"bob",', b'"\xff",')),
    ("surrogate", "2", "A lone surrogate, escaped.", spelled('"bob",', r'"\ud800",')),
    ("space-after-colon", "2", "White space.", spelled('"sequence":1', '"sequence": 1')),
    ("keys-unsorted", "2", "grounds before format.",
     spelled('"format":"intake event 1","grounds":[]', '"grounds":[],"format":"intake event 1"')),
    ("key-twice", "2", "A field twice.", spelled('"sequence":1', '"sequence":1,"sequence":1')),
    ("key-twice-deep", "2", "The kind twice.",
     spelled('"kind":"acknowledged"', '"kind":"acknowledged","kind":"acknowledged"')),
    ("float", "2", "1.0 for 1.", spelled('"sequence":1', '"sequence":1.0')),
    ("exponent", "2", "1e0 for 1.", spelled('"sequence":1', '"sequence":1e0')),
    ("escaped-letter", "2", "A letter escaped that need not be.",
     spelled('"bob",', r'"\u0062ob",')),
    ("sixteen-digits", "2", "An integer of 16 digits.",
     spelled('"number":1', '"number":1000000000000000')),
    ("thirteen-deep", "2", "Thirteen levels.",
     spelled('"number":1', '"number":' + "[" * 11 + "]" * 11)),
    *((f"without-{field}", "12.1", f"No field {field}.", without(field)) for field in FACTS),
    ("unknown-field", "12.1", "A field that this version does not know.", made(time="12:00")),
    ("no-object", "12.1", "Line 1 is a list.", signed(b"[]")),
    ("format-2", "12.1", "Another format.", made(format="intake event 2")),
    ("author-other", "12.1", "bob wrote and signed it; the chain is alice's.",
     made("bob", author="bob")),
    ("author-signed-by-chain", "12.1", "It says bob; alice signed it in her chain.",
     made(author="bob")),
    ("author-capital", "1", "A capital in a name.", made(author="Alice")),
    ("desk-other", "12.1", "Another desk.", made(desk="desk-b")),
    ("desk-null", "12.1", "null is no desk.", made(desk=None)),
    ("deployment-other", "12.1", "Another deployment.", made(deployment=HASH)),
    ("deployment-upper-case", "1", "Hex in upper case.",
     made(deployment=FACTS["deployment"].upper())),
    ("signed-by-another", "12.1", "bob signed in alice's name.", made("bob")),
    ("signed-by-a-stranger", "12.1", "A stranger signed.", made("stranger")),
    ("signed-by-a-root", "12.1", "A root signed.", made("rosa")),
    ("no-context", "12.1", "Signed without the context.", signed(LINE, context=b"")),
    ("context-of-a-return", "12.1", "Signed with the context of another kind.",
     signed(LINE, context=b"intake return 1\n")),
    ("context-without-line-feed", "12.1", "Signed with a context that has no LF.",
     signed(LINE, context=CONTEXT[:-1])),
    ("signed-with-line-feed", "12.1", "Signed together with the LF of line 1.",
     LINE + signed(LINE + b"\n")[len(LINE) + 1:]),
    ("signed-another-line", "12.1", "A digit is another than was signed.",
     EVENT.replace(b'"number":1', b'"number":2')),
    ("signature-not-reduced", "12.1", "S is not below the order of the group (RFC 8032, 5.1.7).",
     malleable()),
    ("signature-upper-case", "1", "A signature in upper-case hex.",
     LINE + EVENT[len(LINE):].upper()),
    ("signature-short", "12.1", "A signature of 63 bytes.", EVENT[:-3] + b"\n"),
    ("signature-spaces", "1", "A signature with a space between two bytes.",
     EVENT[:-3] + b" " + EVENT[-3:]),
    ("signature-crlf", "1", "Line 2 ends in CR LF.", EVENT[:-1] + b"\r\n"),
    ("signature-with-a-name", "12.1", "A signature line as in a return.",
     LINE + b"\nalice " + EVENT[len(LINE) + 1:]),
    ("sequence-0", "12.1", "Sequences begin with 1.", made(sequence=0)),
    ("sequence-negative", "12.1", "Event -1.", made(sequence=-1)),
    ("sequence-true", "12.1", "true is not 1.", made(sequence=True)),
    ("sequence-text", "12.1", "A text is no number.", made(sequence="1")),
    ("sequence-null", "12.1", "null is no number.", made(sequence=None)),
    ("previous-short", "1", "31 bytes.", made(previous=ZERO[2:])),
    ("previous-upper-case", "1", "Hex in upper case.", made(previous="AB" * 32)),
    ("previous-null", "12.1", "null for zeros.", made(previous=None)),
    ("case-short", "12.1", "15 bytes.", made(case="ab" * 15)),
    ("case-empty", "12.1", "No byte is not null.", made(case="")),
    ("case-upper-case", "1", "Hex in upper case.", made(case="AB" * 16)),
    ("case-false", "12.1", "false is not null.", made(case=False)),
    ("day-that-is-not", "1", "31 November.", made(day="2026-11-31")),
    ("day-without-hyphens", "1", "20261116.", made(day="20261116")),
    ("day-burmese-digits", "1", "A day in Burmese digits.", made(day="၂၀၂၆-၁၁-၁၆")),
    ("day-null", "12.1", "null is no day.", made(day=None)),
    ("grounds-object", "12.1", "An object for a list.", made(grounds={})),
    ("grounds-text", "12.1", "A text for a list.", made(grounds="")),
    ("grounds-null", "12.1", "null for a list.", made(grounds=None)),
    ("heads-array", "12.1", "A list for an object.", made(heads=[])),
    ("heads-null", "12.1", "null for an object.", made(heads=None)),
    ("head-number-true", "12.1", "true is no number.", head("bob.desk-b", True, HASH)),
    ("head-number-text", "12.1", "A text is no number.", head("bob.desk-b", "3", HASH)),
    ("head-hash-short", "1", "31 bytes.", head("bob.desk-b", 3, HASH[2:])),
    ("head-hash-upper-case", "1", "Hex in upper case.", head("bob.desk-b", 3, "AB" * 32)),
    ("head-without-hash", "12.1", "A number alone.", head("bob.desk-b", 3)),
    ("head-of-three", "12.1", "Something after the hash.", head("bob.desk-b", 3, HASH, 1)),
    ("head-no-chain", "1", "A name is not a chain's.", head("bob")),
    ("head-capital", "1", "A capital in a chain's name.", head("bob.Desk")),
    ("head-third-part", "1", "A third name.", head("bob.desk-b.old")),
    ("head-line-feed", "1", "A chain's name that ends with a line feed.", head("bob.desk-b\n")),
    ("head-writes-lines", "1", "A chain's name that would look like a line of a report.",
     head("bob.desk-b\nAll is well")),
    ("what-null", "12.1", "null says nothing.", made(what=None)),
    ("what-array", "12.1", "A list for an object.", made(what=["kind", "acknowledged"])),
    ("what-text", "12.1", "A text for an object.", made(what="acknowledged")),
    ("what-without-kind", "12.1", "No kind.", made(what={"number": 1})),
    ("kind-null", "12.1", "null is no kind.", what(kind=None)),
    ("kind-array", "12.1", "A list is no kind.", what(kind=["acknowledged"])),
]  # fmt: skip

# name, chain, keyring, comment, plaintext, base
OTHERS: list[tuple[str, str, str, str, bytes, str]] = [
    ("author-in-no-keyring", "stranger.desk-a", "minimal", "No keyring names the author.",
     made("stranger", author="stranger"), "event"),
    ("key-in-no-keyring", "bob.desk-a", NEW_KEY, "No keyring gives bob this key.",
     made("stranger", author="bob"), "key-in-force"),
    ("key-of-a-later-keyring", "bob.desk-a", "minimal", "Only a later keyring gives bob this key.",
     made("new bob", author="bob"), "key-in-force"),
]  # fmt: skip


def framed(*sealed: bytes) -> bytes:
    """Return frames of these age files."""
    return b"".join(b"%08x\n%b\n" % (len(one), one) for one in sealed)


def event(sequence: int, before: bytes | None, key: str = "alice", **changes: object) -> bytes:
    """Return a sealed event that follows the age file ``before``."""
    previous = ZERO if before is None else sha256(before)
    facts = {
        "sequence": sequence,
        "previous": previous,
        "heads": {},
        "what": {"kind": "note", "text": PAD},
    }
    return seal(made(key, **{**facts, **changes}), [READER.recipient()])


Chain = tuple[str, str, str, str, bytes, str, int]


def chains() -> Iterator[Chain]:
    """Yield name, keyring, what is said or nothing, comment, file, events read, frames closed."""
    one = event(1, None)
    two = event(2, one)
    three = event(3, two)
    after = event(3, FRAME)  # two is sealed to somebody else
    other = FRAME[:-1] + b"!"  # and so is this
    forged = event(2, one, "bob")
    foreign = seal(b"no event", [READER.recipient()])
    bent = two[:-1] + bytes([two[-1] ^ 1])
    a, b, c = framed(one), framed(two), framed(three)
    if b[:8].upper() == b[:8]:
        raise ValueError(b[:8])
    whole, closed, late = a + b + c, a + framed(FRAME), framed(after)

    def length(digits: bytes) -> bytes:
        """Return the chain, the length of whose second frame is spelled so."""
        return a + digits + b[8:] + c

    yield "chain", "minimal", "", "Three events.", whole, "1 2 3", 0
    yield "chain-closed", "minimal", "", "The second is for others.", closed + late, "1 3", 1
    yield "chain-all-closed", "minimal", "", "All are for others.", framed(FRAME, other), "-", 2
    comment = "It ends with what the keyring names."
    yield "chain-removed", "alice-removed", "", comment, closed, "1", 1

    gap = "1 before event 3 missing or moved"
    refused = (
        ("forged", FORGED, "bob signed the second.", framed(one, forged, event(3, forged)), "1 3"),
        ("foreign", FORGED, "The second is no event.",
         framed(one, foreign, event(3, foreign)), "1 3"),
        ("altered", FORGED, "One bit of the second.", framed(one, bent, three), "1 3"),
        ("previous", FOLLOWS, "The second follows nothing.", framed(one, event(2, None)), "1 2"),
        ("swapped", "out of its place", "The third before the second.", a + c + b, "1 2 3"),
        ("twice", "stands here twice", "The second twice.", a + b + b + c, "1 2 3"),
        ("replayed", "stands here twice", "The first again, at the end.", whole + a, "1 2 3"),
        ("dropped", gap, "The second is not there.", a + c, "1 3"),
        ("first-dropped", "1 before event 2", "The first is not there.", b + c, "2 3"),
        ("torn", TORN, "Half of the third.", whole[:-1000], "1 2"),
        ("torn-length", TORN, "Four digits of a length.", whole + b"0000", "1 2 3"),
        ("torn-line-feed", TORN, "The last LF is not there.", whole[:-1], "1 2"),
        ("junk", TORN, "No frame.", b"no frame", "-"),
        ("junk-before", DAMAGED + " 0", "A byte before the first.", b"x" + whole, "1 2 3"),
        ("junk-between", DAMAGED + " 1", "An LF between two frames.", a + b"\n" + b + c, "1 2 3"),
        ("length-above", gap, "A length one above.", length(b"%08x" % (len(two) + 1)), "1 3"),
        ("length-below", gap, "A length one below.", length(b"%08x" % (len(two) - 1)), "1 3"),
        ("length-beyond", gap, "A length beyond the file.", length(b"0fffffff"), "1 3"),
        ("length-upper-case", gap, "A length in upper case.", length(b"%08X" % len(two)), "1 3"),
        ("length-short", gap, "A length of seven digits.", length(b"%07x" % len(two)), "1 3"),
        ("length-spaces", gap, "A length without zeros.", length(b"%8x" % len(two)), "1 3"),
        ("length-crlf", gap, "CR LF after a length.", length(b"%08x\r" % len(two)), "1 3"),
        ("no-line-feed", gap, "No LF after the second.", a + b[:-1] + c, "1 3"),
    )  # fmt: skip
    for name, says, comment, body, read in refused:
        yield f"chain-{name}", "minimal", says, comment, body, read, 0

    yield ("chain-closed-exchanged", "minimal", FOLLOWS, "Another one for others.",
           a + framed(other) + late, "1 3", 1)  # fmt: skip
    yield ("chain-closed-dropped", "minimal", gap, "The one for others is not there.",
           a + late, "1 3", 0)  # fmt: skip
    yield ("chain-closed-added", "minimal", "out of its place", "One for others, put in.",
           closed + b, "1 2", 1)  # fmt: skip

    gone = "none of it is used"
    removed = (
        ("late", "", "1 events after event 2", "The third came later.", closed + late, "1", 1),
        ("damaged-before", "", gone, "A byte after the first.", a + b"x" + framed(FRAME), "-", 1),
        ("damaged-after", "", DAMAGED + " 2", "A byte after the last that counts, and one more.",
         closed + b"x" + late, "1", 1),
        ("torn", "", TORN, "A byte after the last that counts.", closed + b"x", "1", 1),
        ("cut", "", gone, "The last that counts is not there.", a, "-", 0),
        ("exchanged", "", gone, "Another one where the last that counts stood.",
         a + framed(other), "-", 1),
        ("elsewhere", "-elsewhere", gone, "The keyring names another one.", closed, "-", 1),
        ("wholly", "-wholly", "1 events after event 0", "The keyring names none.", closed, "-", 1),
    )  # fmt: skip
    for name, keyring, says, comment, body, read, others in removed:
        yield f"chain-removed-{name}", f"alice-removed{keyring}", says, comment, body, read, others


def vectors() -> Iterator[Vector]:
    """Yield all of them."""
    here = {"chain": "alice.desk-a", "keyring": "minimal"}
    for name, chain, keyring, comment, body in ACCEPTED:
        yield _vector(name, comment, body, {"chain": chain, "keyring": keyring})
    for name, rule, comment, body in REFUSED:
        yield _vector(name, comment, body, here, (rule, FORGED, "event"))
    for name, chain, keyring, comment, body, base in OTHERS:
        facts = {"chain": chain, "keyring": keyring}
        yield _vector(name, comment, body, facts, ("12.1", FORGED, base))
    made = list(chains())
    for name, keyring, says, comment, body, read, closed in made:
        base = max((one[0] for one in made if not one[2] and name.startswith(one[0])), key=len)
        yield _chain(name, comment, body, (says, base), keyring=keyring, events=read, closed=closed)
    moved = next(one[4] for one in made if one[0] == "chain")
    yield _chain(
        "chain-of-another",
        "alice's events in a file with bob's name.",
        moved,
        (FORGED, "chain"),
        chain="bob.desk-a",
        keyring="minimal",
        events="-",
        closed=0,
    )


def _vector(
    name: str, comment: str, body: bytes, facts: Draft, why: Sequence[str] = ("", "", "")
) -> Vector:
    rule, says, base = why
    return Vector(
        kind="event",
        name=name,
        comment=comment,
        body=body,
        rule=rule,
        says=says,
        base=base,
        facts={"layer": "plaintext", **facts},
    )


def _chain(name: str, comment: str, body: bytes, why: Sequence[str], **told: object) -> Vector:
    says, base = why
    keys = [READER.encode(), identity("alice 2026q4").encode()]
    facts: Facts = {"layer": "chain", "chain": "alice.desk-a", "identity": keys}
    return Vector(
        kind="event",
        name=name,
        comment=comment,
        body=body,
        rule="12.1" if says else "",
        says=says,
        base=base if says else "",
        facts={**facts, **{key: str(value) for key, value in told.items()}},
        sealed=True,
    )
