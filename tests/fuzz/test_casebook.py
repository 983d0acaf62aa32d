"""The casebook: chains, events, blobs, and the small files beside them.

What a planted reviewer signed is behind a right signature and a right seal, and may say anything.
What comes out is held to this: no event that nobody signed, nothing but names in a fault, and
damage that is named. The fold over the events is part of each reading.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from intake import canonical, envelope, files, keyring
from intake.age.sealing import seal
from intake.desk import casebook, chain, deciding, merging, reading, record
from intake.desk.casebook import Casebook
from intake.desk.cases import MARKS, STATES, Received
from intake.desk.chain import NONE, Chain, Event
from intake.desk.state import VERDICTS, State, fold
from intake.errors import BadFile, BadKeyring, Misuse
from intake.keyring import NAME
from tests.desk_maker import deployment, sealed_row
from tests.fuzz.mutations import FEW, Made, Reader, Way, inside, outside, put, tiers
from tests.fuzz.test_keyring import Remembering
from tests.makers import FIRST

MADE = deployment()
ALICE, BOB = MADE.reviewers["alice"], MADE.reviewers["bob"]
KEY = ALICE.quarters["2026q4"]
TO_ALICE = [KEY.recipient()]
CHAIN = "alice.desk-a"
ROW = sealed_row("a form", made=MADE)
SALT = bytes(32)
BLOB = record.blob_name(SALT, ROW.plaintext)
CASE = record.case_key(ROW.case).hex()
UNDER = (1, MADE.keyring.sha256)
KEYRING = (1, MADE.keyring.sha256.hex())
ROWS = [[ROW.entry.id.hex(), ROW.entry.sha256.hex(), "ok", BLOB.hex()]]
WHAT: list[dict[str, Any]] = [
    {
        "assigned": ["alice", "bob"],
        "kind": "received",
        "rows": [
            {
                "blob": BLOB.hex(),
                "case": ROW.case.hex(),
                "day": FIRST.isoformat(),
                "envelope": envelope.TESTIMONY,
                "id": ROW.entry.id.hex(),
                "keyring": KEYRING,
                "salt": SALT.hex(),
            }
        ],
    },
    {"kind": "part", "manifest": "11" * 32, "rows": ROWS, "cases": {CASE: ["alice", "bob"]}},
    {
        "bundle": 1,
        "cases": {CASE: ["alice", "bob"]},
        "count": 1,
        "keyring": KEYRING,
        "kind": "import",
        "left": 0,
        "manifest": "11" * 32,
        "period": "2026-w47",
        "previous": "00" * 32,
        "rows": ROWS,
    },
    {
        "kind": "acknowledged",
        "list": "22" * 32,
        "manifest": "33" * 32,
        "number": 1,
        "rows": [ROWS[0][:2]],
        "signers": ["alice", "bob"],
    },
    {"kind": "decided", "note": "ရဲဘော် 😀 \u202e", "state": "verified"},
    {"kind": "marked", "mark": "coercion", "note": "", "on": True},
    {"kind": "marked", "mark": "duplicate", "note": "", "of": "55" * 16, "on": True},
    {"kind": "withdrawn", "note": ""},
    {
        "kind": "erased",
        "cases": {CASE: ["bob", "carol"]},
        "rows": [[*ROWS[0][:1], BLOB.hex(), None]],
    },
]
WHAT.insert(-1, {**WHAT[0], "kind": "resealed"})
GROUNDS = {"decided": ["vouched", "other"], "marked": ["other"]}


def signed(line: bytes, who: Any = ALICE) -> bytes:  # noqa: ANN401 - a reviewer's keys
    """Return an event's plaintext."""
    mark: bytes = who.signing.sign(b"intake event 1\n" + line)
    return line + b"\n" + mark.hex().encode() + b"\n"


def frame(sealed: bytes) -> bytes:
    return b"%08x\n%b\n" % (len(sealed), sealed)


