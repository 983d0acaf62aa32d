"""The state of a case: what decisions say that were made apart, at several desks.

Rules:
- Random histories are folded as events that nobody sealed, for the fold asks nothing of the seal;
  the last tests are of real chains on two desks.
- What must come out is computed here anew, from who knew what, by definition and not by a fold:
  so the order in which a fold comes to events, and the hashes that decide it, must not matter.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake import days
from intake.age.passphrase import Passphrase
from intake.desk import casebook, cases, deciding, merging
from intake.desk.cases import GROUNDS, MARKS, OFFERED, STATES, Case, named
from intake.desk.chain import NONE, Chain, Event, Heads
from intake.desk.present import Present
from intake.desk.record import blob_path
from intake.desk.state import State, fold
from intake.errors import Misuse
from tests.desk_maker import Desk, sealed_row
from tests.makers import FIRST

TAG = b"\x01" * 16
PEOPLE = ("alice", "bob", "carol")  # dave was never assigned
AUTHORS = (*PEOPLE, "dave")
DESKS = ("desk-a", "desk-b", "desk-c")
What = Mapping[str, Any]
ROW: What = {
    "blob": "22" * 32,
    "case": TAG.hex(),
    "day": "2026-11-16",
    "envelope": "testimony",
    "id": "33" * 16,
    "keyring": [1, "44" * 32],
    "salt": "55" * 32,
}


@dataclass
class World:
    """Chains under construction, and the heads that each desk has."""

    chains: dict[str, Chain] = field(default_factory=dict)
    seen: dict[str, dict[str, int]] = field(default_factory=dict)
    salt: str = ""

    def write(
        self,
        author: str,
        desk: str,
        what: What,
        case: bytes | None = TAG,
        heads: Heads | None = None,
    ) -> None:
        """Add an event of an author at a desk, who knows what the desk knows, or claims another."""
        name = f"{author}.{desk}"
        chain = self.chains.setdefault(name, Chain(name))
        known = self.seen.setdefault(desk, {})
        if heads is None:
            others = {one: number for one, number in known.items() if one != name}
            heads = {
                one: (number, self.chains[one].hashes[number]) for one, number in others.items()
            }
        number, before = chain.last + 1, chain.head[1]
        event = Event(name, bytes(32), number, before, FIRST, case, what, heads)
        chain.hashes[number] = hashlib.sha256(f"{self.salt} {name} {number}".encode()).digest()
        chain.events[number], chain.last = event, number
        known[name] = number

    def merge(self, desk: str, other: str) -> None:
        """Let a desk take what another has."""
        known, theirs = self.seen.setdefault(desk, {}), self.seen.get(other, {})
        known |= {name: max(number, known.get(name, 0)) for name, number in theirs.items()}

    def fold(self) -> State:
        return fold(self.chains)

    def case(self) -> Case:
        return self.fold().cases[TAG]


def received(kind: str = "received", assigned: Sequence[str] = PEOPLE) -> What:
    return {"assigned": list(assigned), "kind": kind, "rows": [ROW]}


def decided(state: str) -> What:
    return {"kind": "decided", "note": "မှတ်ချက် 😀", "state": state}


def marked(mark: str, on: bool, of: int = 0) -> What:
    more = {"of": bytes([of] * 16).hex()} if mark == "duplicate" else {}
    return {"kind": "marked", "mark": mark, "note": "", "on": on, **more}


WITHDRAWN: What = {"kind": "withdrawn", "note": ""}
DECISIONS: st.SearchStrategy[What] = st.one_of(
    st.sampled_from(["verified", "verified", "verified", "partial", "rejected"]).map(decided),
    st.builds(marked, st.sampled_from(["coercion", "duplicate"]), st.booleans(), st.integers(1, 3)),
    st.just(WITHDRAWN),
)
# Each step is a decision of an author at a desk, or one desk takes what another has.
STEP = st.tuples(st.sampled_from(AUTHORS), st.sampled_from(DESKS), DECISIONS) | st.permutations(
    DESKS
).map(lambda desks: tuple(desks[:2]))
STEPS = st.lists(STEP, max_size=14)
many = settings(max_examples=100)


def played(steps: Iterable[tuple[Any, ...]], salt: str = "") -> World:
    """Return the world after these steps; at first every desk has the case."""
    world = World(salt=salt)
    world.write("alice", "desk-a", received(), None)
    for desk in DESKS[1:]:
        world.merge(desk, "desk-a")
    for step in steps:
        if len(step) == 2:
            world.merge(*step)
        else:
            world.write(*step)
    return world


# ---- what must come out, by definition --------------------------------------------------------


def knows(event: Event, other: Event) -> bool:
    """Return whether an author had seen another event; desks know all that these knew."""
    if event.chain == other.chain:
        return other.sequence < event.sequence
    return other.chain in event.heads and other.sequence <= event.heads[other.chain][0]


def last(events: Sequence[Event]) -> list[Event]:
    """Return those that no other one knows."""
    return [one for one in events if not any(knows(other, one) for other in events)]


def voices(event: Event, about: Sequence[Event]) -> set[str]:
    if event.what["state"] != "verified":
        return set()
    before = last([one for one in about if knows(event, one)])
    return {event.author}.union(*(voices(one, about) for one in before))


def wanted(world: World) -> dict[str, object]:
    """Return what the case must be."""
    events = [e for chain in world.chains.values() for e in chain.events.values() if e.case]
    ours = [e for e in events if e.author in PEOPLE]
    state = [e for e in ours if e.what["kind"] == "decided"]
    standing = last(state)
    told = {e.what["state"] for e in standing}
    conflict = {(e.chain, e.sequence) for e in standing} if len(told) > 1 else set()
    said = set() if conflict else set[str]().union(*(voices(e, state) for e in standing))
    name = next(iter(told), "received")
    if conflict or (name == "verified" and len(said) < 2):
        name = "partial"
    on = {
        mark: [e for e in last([e for e in ours if e.what.get("mark") == mark]) if e.what["on"]]
        for mark in MARKS
    }
    withdrawing = {e.author for e in ours if e.what["kind"] == "withdrawn"}
    return {
        "state": name,
        "voices": said,
        "conflict": conflict,
        "marks": {mark for mark, events in on.items() if events},
        "duplicate": min((e.what["of"] for e in on["duplicate"]), default=None),
        "withdrawing": withdrawing,
        "hidden": bool(withdrawing),
        "decisions": {(e.chain, e.sequence) for e in ours},
    }


def found(case: Case) -> dict[str, object]:
    """Return what the fold says of it."""
    return {
        "state": case.state,
        "voices": set(case.voices),
        "conflict": {(one.chain, one.sequence) for one in case.conflict},
        "marks": set(case.marks),
        "duplicate": case.duplicate_of.hex() if case.duplicate_of else None,
        "withdrawing": set(case.withdrawing),
        "hidden": case.hidden,
        "decisions": {(one.chain, one.sequence) for one in case.decisions},
    }


@settings(max_examples=250)
@given(STEPS)
def test_a_case_is_what_follows_from_who_knew_what(steps: list[tuple[Any, ...]]) -> None:
    world = played(steps)
    assert found(world.case()) == wanted(world)


@many
@given(STEPS, st.text(max_size=3))
def test_hashes_and_the_order_of_files_decide_nothing(
    steps: list[tuple[Any, ...]], salt: str
) -> None:
    world = played(steps)
    told = found(world.case())
    assert found(played(steps, salt).case()) == told
    for order in itertools.islice(itertools.permutations(world.chains.items()), 3):
        assert found(fold(dict(order)).cases[TAG]) == told


@many
@given(STEPS)
def test_who_was_never_assigned_is_left_out_and_named(steps: list[tuple[Any, ...]]) -> None:
    world = played(steps)
    state = world.fold()
    strange = {
        f"{chain.name}: event {number} makes no sense to this version, and is left out."
        for chain in world.chains.values()
        for number in chain.events
        if chain.name.startswith("dave")
    }
    assert set(state.faults) == strange
    assert not any(one.author == "dave" for one in state.cases[TAG].decisions)


LIES = st.dictionaries(
    st.sampled_from([f"{author}.{desk}" for author in PEOPLE for desk in DESKS]),
    st.integers(0, 12).map(lambda number: (number, NONE)),
    max_size=3,
)


@many
@given(st.lists(st.tuples(st.sampled_from(AUTHORS), st.sampled_from(DESKS), DECISIONS, LIES)))
def test_whatever_heads_are_claimed_nobody_verifies_alone(
    steps: list[tuple[str, str, What, Any]],
) -> None:
    """A planted author says to have seen anything, and never has a second voice by it."""
    world = played([])
    for author, desk, what, heads in steps:
        world.write(author, desk, what, heads=heads)
    state = world.fold()
    case = state.cases[TAG]
    said = {one.author for one in case.decisions if one.what.get("state") == "verified"}
    assert case.voices <= said <= set(PEOPLE)
    assert (case.state != "verified") or len(said) > 1
    withdrawing = {one.author for one in case.decisions if one.kind == "withdrawn"}
    assert case.withdrawing == withdrawing
    assert case.hidden == bool(withdrawing)


# ---- one rule, one test -----------------------------------------------------------------------


def test_verified_takes_two_different_reviewers() -> None:
    world = played([("alice", "desk-a", decided("verified"))] * 2)
    world.write("alice", "desk-b", decided("verified"))
    assert world.case().state == "partial"
    world.write("bob", "desk-b", decided("verified"))
    assert (world.case().state, {*world.case().voices}) == ("verified", {"alice", "bob"})


def test_a_voice_ends_where_somebody_who_heard_it_says_otherwise() -> None:
    world = played([("alice", "desk-a", decided("verified"))])
    world.write("bob", "desk-a", decided("contacted"))
    world.write("bob", "desk-a", decided("verified"))
    assert (world.case().state, {*world.case().voices}) == ("partial", {"bob"})


@pytest.mark.parametrize("salt", [str(number) for number in range(8)])
def test_a_voice_does_not_end_where_somebody_had_not_heard_of_the_second(salt: str) -> None:
    """Bob adds his at one desk, and differs at another: which comes first is a matter of hashes."""
    world = played([("alice", "desk-a", decided("verified")), ("desk-b", "desk-a")], salt)
    world.write("bob", "desk-a", decided("verified"))
    world.write("bob", "desk-b", decided("partial"))
    world.merge("desk-a", "desk-b")
    assert (world.case().state, len(world.case().conflict)) == ("partial", 2)
    world.write("bob", "desk-a", decided("verified"))
    assert (world.case().state, {*world.case().voices}) == ("verified", {"alice", "bob"})


def test_a_conflict_is_open_until_somebody_decides_who_knew_of_both() -> None:
    world = played(
        [("alice", "desk-a", decided("rejected")), ("bob", "desk-b", decided("triaged"))]
    )
    assert world.case().state == "partial"
    assert {one.author for one in world.case().conflict} == {"alice", "bob"}
    world.write("carol", "desk-a", decided("rejected"))
    assert {one.author for one in world.case().conflict} == {"bob", "carol"}
    world.merge("desk-b", "desk-a")
    world.write("bob", "desk-b", decided("rejected"))
    assert (world.case().state, world.case().conflict) == ("rejected", ())


@pytest.mark.parametrize("mark", [mark for mark in MARKS if mark != "duplicate"])
def test_a_mark_that_was_set_apart_from_its_end_stays_on(mark: str) -> None:
    world = played([("alice", "desk-a", marked(mark, on=True)), ("desk-b", "desk-a")])
    world.write("bob", "desk-a", marked(mark, on=False))
    assert world.case().marks == set()
    world.write("carol", "desk-b", marked(mark, on=True))
    assert world.case().marks == {mark}
    world.merge("desk-a", "desk-b")
    world.write("alice", "desk-a", marked(mark, on=False))
    assert world.case().marks == set()


@pytest.mark.parametrize("salt", [str(number) for number in range(8)])
def test_of_two_cases_that_it_repeats_the_least_counts(salt: str) -> None:
    world = played([], salt)
    world.write("alice", "desk-a", marked("duplicate", on=True, of=9))
    world.write("bob", "desk-b", marked("duplicate", on=True, of=7))
    assert world.case().duplicate_of == bytes([7] * 16)
    world.write("bob", "desk-b", marked("duplicate", on=False, of=7))
    assert world.case().duplicate_of == bytes([9] * 16)


def test_words_are_hidden_from_the_first_voice_and_go_with_the_second() -> None:
    world = played([("bob", "desk-b", WITHDRAWN)])
    goes = {"cases": {}, "kind": "erased", "rows": [[ROW["id"], ROW["blob"], None]]}
    world.write("bob", "desk-b", goes, None)
    world.write("bob", "desk-a", goes, None)
    assert (world.case().hidden, world.case().erased) == (True, False)
    assert world.fold().erased() == set()
    world.write("alice", "desk-a", decided("verified"))
    world.write("alice", "desk-a", marked("coercion", on=False))
    assert world.case().withdrawing == {"bob"}
    world.write("alice", "desk-a", WITHDRAWN)
    world.write("alice", "desk-a", goes, None)
    assert (world.case().hidden, world.case().erased) == (True, True)
    assert world.fold().erased() == {bytes.fromhex(ROW["blob"])}


def test_a_source_who_withdraws_is_believed_at_once() -> None:
    world = played([("alice", "desk-a", decided("verified"))])
    asked = {**ROW, "envelope": "withdrawal", "id": "66" * 16, "blob": "77" * 32}
    world.write("bob", "desk-a", {**received(), "rows": [asked]}, None)
    assert (world.case().asks, world.case().hidden, world.case().erased) == (True, True, False)


def test_who_is_given_a_case_may_decide_and_who_gave_it_still_may() -> None:
    world = World()
    world.write("alice", "desk-a", received(assigned=["alice", "bob"]), None)
    world.write("carol", "desk-a", decided("verified"))
    assert len(world.fold().faults) == 1
    world.write("carol", "desk-a", received("resealed", ["carol", "dave"]), None)
    assert len(world.fold().faults) == 2
    world.write("bob", "desk-a", received("resealed", ["alice", "carol"]), None)
    assert world.case().assigned == ("alice", "carol")
    world.write("carol", "desk-a", decided("verified"))
    world.write("bob", "desk-a", decided("verified"))
    assert (world.case().state, len(world.fold().faults)) == ("verified", 2)


def test_who_decided_before_it_was_theirs_is_heard_only_if_it_was_theirs_before() -> None:
    """Who reads a case from where it was sealed again knows from there whose it was."""
    world = World()
    world.write("alice", "desk-a", received(assigned=["alice", "bob"]), None)
    world.write("carol", "desk-a", decided("verified"))
    for people in ([], ["alice", "bob"], [], ["carol"]):
        assert (world.case().state, len(world.fold().faults)) == ("received", 1)
        rows = [{**ROW, "people": people}]
        what = {**received("resealed", ["alice", "carol"]), "rows": rows}
        world.write("bob", "desk-a", what, None)
    assert (world.case().state, len(world.fold().faults)) == ("partial", 0)


def test_every_code_has_its_grounds() -> None:
    for code in (*STATES, *MARKS):
        what = decided(code) if code in STATES else marked(code, on=True)
        for ground in GROUNDS:
            offered = ground in OFFERED.get(code, ())
            assert offered == sensible(what, [ground]), (code, ground)
        assert sensible(what, [])
    assert not sensible(WITHDRAWN, ["other"])
    assert set().union(*OFFERED.values()) == GROUNDS.keys()


def sensible(what: What, grounds: Sequence[str]) -> bool:
    try:
        cases.check(what, grounds)
    except (ValueError, LookupError):
        return False
    return True


def test_a_note_has_a_thousand_characters_whatever_they_are() -> None:
    for letter in ("x", "က", "😀", "\u200b"):
        assert sensible({**decided("triaged"), "note": letter * cases.NOTE}, [])
        assert not sensible({**decided("triaged"), "note": letter * (cases.NOTE + 1)}, [])


# ---- real chains ------------------------------------------------------------------------------


@pytest.fixture
def desks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Desk, Desk]:
    """Return two desks with the same casebook; alice and bob were given its one case."""
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    one, other = Desk(tmp_path / "one"), Desk(tmp_path / "other", name="desk-b")
    row = sealed_row("form")
    one.bring(one.bundle_for("carol", False, row))
    merged(other, one)
    return one, other


def merged(desk: Desk, other: Desk) -> None:
    """Let a desk take what the other has, with everybody's keys."""
    keys = [key for who in desk.made.reviewers.values() for key in who.quarters.values()]
    merging.run(casebook.load(desk.casebook), other.casebook, keys)


