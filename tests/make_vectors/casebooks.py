"""Vectors of a casebook: what the events of all its chains say together.

The frames are not sealed here: a vector has the hash of each, which is made up, and what would come
out of it. So the order of events that know nothing of each other is chosen, and not left to chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from intake import canonical
from tests.make_vectors import Facts, Vector
from tests.make_vectors.envelopes import BURMESE, EMOJI, ZAWGYI
from tests.make_vectors.events import FACTS, signed

What = Mapping[str, Any]

SENSE = "makes no sense to this version"
CARRIES = "carries one that is damaged or forged"
ANOTHER = "carries another one than"
PARTS = "two versions part after event"
SEEN = "is missing here"
ALICE, BOB, CAROL = "alice.desk-a", "bob.desk-b", "carol.desk-c"
PEOPLE = ("alice", "bob")
ZERO = bytes(32).hex()


def named(kind: str, number: int, size: int = 32) -> str:
    """Return made-up bytes in hex."""
    return hashlib.sha256(f"{kind} {number}".encode()).hexdigest()[: 2 * size]


CASE, OTHER = named("case", 1, 16), named("case", 2, 16)
ROW, MORE = named("row", 1, 16), named("row", 2, 16)
NONCE = named("nonce", 1, 32)
BLOB, NEW, NEWER = (named("blob", number) for number in (1, 2, 3))
FILE, FILE_KEY = named("file", 1, 16), named("key", 1, 16)
MANIFEST = named("manifest", 1)
KEYRING = [1, named("keyring", 1)]


def key_of(case: str) -> str:
    """Return what events for everyone call a case."""
    return hashlib.sha256(bytes.fromhex(case)).hexdigest()


def row(row_id: str = ROW, blob: str | None = BLOB, verdict: str = "ok") -> list[str | None]:
    """Return what an import says of a row."""
    return [row_id, named("envelope", 1), verdict, blob]


def record(blob: str = BLOB, row_id: str = ROW, case: str = CASE, **other: object) -> What:
    """Return what an event says of an envelope of a case."""
    told = {"blob": blob, "case": case, "day": "2026-11-16", "envelope": "testimony"}
    return {**told, "id": row_id, "keyring": KEYRING, "salt": named("salt", 1), **other}


def sliced(number: int = 0, row_id: str = ROW, blob: str = BLOB, **other: object) -> What:
    """Return what an event says of the slice of a file."""
    told = {"end": False, "file": FILE, "key": None, "number": number}
    return record(blob, row_id, envelope="slice", slice={**told, **other})


def received(*rows: What, kind: str = "received", assigned: Sequence[str] = PEOPLE) -> What:
    """Return an event that records envelopes."""
    return {"assigned": list(assigned), "kind": kind, "rows": list(rows) or [record()]}


def part(*rows: Sequence[str | None], cases: Mapping[str, Sequence[str]] | None = None) -> What:
    """Return the event for everyone that goes with it."""
    told = {key_of(CASE): list(PEOPLE)} if cases is None else cases
    return {"cases": told, "kind": "part", "manifest": MANIFEST, "rows": list(rows) or [row()]}


def imported(**other: object) -> What:
    """Return the event that ends an import."""
    what = {"bundle": 1, "count": 1, "keyring": KEYRING, "left": 0, "period": "2026-w47"}
    return {**part(), **what, "kind": "import", "previous": ZERO, **other}


def decided(state: str, note: str = "") -> What:
    """Return a decision about the state."""
    return {"kind": "decided", "note": note, "state": state}


def marked(mark: str, on: bool = True, **other: object) -> What:
    """Return a decision about a mark."""
    return {"kind": "marked", "mark": mark, "note": "", "on": on, **other}


def erased(*rows: Sequence[str | None], cases: Mapping[str, Sequence[str]] | None = None) -> What:
    """Return what one reviewer says of words that must go."""
    return {"cases": cases or {}, "kind": "erased", "rows": list(rows)}


def acknowledged(number: int = 1, **other: object) -> What:
    """Return that a return was made, and what else may have gone in it."""
    return {**FACTS["what"], "number": number, "rows": [], **other}


def replied(note: str = BURMESE, reply: int = 1, **other: object) -> What:
    """Return an answer to a source."""
    return {"id": named("reply", reply, 16), "kind": "replied", "note": note, **other}


WITHDRAWN: What = {"kind": "withdrawn", "note": ""}
DECISIONS = {"decided", "marked", "withdrawn", "replied"}
GROUNDS = {"verified": "vouched", "partial": "answered", "rejected": "empty", "suspected": "other"}


@dataclass
class Book:
    """Chains under construction: of each event its hash, and its two lines or None."""

    chains: dict[str, list[list[str | None]]] = field(default_factory=dict)
    lines: dict[tuple[str, int], str] = field(default_factory=dict)

    def add(
        self,
        chain: str,
        what: What,
        *,
        saw: Sequence[str] | Mapping[str, Sequence[object]] = (),
        closed: bool = False,
        **other: Any,  # noqa: ANN401 - fields of the event
    ) -> Book:
        """Add an event; its author ``saw`` these chains as they are now. Decisions have a case."""
        frames = self.chains.setdefault(chain, [])
        name = chain.partition("~")[0]
        author, _, desk = name.partition(".")
        heads = saw if isinstance(saw, Mapping) else {one: self.head(one) for one in saw}
        decides = what.get("kind") in DECISIONS
        ground = GROUNDS.get(str(what.get("state", what.get("on") and "suspected")))
        facts = {
            **FACTS,
            "author": author,
            "case": CASE if decides else None,
            "desk": desk,
            "grounds": [ground] if ground else [],
            "heads": heads,
            "previous": frames[-1][0] if frames else ZERO,
            "sequence": len(frames) + 1,
            "what": what,
        }
        digest = other.pop("hash", named(chain, len(frames) + 1))
        text = signed(canonical.dump({**facts, **other}), author).decode()
        self.lines[chain, len(frames) + 1] = text
        frames.append([str(digest), None if closed else text])
        return self

    def head(self, chain: str) -> list[object]:
        """Return number and hash of the last event of a chain."""
        return [len(self.chains[chain]), self.chains[chain][-1][0]]

    def both(self, what: What) -> Book:
        """Add the same by alice and by bob, who knows of hers."""
        return self.add(ALICE, what).add(BOB, what, saw=[ALICE])


def book() -> Book:
    """Return a casebook in which alice recorded one case of hers and bob's."""
    return Book().add(ALICE, received()).add(ALICE, imported())