def written() -> tuple[list[bytes], list[bytes]]:
    """Return the lines of a chain's events, and its frames."""
    lines: list[bytes] = []
    frames: list[bytes] = []
    previous = NONE
    for number, what in enumerate(WHAT, 1):
        heads = {"bob.desk-b": (number, bytes(32)), "carol.desk-a": (2, bytes(32))}
        case = ROW.case if what["kind"] in {*GROUNDS, "withdrawn"} else None
        grounds = GROUNDS.get(what["kind"], [])
        event = Event(CHAIN, MADE.deployment, number, previous, FIRST, case, what, heads, grounds)
        lines.append(event.line())
        sealed = seal(signed(lines[-1]), TO_ALICE)
        previous = hashlib.sha256(sealed).digest()
        frames.append(frame(sealed))
    return lines, frames


LINES, FRAMES = written()
WHOLE = b"".join(FRAMES)


def event_way(number: int, by_alice: set[bytes]) -> Way:
    """Return the way that changes one event, signs it again and seals it into its place."""

    def wrap(line: bytes, variant: int) -> bytes:
        stranger = variant % 17 == 0
        by_alice.update([] if stranger else [line])
        plaintext = signed(line, BOB if stranger else ALICE)
        plaintext += b"\n" * (variant % 19 == 0)
        changed = frame(seal(plaintext, TO_ALICE))
        frames = [*FRAMES[:number], changed, *FRAMES[number + 1 :]]
        return Made.of(b"".join(frames), plaintext, signed(LINES[number]))

    return inside(json.loads(LINES[number]), wrap)


def sensible(state: State) -> bool:
    """Return whether all that the fold says has the form that it promises."""
    names = {name for case in state.cases.values() for name in case.assigned}
    names |= {name for _, people in state.assigned.values() for name in people}
    names |= {bundle.period for bundle in state.bundles.values()}
    for case in state.cases.values():
        names |= case.people | case.voices | case.withdrawing
        assert case.state in STATES
        assert case.marks <= MARKS.keys()
        assert {one.author for one in case.decisions} <= case.people
        assert (case.state == "verified") <= (len(case.voices) > 1)
        assert not case.erased  # of whatever alice says alone
    return (
        not state.gone
        and not state.moved
        and all(map(NAME.match, names))
        and all(row.verdict in VERDICTS for row in state.rows.values())
        and all(map(str.isprintable, state.faults))
        and type(state.number) is int
    )


def told(event: Event) -> bool:
    """Return whether an event is one that was signed, and of the declared types."""
    heads = [(chain, type(n), len(h)) for chain, (n, h) in event.heads.items()]
    return (
        (type(event.sequence), type(event.what), type(event.grounds)) == (int, dict, list)
        and all(n is int and size == 32 for _, n, size in heads)
        and event.chain == CHAIN
    )


@tiers(FEW)
def test_a_chain(tmp_path: Path, count: int) -> None:
    path = tmp_path / CHAIN
    bob = frame(seal(signed(LINES[0]), [BOB.quarters["2026q4"].recipient()]))

    def read(data: bytes) -> tuple[Chain, State]:
        found = chain.read(put(path, data or b"x"), [KEY], [MADE.keyring])
        return found, fold({CHAIN: found})

    signed_by_alice: set[bytes] = set()

    def same(found: tuple[Chain, State], data: bytes) -> bool:
        """Every event was signed by alice; whatever else is otherwise is named or counted."""
        got = found[0]
        new = {event.line() for event in got.events.values()} - set(LINES)
        sound = all(map(told, got.events.values())) and sensible(found[1])
        named = bool(got.faults or got.closed) or WHOLE.startswith(data) or bool(new)
        return sound and named and new <= signed_by_alice

    ways = [event_way(number, signed_by_alice) for number in range(len(WHAT))]
    Reader(
        valid=WHOLE,
        read=read,
        same=same,
        ways=[outside(WHOLE, bob), *ways],
        refused=(BadFile,),
    ).fuzz(count)