def sign(desk: Desk, author: str, kind: str, *grounds: str, **what: object) -> None:
    """Decide about the case as the desk's own tool does."""
    book = casebook.load(desk.casebook)
    reviewer = book.keyring.reviewer(author)
    assert reviewer is not None
    who = Present(desk.keys(author), reviewer, Passphrase(f"demo-{author}", 10))
    tag = case_of(desk).tag
    deciding.write(book, [deciding.Draft(tag, kind, {"note": "", **what}, grounds)], who)


def case_of(desk: Desk) -> Case:
    (case,) = desk.state(*PEOPLE).cases.values()
    return case


def test_desks_that_decided_apart_agree_when_they_merged(desks: tuple[Desk, Desk]) -> None:
    one, other = desks
    sign(one, "alice", "decided", "vouched", state="verified")
    sign(other, "bob", "decided", "not_served", state="rejected")
    sign(other, "bob", "marked", "watched", mark="coercion", on=True)
    assert (case_of(one).state, case_of(other).state) == ("partial", "rejected")
    merged(one, other)
    merged(other, one)
    assert found(case_of(one)) == found(case_of(other))
    assert {d.author for d in case_of(one).conflict} == {"alice", "bob"}
    sign(other, "bob", "decided", "vouched", state="verified")
    merged(one, other)
    assert (case_of(one).state, {*case_of(one).marks}) == ("verified", {"coercion"})
    assert not one.state(*PEOPLE).faults