def case(**other: object) -> dict[str, Any]:
    """Return what must come out of a case, if nothing else is said."""
    told = {
        "assigned": list(PEOPLE),
        "conflict": [],
        "decisions": 0,
        "duplicate": None,
        "erased": False,
        "hidden": False,
        "marks": [],
        "received": [[ROW, BLOB]],
        "replies": [],
        "slices": [],
        "state": "received",
        "voices": [],
        "withdrawing": [],
    }
    return {**told, **other}


@dataclass(frozen=True, slots=True)
class Told:
    """What must come out of a casebook."""

    cases: Mapping[str, Mapping[str, Any]]
    gone: Sequence[str] = ()
    assigned: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {key_of(CASE): list(PEOPLE)}
    )
    heard: Mapping[str, int] = field(default_factory=dict)
    sent: Mapping[str, int] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> Facts:
        """Return the headers."""
        values = {"cases": self.cases, "assigned": self.assigned, "gone": sorted(self.gone)}
        values |= {"heard": self.heard, "sent": self.sent}
        words = dict.fromkeys(("left-out", "carrying", "lost", "parted"), "-")
        spelled = {key: canonical.dump(value).decode() for key, value in values.items()}
        return {**spelled, **words, **self.named}


def one(gone: Sequence[str] = (), names: Sequence[str] = PEOPLE, **other: object) -> Told:
    """Return what must come out where there is one case."""
    return Told({CASE: case(**other)}, gone, {key_of(CASE): list(names)})


Row = tuple[str, str, Book, Told]

# name, comment, what is other in the row of a slice
SLICES: list[tuple[str, str, dict[str, Any]]] = [
    ("field", "A field more.", {"size": 3}),
    ("file-short", "15 bytes.", {"file": FILE[2:]}),
    ("file-upper-case", "Hex in upper case.", {"file": "AB" * 16}),
    ("file-null", "null is no file.", {"file": None}),
    ("number-negative", "A number below 0.", {"number": -1}),
    ("number-true", "true is not 1.", {"number": True}),
    ("number-text", "A text is no number.", {"number": "0"}),
    ("end-number", "0 is not false.", {"end": 0}),
    ("end-null", "null is not false.", {"end": None}),
    ("key-short", "15 bytes.", {"key": FILE_KEY[2:]}),
    ("key-empty", "No byte.", {"key": ""}),
    ("key-false", "false is no key.", {"key": False}),
    ("key-of-slice-1", "Only the first slice has a key.", {"key": FILE_KEY, "number": 1}),
    ("key-of-an-end", "An end has no key.", {"key": FILE_KEY, "end": True}),
]