@tiers(FEW)
def test_events_that_were_carried_over(tmp_path: Path, count: int) -> None:
    """Bob carries alice's events, which are closed to carol: what she did not sign is not used."""
    closed = [frame(seal(signed(line), TO_ALICE)) for line in LINES]
    hashes = [hashlib.sha256(sealed[9:-1]).digest() for sealed in closed]
    key, lines, before = BOB.quarters["2026q4"], [], NONE
    for line, digest in zip(LINES, hashes, strict=True):
        lines.append(canonical.dump({**json.loads(line), "previous": before}))
        before = digest
    put(tmp_path / CHAIN, b"".join(closed))
    event = {**json.loads(LINES[0]), "author": "bob", "heads": {}}
    signed_by_alice = set(lines)

    def carrier(texts: object) -> bytes:
        what = {"events": texts, "kind": "carried"}
        return signed(canonical.dump({**event, "what": what}), BOB)

    def read(plaintext: bytes) -> tuple[dict[int, Event], int, State]:
        sealed = frame(seal(plaintext, [key.recipient()]))
        chains = {
            path.name: chain.read(path, [key], [MADE.keyring])
            for path in (tmp_path / CHAIN, put(tmp_path / "bob.desk-a", sealed))
        }
        chain.carry(chains, [MADE.keyring])
        return chains[CHAIN].events, chains[CHAIN].closed, fold(chains)

    def same(found: tuple[dict[int, Event], int, State], _: bytes) -> bool:
        events, shut, state = found
        return (
            {event.line() for event in events.values()} <= signed_by_alice
            and all(map(told, events.values()))
            and all(number == event.sequence for number, event in events.items())
            and shut == len(lines) - len(events)
            and sensible(state)
        )

    def carried(number: int) -> Way:
        """Return the way that changes one of alice's events, and signs it again or not."""

        def wrap(line: bytes, variant: int) -> bytes:
            signed_by_alice.update([line] if variant % 3 else [])
            mine = signed(line, ALICE if variant % 3 else BOB)
            texts = [signed(one) for one in lines]
            texts[number] = mine
            return carrier([text.decode("utf-8", "replace") for text in texts])

        return inside(json.loads(lines[number]), wrap)

    valid = carrier([signed(line).decode() for line in lines])
    what = {"events": [signed(line).decode() for line in lines], "kind": "carried"}
    Reader(
        valid=valid,
        read=read,
        same=same,
        ways=[
            inside({**event, "what": what}, lambda line, _: signed(line, BOB)),
            *map(carried, range(len(lines))),
        ],
        refused=(BadFile,),
    ).fuzz(count)