def test_words_go_at_every_desk_when_the_second_reviewer_says_so(desks: tuple[Desk, Desk]) -> None:
    one, other = desks
    files = [blob_path(desk.casebook, case_of(desk).received[0].blob) for desk in desks]
    sign(one, "alice", "withdrawn")
    assert case_of(one).hidden
    assert all(path.stat().st_size for path in files)
    sign(other, "bob", "withdrawn")
    assert all(path.stat().st_size for path in files)
    merged(one, other)
    assert [path.stat().st_size > 0 for path in files] == [False, True]
    merged(other, one)
    assert not any(path.stat().st_size for path in files)
    assert case_of(one).erased
    assert case_of(other).erased


@pytest.mark.parametrize(
    ("number", "refused"),
    [
        ("ab", "No case of yours has this number."),  # it is one's alone, and too short to say so
        ("0000", "Several cases begin so."),
        ("ffff", "No case of yours has this number."),
        ("", "Several cases begin so."),
    ],
)
def test_a_number_names_one_case_or_none(number: str, refused: str) -> None:
    some = [Case(bytes([0, 0, n]) + bytes(13), ()) for n in (1, 2)] + [Case(b"\xab" * 16, ())]
    assert named(some, " 000001").tag == some[0].tag
    assert named(some, "ABAB").tag == some[2].tag
    with pytest.raises(Misuse, match=refused):
        named(some, number)