def states() -> Iterator[Row]:
    """Yield name, comment, casebook, and what comes out, of decisions about the state."""
    yield "received", "A case nobody decided about.", book(), one()
    yield ("triaged", "One decision, with a note.",
           book().add(BOB, decided("triaged", BURMESE + ZAWGYI + EMOJI), saw=[ALICE]),
           one(state="triaged", decisions=1))  # fmt: skip
    yield ("note-longest", "A note of 1,000 code points outside the BMP.",
           book().add(BOB, decided("triaged", "😀" * 1000), saw=[ALICE]),
           one(state="triaged", decisions=1))  # fmt: skip
    yield ("verified-by-one", "One voice is not enough.",
           book().add(BOB, decided("verified"), saw=[ALICE]),
           one(state="partial", voices=["bob"], decisions=1))  # fmt: skip
    yield ("verified-twice-by-one", "The same voice twice, at two desks, is one.",
           book().add(BOB, decided("verified"), saw=[ALICE])
           .add("bob.desk-a", decided("verified"), saw=[ALICE, BOB]),
           one(state="partial", voices=["bob"], decisions=2))  # fmt: skip
    yield ("verified", "Two voices, the second knew of the first.",
           book().both(decided("verified")),
           one(state="verified", voices=["alice", "bob"], decisions=2))  # fmt: skip
    yield ("verified-apart", "Two voices that did not know of each other.",
           book().add(BOB, decided("verified"), saw=[ALICE]).add(ALICE, decided("verified")),
           one(state="verified", voices=["alice", "bob"], decisions=2))  # fmt: skip
    yield ("verified-and-again", "The first says it a third time.",
           book().both(decided("verified")).add(ALICE, decided("verified"), saw=[BOB]),
           one(state="verified", voices=["alice", "bob"], decisions=3))  # fmt: skip
    yield ("verified-anew", "Between two voices somebody said otherwise: the first is over.",
           book().add(ALICE, decided("verified")).add(BOB, decided("partial"), saw=[ALICE])
           .add(BOB, decided("verified")),
           one(state="partial", voices=["bob"], decisions=3))  # fmt: skip
    for name, first in (("voice-heard", "ff"), ("voice-heard-in-another-order", "00")):
        apart = book().add(ALICE, decided("verified"))
        apart.add(BOB, decided("verified"), saw=[ALICE])
        apart.add("bob.desk-a", decided("partial"), saw=[ALICE], hash=first * 32)
        yield (
            name,
            "bob adds his voice at one desk, and differs at another: alice's does not end there.",
            apart.add(BOB, decided("verified"), saw=["bob.desk-a"]),
            one(state="verified", voices=["alice", "bob"], decisions=4),
        )
    yield ("rejected-after-verified", "Who knew of both voices rejects.",
           book().both(decided("verified")).add(ALICE, decided("rejected"), saw=[BOB]),
           one(state="rejected", decisions=3))  # fmt: skip
    apart = book().add(BOB, decided("rejected"), saw=[ALICE]).add(ALICE, decided("triaged"))
    yield ("conflict", "Two decisions that did not know of each other, and differ.", apart,
           one(state="partial", conflict=[f"{ALICE}:3", f"{BOB}:1"], decisions=2))  # fmt: skip
    apart = book().add(BOB, decided("verified"), saw=[ALICE]).add(ALICE, decided("suspected"))
    yield ("conflict-has-no-voices", "One of the two is a voice.", apart,
           one(state="partial", conflict=[f"{ALICE}:3", f"{BOB}:1"], decisions=2))  # fmt: skip
    apart = book().add(BOB, decided("triaged"), saw=[ALICE]).add(ALICE, decided("triaged"))
    yield ("same-apart", "Two decisions that did not know of each other, and are the same.", apart,
           one(state="triaged", decisions=2))  # fmt: skip
    apart = book().add(BOB, decided("rejected"), saw=[ALICE]).add(ALICE, decided("triaged"))
    yield ("conflict-solved", "Somebody who knew of both decides.",
           apart.add(ALICE, decided("contacted"), saw=[BOB]),
           one(state="contacted", decisions=3))  # fmt: skip
    apart = book().add(BOB, decided("rejected"), saw=[ALICE]).add(ALICE, decided("triaged"))
    yield ("conflict-goes-on", "Who knew of one only replaces that one.",
           apart.add(BOB, decided("contacted")),
           one(state="partial", conflict=[f"{ALICE}:3", f"{BOB}:2"], decisions=3))  # fmt: skip
    order = book().add(BOB, decided("rejected"), saw=[ALICE], hash="ff" * 32)
    yield ("order-by-what-was-seen", "An event comes after what its author saw, whatever its hash.",
           order.add(ALICE, decided("triaged"), saw=[BOB], hash="00" * 32),
           one(state="triaged", decisions=2))  # fmt: skip
    ahead = book().add(BOB, decided("rejected"), saw={ALICE: [3, "00" * 32]}, hash="01" * 32)
    yield ("circle", "Two events that saw each other: the smallest hash of all goes first.",
           ahead.add(ALICE, decided("triaged"), saw={BOB: [1, "01" * 32]}, hash="00" * 32),
           Told({CASE: case(state="rejected", decisions=2)},
                named={"lost": "-"}))  # fmt: skip


def marks() -> Iterator[Row]:
    """Yield the same of marks, and of who may decide."""
    yield ("mark", "A mark.", book().add(BOB, marked("coercion"), saw=[ALICE]),
           one(marks=["coercion"], decisions=1))  # fmt: skip
    yield ("mark-off", "A mark, and its end.",
           book().add(BOB, marked("coercion"), saw=[ALICE])
           .add(ALICE, marked("coercion", on=False), saw=[BOB]),
           one(decisions=2))  # fmt: skip
    yield ("mark-on-beside-off", "Set by one, and ended by another who did not know: it is on.",
           book().add(BOB, marked("inside"), saw=[ALICE]).add(ALICE, marked("inside", on=False)),
           one(marks=["inside"], decisions=2))  # fmt: skip
    yield ("marks-are-several", "One mark does not replace another, nor the state.",
           book().add(BOB, marked("inside"), saw=[ALICE]).add(BOB, marked("certify"))
           .add(BOB, decided("contacted")),
           one(marks=["certify", "inside"], state="contacted", decisions=3))  # fmt: skip
    yield ("duplicate-of-the-least", "Two cases are named: the least tag counts.",
           book().add(BOB, marked("duplicate", of="ff" * 16), saw=[ALICE])
           .add(ALICE, marked("duplicate", of="01" * 16)),
           one(marks=["duplicate"], duplicate="01" * 16, decisions=2))  # fmt: skip
    yield ("duplicate-off", "The least is off.",
           book().add(BOB, marked("duplicate", of="ff" * 16), saw=[ALICE])
           .add(ALICE, marked("duplicate", on=False, of="01" * 16)),
           one(marks=["duplicate"], duplicate="ff" * 16, decisions=2))  # fmt: skip
    yield ("carol-was-given-it", "Words sealed again to carol: she may decide, and so may bob.",
           book().add(BOB, received(record(NEW), kind="resealed", assigned=["alice", "carol"]),
                      saw=[ALICE])
           .add(CAROL, decided("verified"), saw=[ALICE, BOB])
           .add(BOB, decided("verified"), saw=[CAROL]),
           one(assigned=["alice", "carol"], state="verified", voices=["bob", "carol"],
               decisions=2))  # fmt: skip
    first = book().add(BOB, received(kind="resealed", assigned=["bob", "carol"]), saw=[ALICE])
    yield ("assigned-last", "The last resealed says whose the case is.",
           first.add(CAROL, received(kind="resealed", assigned=["alice", "carol"]), saw=[BOB]),
           one(assigned=["alice", "carol"]))  # fmt: skip
    yield ("resealed-alone", "Who gets a case only now knows it from there alone.",
           Book().add(BOB, received(record(NEW), kind="resealed", assigned=["bob", "carol"])),
           Told({CASE: case(assigned=["bob", "carol"], received=[[ROW, NEW]])},
                assigned={}))  # fmt: skip