@tiers(FEW // 10)
def test_a_chain_of_another_desk(tmp_path: Path, count: int) -> None:
    """Whatever a stick brings in alice's name, what is here stays, and it is taken once."""
    ours = b"".join(FRAMES[:2])
    book = casebook.Casebook(tmp_path, "desk-b", [MADE.keyring])
    theirs, chains = tmp_path / CHAIN, tmp_path / "chains"
    chains.mkdir()

    def read(data: bytes) -> dict[str, bytes]:
        for path in chains.iterdir():
            path.unlink()
        put(chains / CHAIN, ours)
        put(theirs, data)
        merging._chain(book, theirs, merging.Merged(State()))
        files = {path.name: path.read_bytes() for path in chains.iterdir()}
        again = merging.Merged(State())
        merging._chain(book, theirs, again)
        assert (again.grown, again.parted) == (0, 0)
        assert files == {path.name: path.read_bytes() for path in chains.iterdir()}
        whole = max((end for end, _ in chain.frames(data)), default=0)
        for more in FRAMES[2:5]:  # it goes on in three ways
            put(theirs, data[:whole] + more)
            merging._chain(book, theirs, merging.Merged(State()))
            there = [path.read_bytes() for path in chains.iterdir()]
            assert any(one.startswith(data[:whole] + more) for one in there)
        return files

    def kept(found: dict[str, bytes], data: bytes) -> bool:
        whole = max((end for end, _ in chain.frames(data)), default=0)
        return (
            len(found) <= 2
            and found[CHAIN].startswith(ours)
            and any(one.startswith(data[:whole]) for one in found.values())
            and all(casebook._CHAIN.match(name) for name in found)
        )

    Reader(
        valid=WHOLE,
        read=read,
        same=kept,
        ways=[outside(WHOLE, frame(b"age-encryption.org/v1\n"))],
        refused=(BadFile,),
    ).fuzz(count)


@tiers(FEW)
def test_the_drafts_of_a_reviewer(tmp_path: Path, count: int) -> None:
    """Nothing will be signed that was not written with the reviewer's own key."""
    book = Casebook(tmp_path, "desk-a", [MADE.keyring])
    what = {"note": "ရဲဘော် 😀", "state": "verified"}
    pending = [[ROW.case.hex(), "decided", what, ["vouched"]]]
    facts = {"format": deciding.FORMAT, "pending": pending, "seen": [ROW.case.hex()]}
    (tmp_path / "drafts").mkdir()
    mine: set[bytes] = set()

    def sealed(line: bytes, variant: int) -> bytes:
        stranger = variant % 3 == 0
        mine.update([] if stranger else [line])
        mark = deciding._tag(BOB.quarters["2026q4"] if stranger else KEY, line)
        plaintext = line + b"\n" + mark + b"\n" * (1 + (variant % 19 == 1))
        return Made.of(seal(plaintext, TO_ALICE), plaintext, sealed_facts)

    def read(data: bytes) -> list[deciding.Draft]:
        put(tmp_path / "drafts" / CHAIN, data)
        return deciding.Drafts.load(book, "alice", [KEY]).pending

    line = canonical.dump(facts)
    sealed_facts = line + b"\n" + deciding._tag(KEY, line) + b"\n"
    valid = seal(sealed_facts, TO_ALICE)

    def written(found: list[deciding.Draft], data: bytes) -> bool:
        return not found or not isinstance(data, Made) or data.inside.split(b"\n")[0] in mine

    Reader(
        valid=valid,
        read=read,
        same=written,
        ways=[outside(valid, FRAMES[0][9:-1]), *[inside(facts, sealed)] * 2],
        reached=["was not written by alice"],
    ).fuzz(count)


@tiers(FEW)
def test_casebook_json(tmp_path: Path, count: int) -> None:
    facts = {"deployment": MADE.deployment.hex(), "desk": "desk-a", "format": casebook.FORMAT}
    (tmp_path / "keyrings").mkdir()
    files.write(tmp_path / "keyrings" / "000001", MADE.raw)

    def read(data: bytes) -> str:
        put(tmp_path / "casebook.json", data)
        return casebook.load(tmp_path).desk

    Reader(
        valid=canonical.dump(facts),
        read=read,
        same=lambda found, data: canonical.dump({**facts, "desk": found}) == data,
        ways=[outside(canonical.dump(facts), MADE.raw), *[inside(facts)] * 2],
        reached=["is damaged", "not canonical", "unknown fields"],
    ).fuzz(count)


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in ``test_keyring``: a recipient that was read once is remembered."""
    monkeypatch.setattr(keyring, "Recipient", Remembering)


@tiers(FEW)
def test_the_note_of_an_append_that_was_cut_short(tmp_path: Path, count: int) -> None:
    """It names a chain and a place: no other file is cut, nor that one elsewhere."""
    (tmp_path / "chains").mkdir()
    before, added = b"frames " * 9, b"what is added"
    facts = [CHAIN, len(before), len(before) + len(added), hashlib.sha256(added).hexdigest()]

    def read(data: bytes) -> bytes:
        put(tmp_path / "appending", data)
        put(tmp_path / "other", before)
        chain = put(tmp_path / "chains" / CHAIN, before + added[:-1] + b"?")
        record.undo(tmp_path)
        assert (tmp_path / "other").read_bytes() == before
        return chain.read_bytes()

    def named(found: bytes, data: bytes) -> bool:
        whole = before + added[:-1] + b"?"
        said = b"%d" % len(found) in data or b"true" in data  # which is 1 to Python
        return whole.startswith(found) and (found == whole or said)

    Reader(
        valid=canonical.dump(facts),
        read=read,
        same=named,
        ways=[outside(canonical.dump(facts), WHOLE), *[inside(facts)] * 2],
        reached=["not canonical"],
    ).fuzz(count)


@tiers(FEW)
def test_the_note_of_an_import_that_was_cut_short(tmp_path: Path, count: int) -> None:
    """It names blobs to delete: those that it names are, and no others."""
    blobs = [bytes([n]) * 32 for n in range(4)]
    frame = b"00000016\nage-encryption.org/v1\n\n"
    (tmp_path / "chains").mkdir()
    put(tmp_path / "chains" / CHAIN, frame * 3)
    facts = [
        CHAIN,
        2 * len(frame),
        [blobs[0].hex()],
        [blob.hex() for blob in blobs[1:3]],
        [blobs[3].hex()],
    ]

    def read(data: bytes) -> list[int]:
        put(tmp_path / "importing", data)
        for blob in blobs:
            record.blob_path(tmp_path, blob).parent.mkdir(parents=True, exist_ok=True)
            put(record.blob_path(tmp_path, blob), b"words")
        record.tidy(tmp_path)
        return [n for n, blob in enumerate(blobs) if record.blob_path(tmp_path, blob).exists()]

    def named(found: list[int], data: bytes) -> bool:
        return all(blobs[n].hex().encode() in data for n in set(range(4)) - set(found))

    Reader(
        valid=canonical.dump(facts),
        read=read,
        same=named,
        ways=[outside(canonical.dump(facts), WHOLE), *[inside(facts)] * 2],
        reached=["not canonical"],
    ).fuzz(count)


@tiers(FEW)
def test_a_blob(tmp_path: Path, count: int) -> None:
    """Words that are not those that the event names are never shown, in whatever seal."""
    event = Event(CHAIN, MADE.deployment, 1, NONE, FIRST, ROW.case, WHAT[0], {})
    received = Received(
        ROW.entry.id,
        envelope.TESTIMONY,
        FIRST,
        BLOB,
        SALT,
        (1, MADE.keyring.sha256),
        (),
        ROW.case,
        event,
    )
    path = record.blob_path(tmp_path, BLOB)
    path.parent.mkdir(parents=True)
    valid = seal(ROW.plaintext, TO_ALICE)
    line = json.loads(ROW.plaintext.partition(b"\n")[0])

    def sealed(data: bytes, _: int) -> bytes:
        words = (data + b"\n").ljust(envelope.PLAINTEXT)
        return Made.of(seal(words, TO_ALICE), words, ROW.plaintext)

    Reader(
        valid=valid,
        read=lambda data: reading.open_words(put(path, data).parents[2], received, [KEY]),
        same=lambda *_: False,
        ways=[outside(valid, ROW.sealed, 1700), inside(line, sealed)],
        reached=["missing or damaged", "None of the identities"],
        accepts=False,
    ).fuzz(count)


@tiers(FEW)
def test_words_whose_name_was_made_to_fit(tmp_path: Path, count: int) -> None:
    """A planted author names any words: they are shown only as what the event says of them."""
    valid = ROW.plaintext
    line = json.loads(valid.partition(b"\n")[0])
    event = Event(CHAIN, MADE.deployment, 1, NONE, FIRST, ROW.case, WHAT[0], {})

    def read(data: bytes) -> envelope.Envelope:
        name = record.blob_name(SALT, data)
        received = Received(
            ROW.entry.id,
            envelope.TESTIMONY,
            FIRST,
            name,
            SALT,
            (1, MADE.keyring.sha256),
            (),
            ROW.case,
            event,
        )
        path = record.blob_path(tmp_path, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, seal(data, TO_ALICE))
        try:
            return reading.open_words(tmp_path, received, [KEY])
        finally:
            path.unlink()

    Reader(
        valid=valid,
        read=read,
        same=lambda found, data: found.plaintext() == data,
        ways=[
            outside(valid, dense=700),
            *[inside(line, lambda data, _: (data + b"\n").ljust(envelope.PLAINTEXT))] * 2,
        ],
        reached=["recorded one envelope as what it is not", "is not an envelope"],
    ).fuzz(count)


@tiers(FEW // 10, fast=20)
def test_a_keyring_of_the_casebook(tmp_path: Path, count: int) -> None:
    facts = {"deployment": MADE.deployment.hex(), "desk": "desk-a", "format": casebook.FORMAT}
    (tmp_path / "keyrings").mkdir()
    files.write(tmp_path / "casebook.json", canonical.dump(facts))

    def read(data: bytes) -> Casebook:
        put(tmp_path / "keyrings" / "000001", data)
        return casebook.load(tmp_path)

    Reader(
        valid=MADE.raw,
        read=read,
        same=lambda found, data: found.keyring == keyring.parse(data),
        ways=[outside(MADE.raw), inside(MADE.draft, lambda data, _: data + MADE.raw[-280:])],
        refused=(BadFile, BadKeyring, Misuse),
        accepts=False,
    ).fuzz(count)