def words() -> Iterator[Row]:
    """Yield the same of words that go."""
    yield ("withdrawn-by-one", "One voice hides the words.",
           book().add(BOB, WITHDRAWN, saw=[ALICE]),
           one(hidden=True, withdrawing=["bob"], decisions=1))  # fmt: skip
    yield ("withdrawn-by-two", "Two voices, and no word yet that anything must go.",
           book().both(WITHDRAWN),
           one(hidden=True, withdrawing=["alice", "bob"], decisions=2))  # fmt: skip
    yield ("withdrawn-and-decided", "A decision about the state takes no voice back.",
           book().add(BOB, WITHDRAWN, saw=[ALICE]).add(ALICE, decided("triaged"), saw=[BOB]),
           one(hidden=True, withdrawing=["bob"], state="triaged", decisions=2))  # fmt: skip
    asked = record(named("blob", 7), MORE, envelope="withdrawal")
    yield ("source-asks", "An envelope of the kind withdrawal hides the words.",
           book().add(ALICE, received(asked)),
           one(hidden=True, received=[[ROW, BLOB], [MORE, named("blob", 7)]]))  # fmt: skip
    yield ("erased-by-one", "One says that words must go: nothing goes.",
           book().add(ALICE, erased([ROW, BLOB, None])), one())  # fmt: skip
    yield ("erased", "Two say it of the same blob.",
           book().both(erased([ROW, BLOB, None])),
           one([BLOB], erased=True, hidden=True))  # fmt: skip
    yield ("erased-of-another-blob", "Two say it, one of another blob of the row: nothing goes.",
           book().add(ALICE, erased([ROW, BLOB, None]))
           .add(BOB, erased([ROW, NEW, None]), saw=[ALICE]), one())  # fmt: skip
    yield ("erased-under-two-ids", "Two say it of a blob, one under another row's id.",
           book().add(ALICE, erased([ROW, BLOB, None]))
           .add(BOB, erased([MORE, BLOB, None]), saw=[ALICE]), one())  # fmt: skip
    yield ("erased-twice-by-one", "One, at two desks, is one.",
           book().add(ALICE, erased([ROW, BLOB, None]))
           .add("alice.desk-b", erased([ROW, BLOB, None]), saw=[ALICE]), one())  # fmt: skip
    yield ("erased-and-no-other", "Another blob of the row stays until two say it of that one too.",
           book().add(BOB, received(record(NEW), kind="resealed"), saw=[ALICE])
           .both(erased([ROW, BLOB, None])),
           one([BLOB], erased=True, hidden=True))  # fmt: skip
    again = book().add(BOB, received(record(NEW), kind="resealed"), saw=[ALICE])
    again.both(erased([ROW, BLOB, None])).both(erased([ROW, BLOB, NEW]))
    yield ("erased-and-moved", "What took the place of words that go, goes.",
           again, one([BLOB, NEW], received=[[ROW, NEW]], erased=True, hidden=True))  # fmt: skip
    again = book().add(BOB, received(record(NEW), kind="resealed"), saw=[ALICE])
    yield ("moved", "Two say that another blob took its place.",
           again.both(erased([ROW, BLOB, NEW])), one([BLOB], received=[[ROW, NEW]]))  # fmt: skip
    again = book().add(BOB, received(record(NEW), kind="resealed"), saw=[ALICE])
    yield ("moved-by-one", "One says so: the first counts.",
           again.add(BOB, erased([ROW, BLOB, NEW])), one())  # fmt: skip
    again = (book().add(BOB, received(record(NEW), kind="resealed"), saw=[ALICE])
             .add(BOB, received(record(NEWER), kind="resealed")))  # fmt: skip
    yield ("moved-twice", "And once more.",
           again.both(erased([ROW, NEW, NEWER])).both(erased([ROW, BLOB, NEW])),
           one([BLOB, NEW], received=[[ROW, NEWER]]))  # fmt: skip
    yield ("moved-in-a-circle", "Two planted reviewers let two blobs give way to each other.",
           book().both(erased([ROW, BLOB, NEW], [ROW, NEW, BLOB])),
           one([BLOB, NEW]))  # fmt: skip
    yield ("moved-from-elsewhere", "The blob that gives way does not stand for the row.",
           book().both(erased([ROW, NEW, NEWER])), one())  # fmt: skip
    mixed = book().add(BOB, received(record(NEW), kind="resealed"), saw=[ALICE])
    mixed.both(erased([ROW, BLOB, NEW])).both(erased([ROW, BLOB, NEWER]))
    yield ("moved-to-two", "Two blobs in its place: the least.",
           mixed, one([BLOB], received=[[ROW, NEW if NEW < NEWER else BLOB]]))  # fmt: skip
    yield ("row-of-another-case", "A row that was slipped into a case takes no other blob along.",
           book().add(BOB, received(record(NEW, ROW, OTHER)), saw=[ALICE])
           .both(erased([ROW, NEW, None])),
           Told({CASE: case(),
                 OTHER: case(received=[[ROW, NEW]], erased=True, hidden=True)},
                gone=[NEW]))  # fmt: skip
    decided_before = Book().add(CAROL, decided("triaged"))
    yield ("decided-before-it-was-ours", "Whose case it was is said where it was sealed again.",
           decided_before.add(ALICE, received(record(people=["carol"]), kind="resealed"),
                              saw=[CAROL]),
           Told({CASE: case(decisions=1, state="triaged")}, assigned={}))  # fmt: skip
    yield ("recorded-twice", "Of one row recorded twice, the blob counts that the import names.",
           Book().add(ALICE, received(record(NEW))).add(ALICE, received()).add(ALICE, imported()),
           one())  # fmt: skip
    yield ("recorded-first-without-words", "Words that were found later count more than none.",
           Book().add(ALICE, part(row(blob=None))).add(ALICE, part(row(blob=NEW)))
           .add(ALICE, received()).add(ALICE, received(record(NEW))),
           one(received=[[ROW, NEW]]))  # fmt: skip
    yield ("recorded-in-no-import", "The import was cut short: the first record counts.",
           Book().add(ALICE, received()).add(ALICE, received(record(NEW))),
           Told({CASE: case()}, assigned={}))  # fmt: skip
    given = {key_of(CASE): ["bob", "carol"]}
    yield ("given-by-one", "One wants other reviewers.",
           book().add(ALICE, erased(cases=given)), one())  # fmt: skip
    yield ("given", "Two want the same.", book().both(erased(cases=given)),
           one(names=["bob", "carol"]))  # fmt: skip
    back = {key_of(CASE): list(PEOPLE)}
    agreed = book().both(erased(cases=back)).both(erased(cases=given))
    yield "given-and-back", "Two want the first ones again.", agreed.both(erased(cases=back)), one()
    agreed = book().both(erased(cases=back)).both(erased(cases=given))
    yield ("given-and-back-by-one", "One wants them again: that two once did counts no more.",
           agreed.add(BOB, erased(cases=back)), one(names=["bob", "carol"]))  # fmt: skip
    agreed = book().add(ALICE, erased(cases=back)).both(erased(cases=given))
    yield ("given-and-wished-before", "What alice wanted before they agreed is no second voice.",
           agreed.add(BOB, erased(cases=back)), one(names=["bob", "carol"]))  # fmt: skip
    changed = book().add(ALICE, erased(cases=given)).add(ALICE, erased(cases=back))
    yield ("given-too-late", "Of each reviewer the last wish counts.",
           changed.add(BOB, erased(cases=given), saw=[ALICE]), one())  # fmt: skip
    yield ("given-in-another-order", "Two want the same, and say it in another order.",
           book().add(ALICE, erased(cases=given))
           .add(BOB, erased(cases={key_of(CASE): ["carol", "bob"]}), saw=[ALICE]),
           one())  # fmt: skip
    yield ("given-unknown", "Two want reviewers for a case that no import names.",
           book().both(erased(cases={key_of(OTHER): ["bob", "carol"]})), one())  # fmt: skip


def parts() -> Iterator[Row]:
    """Yield the same of files, which come in slices."""

    def told(*slices: Sequence[object], **other: Any) -> Told:  # noqa: ANN401 - fields of a case
        rows = {one[0]: named("blob", 1 + place) for place, one in enumerate(slices)}
        received = [[row_id, blob] for row_id, blob in rows.items()]
        made = case(slices=list(slices), received=received, **other)
        return Told({CASE: made}, assigned={})

    yield ("slice", "A slice of a file.", Book().add(ALICE, received(sliced())),
           told([ROW, FILE, 0, False, None]))  # fmt: skip
    yield ("slice-with-a-key", "The first slice of what its source had sealed with age.",
           Book().add(ALICE, received(sliced(key=FILE_KEY))),
           told([ROW, FILE, 0, False, FILE_KEY]))  # fmt: skip
    yield ("slice-and-end", "A file of one slice.",
           Book().add(ALICE, received(sliced(), sliced(1, MORE, NEW, end=True))),
           told([ROW, FILE, 0, False, None], [MORE, FILE, 1, True, None]))  # fmt: skip
    yield ("slice-end-of-nothing", "The end of a file without a byte.",
           Book().add(ALICE, received(sliced(end=True))),
           told([ROW, FILE, 0, True, None]))  # fmt: skip
    yield ("slice-largest", "The largest number.",
           Book().add(ALICE, received(sliced(10**15 - 1))),
           told([ROW, FILE, 10**15 - 1, False, None]))  # fmt: skip
    yield ("slice-of-no-file", "A slice of a shape that is none has no such field.",
           Book().add(ALICE, received(record(envelope="slice"))),
           Told({CASE: case()}, assigned={}))  # fmt: skip
    yield ("slice-resealed", "Sealed again, it says so again.",
           Book().add(ALICE, received(sliced()))
           .add(BOB, received(sliced(key=FILE_KEY), kind="resealed"), saw=[ALICE]),
           told([ROW, FILE, 0, False, None]))  # fmt: skip


def replies() -> Iterator[Row]:
    """Yield the same of what goes back to sources."""
    one_reply = [named("reply", 1, 16), "bob", 0]
    yield ("replied", "An answer, in Burmese.", book().add(BOB, replied(), saw=[ALICE]),
           one(replies=[one_reply], decisions=1))  # fmt: skip
    yield ("replied-longest", "1,000 code points outside the BMP.",
           book().add(BOB, replied("😀" * 1000), saw=[ALICE]),
           one(replies=[one_reply], decisions=1))  # fmt: skip
    yield ("replied-lines", "Text in Zawgyi's order, an emoji, a line feed; and a bidi control.",
           book().add(BOB, replied(f"\n{ZAWGYI}\n{EMOJI}\u202e\ufeff"), saw=[ALICE]),
           one(replies=[one_reply], decisions=1))  # fmt: skip
    yield ("replied-twice", "Nothing replaces an answer, and it replaces nothing.",
           book().add(BOB, replied(), saw=[ALICE]).add(BOB, decided("triaged"))
           .add(ALICE, replied(reply=2), saw=[BOB]),
           one(replies=[one_reply, [named("reply", 2, 16), "alice", 0]], state="triaged",
               decisions=3))  # fmt: skip
    yield ("replied-and-sent", "It went in a return, as did a notice.",
           book().add(BOB, replied(), saw=[ALICE])
           .add(BOB, acknowledged(7, heard=[key_of(CASE)], replies=[named("reply", 1, 16)])),
           Told({CASE: case(replies=[[*one_reply[:2], 7]], decisions=1)},
                heard={key_of(CASE): 7}, sent={named("reply", 1, 16): 7}))  # fmt: skip
    yield ("sent-again", "Of several returns the highest number counts, whatever came last.",
           book().add(BOB, acknowledged(9, heard=[key_of(CASE)], replies=[ROW]))
           .add(BOB, acknowledged(8, heard=[key_of(CASE)] * 2, replies=[ROW, MORE])),
           Told({CASE: case()}, heard={key_of(CASE): 9}, sent={ROW: 9, MORE: 8}))  # fmt: skip
    yield ("decoy-of-words", "Somebody calls a row with words a decoy: nothing follows.",
           book().add(BOB, {**part(), "decoys": {ROW: NONCE}}), one())  # fmt: skip
    yield ("sent-nothing", "Lists of nothing.",
           book().add(BOB, acknowledged(heard=[], replies=[])), one())  # fmt: skip
    same = book().add(BOB, received(record(NEW, MORE, OTHER)), saw=[ALICE])
    same.add(BOB, replied()).add(BOB, replied(), case=OTHER)
    yield ("replied-to-two-cases", "An id is one of its case.", same,
           Told({CASE: case(replies=[one_reply], decisions=1),
                 OTHER: case(received=[[MORE, NEW]], replies=[one_reply],
                             decisions=1)}))  # fmt: skip
    yield ("replied-and-withdrawn", "An answer stays a decision when the words are hidden.",
           book().add(BOB, replied(), saw=[ALICE]).add(BOB, WITHDRAWN),
           one(replies=[one_reply], hidden=True, withdrawing=["bob"], decisions=2))  # fmt: skip


def carried() -> Iterator[Row]:
    """Yield the same of events that were carried over."""
    closed = Book().add(ALICE, received()).add(ALICE, imported())
    closed.add(ALICE, decided("triaged"), closed=True)
    text = closed.lines[ALICE, 3]
    yield ("closed", "A decision that is closed to us.", closed, one())
    yield ("carried", "bob carries it.", carrying(text), one(state="triaged", decisions=1))
    twice = carrying(text).add(CAROL, {"events": [text, text], "kind": "carried"})
    yield ("carried-twice", "Others carry it too.", twice, one(state="triaged", decisions=1))
    nested = carrying(text)
    inner = nested.chains[BOB][0][1]
    nested.chains[BOB][0][1] = None
    nested.add(CAROL, {"events": [inner], "kind": "carried"})
    yield ("carried-in-carried", "What a carried event carries is not unpacked.", nested, one())
    late = carrying(text)
    late.add(ALICE, decided("contacted"), hash="00" * 32)
    yield ("carried-keeps-its-place", "It stands where its frame stands, before what came later.",
           late, one(state="contacted", decisions=2))  # fmt: skip


def carrying(*texts: object) -> Book:
    """Return the casebook with a closed third event, and bob's event that carries these."""
    made = book().add(ALICE, decided("triaged"), closed=True)
    return made.add(BOB, {"events": list(texts), "kind": "carried"})


def versions() -> Iterator[Row]:
    """Yield casebooks that are named as damaged, each behind what says so."""
    other = f"{ALICE}~1a2b3c4d"
    parts = book().add(ALICE, decided("triaged"))
    parts.add(other, received()).add(other, decided("rejected"))
    told = Told({CASE: case(state="triaged", decisions=1)}, named={"parted": ALICE})
    yield "versions", "Two versions of a chain: more events that are read count.", parts, told
    parts = book().add(ALICE, decided("triaged"), hash="0a" * 32)
    parts.add(other, received()).add(other, imported())
    parts.add(other, decided("rejected"), hash="0b" * 32)
    told = Told({CASE: case(state="rejected", decisions=1)}, named={"parted": ALICE})
    yield "versions-by-hash", "As many events, as many frames: the greater hash.", parts, told
    parts = book().add(ALICE, decided("triaged"), hash="0b" * 32)
    parts.add(other, received()).add(other, imported())
    parts.add(other, decided("rejected"), hash="0a" * 32)
    parts.add(other, WITHDRAWN, closed=True)
    told = Told({CASE: case(state="rejected", decisions=1)}, named={"parted": ALICE})
    yield "versions-by-frames", "As many events, one frame more.", parts, told


def refused() -> Iterator[tuple[str, str, str, str, Book, Told]]:
    """Yield name, rule, what is said, comment, casebook, and what comes out all the same."""
    for name, comment, made, told in versions():
        yield name, "12.1", PARTS, comment, made, told
    seen = book().add(BOB, decided("triaged"), saw={ALICE: [3, "00" * 32]})
    told = Told({CASE: case(state="triaged", decisions=1)}, named={"lost": ALICE})
    yield "lost", "12.1", SEEN, "bob saw an event of alice's that is not here.", seen, told
    text = book().add(ALICE, decided("triaged")).lines[ALICE, 3]
    bad = Told({CASE: case()}, named={"carrying": f"{BOB}:1"})
    for name, comment, item in (
        ("carried-altered", "A letter is another.", text.replace("triaged", "partial")),
        ("carried-null", "null is no event.", None),
        ("carried-empty", "No byte.", ""),
        ("carried-third-line", "Something follows.", text + "x"),
        ("carried-no-line-feed", "Line 2 is not ended.", text[:-1]),
        ("carried-of-no-chain", "A chain that is not here.",
         Book().add("carol.desk-a", decided("triaged")).lines["carol.desk-a", 1]),
    ):  # fmt: skip
        yield name, "12.1", CARRIES, comment, carrying(item), bad
    made = book().add(ALICE, decided("triaged"), closed=True)
    made.add(BOB, {"events": {"0": text}, "kind": "carried"})
    yield "carried-object", "12.1", CARRIES, "An object for a list.", made, bad
    for name, comment, events in (
        ("carried-nothing", "No field events.", {}),
        ("carried-number", "A number for a list.", {"events": 1}),
        ("carried-text", "A text for a list.", {"events": text}),
    ):
        made = book().add(ALICE, decided("triaged"), closed=True)
        made.add(BOB, {"kind": "carried", **events})
        yield name, "12.1", CARRIES, comment, made, bad
    for name, comment, item in (
        ("carried-another", "alice signed two events of one number; this one was read.",
         Book().add(ALICE, received(record(NEW))).lines[ALICE, 1]),
        ("carried-with-another-head", "And so here: the heads differ.",
         Book().add(ALICE, received(), saw={BOB: [0, ZERO]}).lines[ALICE, 1]),
        ("carried-elsewhere", "It follows another event than stands there.",
         book().add(ALICE, decided("triaged"), previous="11" * 32).lines[ALICE, 3]),
    ):  # fmt: skip
        yield name, "12.1", ANOTHER, comment, carrying(item), bad

    out = Told({CASE: case()}, named={"left-out": f"{BOB}:1"})
    odd: list[tuple[str, str, What, dict[str, Any]]] = [
        ("kind-unknown", "A kind from the future.", {"kind": "future"}, {}),
        ("state-unknown", "No such state.", decided("certified"), {}),
        ("state-null", "null is no state.", {**decided("triaged"), "state": None}, {}),
        ("state-list", "A list of states.", {**decided("triaged"), "state": ["triaged"]}, {}),
        ("decided-field", "A field more.", {**decided("triaged"), "on": True}, {}),
        ("decided-without-note", "No note.", {"kind": "decided", "state": "triaged"}, {}),
        ("note-long", "1,001 code points.", decided("triaged", "က" * 1001), {}),
        ("note-null", "null is no note.", {**decided("triaged"), "note": None}, {}),
        ("grounds-of-another", "A ground of another state.", decided("triaged"),
         {"grounds": ["vouched"]}),
        ("grounds-unknown", "No such ground.", decided("triaged"), {"grounds": ["because"]}),
        ("grounds-number", "A number is no ground.", decided("triaged"), {"grounds": [1]}),
        ("grounds-of-received", "Received has no grounds.", decided("received"),
         {"grounds": ["other"]}),
        ("grounds-of-withdrawn", "Withdrawn has no grounds.", WITHDRAWN, {"grounds": ["other"]}),
        ("withdrawn-field", "A field more.", {**WITHDRAWN, "on": False}, {}),
        ("mark-unknown", "No such mark.", marked("withdrawn"), {}),
        ("mark-null", "null is no mark.", {**marked("inside"), "mark": None}, {}),
        ("mark-number", "1 is not true.", {**marked("inside"), "on": 1}, {}),
        ("mark-of", "Only a duplicate is one of another.", marked("inside", of=OTHER), {}),
        ("duplicate-without-of", "A duplicate of nothing.", marked("duplicate"), {}),
        ("duplicate-of-short", "15 bytes.", marked("duplicate", of=OTHER[2:]), {}),
        ("duplicate-of-upper-case", "Hex in upper case.", marked("duplicate", of="AB" * 16), {}),
        ("case-null", "A decision about no case.", decided("triaged"), {"case": None}),
        ("case-unknown", "A decision about a case that is not here.", decided("triaged"),
         {"case": OTHER}),
        ("part-manifest", "31 bytes.", {**part(), "manifest": MANIFEST[2:]}, {}),
        ("part-verdict", "No such verdict; and the row before it does not count either.",
         part(row(MORE, NEW), row(verdict="new")), {}),
        ("part-row-of-five", "Something after the blob.", part([*row(), None]), {}),
        ("part-rows-object", "An object for a list.", {**part(), "rows": {}}, {}),
        ("part-cases-list", "A list for an object.", {**part(), "cases": []}, {}),
        ("decoys-list", "A list for an object.", {**part(), "decoys": [ROW]}, {}),
        ("decoys-null", "null is no object.", {**part(), "decoys": None}, {}),
        ("decoys-row", "15 bytes.", {**part(), "decoys": {ROW[2:]: NONCE}}, {}),
        ("decoys-nonce", "31 bytes.", {**part(), "decoys": {ROW: NONCE[2:]}}, {}),
        ("decoys-nonce-null", "null is no nonce.", {**part(), "decoys": {ROW: None}}, {}),
        ("part-names-text", "A text of one-letter names.",
         part(cases={key_of(OTHER): "ab"}), {}),
        ("import-count-false", "false is not 0.", imported(count=False), {}),
        ("import-without-left", "No left.",
         {key: value for key, value in imported().items() if key != "left"}, {}),
        ("import-keyring-version", "A keyring before the first.",
         imported(keyring=[-1, KEYRING[1]]), {}),
        ("import-period", "A period that would look like a line of a report.",
         imported(period="2026-w47\nAll is well"), {}),
        ("received-rows-text", "No list.", {**received(), "rows": ""}, {}),
        ("received-assigned-text", "A text of one-letter names.",
         {**received(), "assigned": "ab"}, {}),
        ("received-one-bad", "The second of two is bad: neither counts.",
         received(record(NEW, MORE, OTHER), record(day="2026-11-31")), {}),
        ("received-envelope", "A kind that is no name.", received(record(envelope="Words!")), {}),
        ("received-keyring-of-three", "Something after the hash.",
         received(record(keyring=[*KEYRING, 1])), {}),
        ("acknowledged-far", "A number 1,001 above the last.",
         {**FACTS["what"], "number": 1001, "rows": []}, {}),
        ("acknowledged-true", "true is no number.",
         {**FACTS["what"], "number": True, "rows": []}, {}),
        ("heard-null", "null is no list.", acknowledged(heard=None), {}),
        ("heard-object", "An object for a list.", acknowledged(heard={}), {}),
        ("heard-short", "31 bytes.", acknowledged(heard=[key_of(CASE)[2:]]), {}),
        ("heard-tag", "A tag, which is for no one else.", acknowledged(heard=[CASE]), {}),
        ("sent-text", "A text for a list.", acknowledged(replies=""), {}),
        ("sent-short", "15 bytes.", acknowledged(replies=[ROW[2:]]), {}),
        ("sent-upper-case", "Hex in upper case.", acknowledged(replies=["AB" * 16]), {}),
        ("sent-number", "A number is no id.", acknowledged(replies=[1]), {}),
        *((f"slice-{name}", comment, received(sliced(**other)), {})
          for name, comment, other in SLICES),
        ("slice-null", "null is no slice.", received(record(envelope="slice", slice=None)), {}),
        ("slice-list", "A list is no slice.",
         received(record(envelope="slice", slice=[FILE, 0, False, None])), {}),
        *((f"slice-without-{key}", f"No {key}.", received(record(envelope="slice", slice={
            name: value for name, value in sliced()["slice"].items() if name != key})), {})
          for key in ("end", "file", "key", "number")),
        ("slice-of-words", "Words are no slice.",
         received({**sliced(), "envelope": "words"}), {}),
        ("slice-resealed-bad", "The same when words are sealed again.",
         received(sliced(number=-1), kind="resealed"), {}),
        ("replied-empty", "Nothing is answered.", replied(""), {}),
        ("replied-white-space", "White space is no answer.", replied(" \n\u3000\u2028 "), {}),
        ("replied-long", "1,001 code points.", replied("က" * 1001), {}),
        ("replied-escape", "A control character.", replied("a\x1b[31m"), {}),
        ("replied-tab", "Another control character.", replied("a\tb"), {}),
        ("replied-c1", "One of the second row.", replied("a\x9b31m"), {}),
        ("replied-note-null", "null is no answer.", {**replied(), "note": None}, {}),
        ("replied-note-list", "A list is no answer.", {**replied(), "note": [BURMESE]}, {}),
        ("replied-without-id", "No id.", {"kind": "replied", "note": BURMESE}, {}),
        ("replied-id-null", "null is no id.", replied(id=None), {}),
        ("replied-id-short", "15 bytes.", replied(id=ROW[2:]), {}),
        ("replied-id-upper-case", "Hex in upper case.", replied(id="AB" * 16), {}),
        ("replied-field", "A field more.", replied(on=True), {}),
        ("replied-grounds", "Answers have no grounds.", replied(), {"grounds": ["other"]}),
        ("replied-case-null", "An answer to nobody.", replied(), {"case": None}),
        ("erased-row-of-two", "No blob in its place, nor null.", erased([ROW, BLOB]), {}),
        ("erased-one-bad", "The second of two is bad: neither counts.",
         erased([ROW, BLOB, None], [ROW, BLOB, ""]), {}),
        ("erased-without-cases", "No cases.", {"kind": "erased", "rows": []}, {}),
    ]  # fmt: skip
    for name, comment, what, other in odd:
        rule = "12.3" if what.get("kind") in DECISIONS else "12.2"
        yield name, rule, SENSE, comment, book().add(BOB, what, saw=[ALICE], **other), out
    made = book().add(ALICE, erased([ROW, BLOB, None]))
    made.add(BOB, erased([ROW, BLOB, None], [ROW, BLOB, ""]), saw=[ALICE])
    comment = "A second voice in an event that makes no sense is none."
    yield "erased-by-one-and-a-half", "12.2", SENSE, comment, made, out
    stranger = Told({CASE: case()}, named={"left-out": f"{CAROL}:1"})
    made = book().add(CAROL, decided("triaged"), saw=[ALICE])
    yield "stranger", "12.3", SENSE, "carol was never assigned.", made, stranger
    what = received(record(NEW), kind="resealed", assigned=["bob", "carol"])
    made = book().add(CAROL, what, saw=[ALICE])
    comment = "carol, who was never assigned, seals the words again."
    yield "stranger-reseals", "12.3", SENSE, comment, made, stranger
    made = book().add(CAROL, replied(), saw=[ALICE])
    yield "replied-by-a-stranger", "12.3", SENSE, "carol was never assigned.", made, stranger
    made = book().add(ALICE, replied()).add(BOB, replied("စာ"), saw=[ALICE])
    told = Told(
        {CASE: case(replies=[[named("reply", 1, 16), "alice", 0]], decisions=1)},
        named={"left-out": f"{BOB}:1"},
    )
    comment = "A second answer under an id that the case has."
    yield "replied-id-doubled", "12.3", SENSE, comment, made, told
    early = Book().add(BOB, decided("triaged"), hash="00" * 32).add(ALICE, received())
    comment = "Who decides without having seen the case comes before it."
    told = Told({CASE: case()}, assigned={}, named={"left-out": f"{BOB}:1"})
    yield "too-early", "12.3", SENSE, comment, early, told


def vectors() -> Iterator[Vector]:
    """Yield all of them."""
    for rows in (states(), marks(), words(), parts(), replies(), carried()):
        for name, comment, made, told in rows:
            yield _vector(name, comment, made, told)
    for name, rule, says, comment, made, told in refused():
        base = "carried" if says in {CARRIES, ANOTHER} else "received"
        yield _vector(name, comment, made, told, (rule, says, base))


def _vector(
    name: str, comment: str, made: Book, told: Told, why: Sequence[str] = ("", "", "")
) -> Vector:
    rule, says, base = why
    return Vector(
        kind="casebook",
        name=name,
        comment=comment,
        body=canonical.dump(made.chains),
        rule=rule,
        says=says,
        base=base,
        facts={"keyring": "quorum-of-all", **told.headers()},
    )
