"""The turn of a quarter, and who takes over from somebody: nothing is lost, nothing is replaced.

Rules:
- The old words go only when two have seen that the new ones are the same, whoever says what.
- What is open, and what the log must know, is there when the old keys are destroyed.
- Each lie of a planted reviewer is signed with a real key, and is told without effect.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from intake import days, envelope, files, keyring
from intake.age.unsealing import unseal
from intake.desk import casebook, importing, opened, reading, record, resealing
from intake.errors import Incomplete, MachineTrouble, Misuse, NoMatchingKey, Refused
from tests import desks as at
from tests.desk_maker import ANSWERS, Desk, Sealed, sealed_row
from tests.makers import FIRST

ALL = ("alice", "bob", "carol")
OLD, NEW, NEXT = "2026q4", "2027q1", "2027q2"
DAY = {OLD: FIRST, NEW: date(2027, 1, 4), NEXT: date(2027, 4, 1)}


class Clock:
    """What the machine says the day is."""

    day = FIRST

    def turn(self, quarter: str) -> None:
        self.day = DAY[quarter]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(days, "clock", lambda: made.day)
    monkeypatch.setattr(importing, "ROWS", 2)
    return made


@pytest.fixture
def desk(tmp_path: Path, clock: Clock) -> Desk:
    """Return a desk where carol imported four cases of alice and bob."""
    assert clock.day == FIRST
    (made,) = at.desks(tmp_path, "desk-a")
    made.bring(at.bundle_of(made, ("alice", "bob"), *at.rows(4)), "carol", "alice")
    return made


def tags() -> list[bytes]:
    return [row.case for row in at.rows(4)]


def forget(desk: Desk, name: str, quarter: str = OLD) -> int:
    return resealing.forget(casebook.load(desk.casebook), at.who(desk, name), quarter)


def destroy(desk: Desk, *names: str, quarter: str = OLD) -> None:
    for name in names:
        (desk.keys(name) / f"{quarter}.age").unlink()


def typed(desk: Desk, name: str, tag: bytes) -> list[bytes]:
    """Return what a reviewer can read of a case, as it was sealed."""
    case = at.seen(desk, name).cases[tag]
    keys = at.keys(desk, name)
    return [reading.open_words(desk.casebook, item, keys).plaintext() for item in case.received]


def turned(desk: Desk, clock: Clock, *names: str) -> None:
    clock.turn(NEW)
    for name in names or ("alice", "bob"):
        at.reseal(desk, name)


def test_a_quarter_turns(desk: Desk, clock: Clock) -> None:
    """Alice seals again, bob agrees; then the old words are gone, and the new key alone opens."""
    verified, rejected, open_, untouched = tags()
    for name in ("alice", "bob"):
        at.decide(desk, name, verified, state="verified", note=at.BURMESE)
        at.decide(desk, name, rejected, state="rejected", note=at.ZAWGYI)
    at.decide(desk, "alice", open_, state="verified", note="🪖")
    at.decide(desk, "bob", open_, "marked", mark="coercion", on=True, note="က" * 1000)
    before = at.blobs(desk.casebook)
    clock.turn(NEW)
    one = at.reseal(desk, "alice")
    assert (one.sealed, one.agreed, one.waiting, one.emptied) == (2, 0, 2, 0)
    assert at.words_left(desk.casebook) > before.keys(), "one voice empties nothing"
    again = at.reseal(desk, "alice")
    assert (again.sealed, again.agreed, again.waiting) == (0, 0, 2)
    two = at.reseal(desk, "bob")
    assert (two.sealed, two.agreed, two.waiting, two.emptied) == (0, 2, 0, 2)
    whole = at.shown(at.seen(desk, "alice"))
    state = at.seen(desk, *ALL)
    for tag in (open_, untouched):
        (item,) = state.cases[tag].received
        assert keyring.quarter_of(item.event.day) == NEW
        data = at.blobs(desk.casebook)[item.blob.hex()]
        for name in ("alice", "bob"):
            unseal(data, [desk.made.reviewers[name].quarters[NEW]])
            with pytest.raises(NoMatchingKey):
                unseal(data, [desk.made.reviewers[name].quarters[OLD]])
        unseal(data, [desk.made.archive])
    assert forget(desk, "alice") == 2
    assert not list(desk.root.glob("keys/alice/2026q4*"))
    after = at.shown(at.seen(desk, "alice"))
    assert after["cases"].keys() == {open_, untouched}
    for tag in (open_, untouched):
        assert after["cases"][tag] == whole["cases"][tag]
    assert after["cases"][open_]["state"] == "partial"
    assert after["cases"][open_]["voices"] == {"alice"}
    assert after["cases"][open_]["marks"] == {"coercion"}
    assert after["cases"][open_]["notes"] == ["🪖", "က" * 1000]
    assert not after["faults"]
    assert typed(desk, "alice", open_) == [at.rows(4)[2].plaintext]
    for tag in (verified, rejected):
        (item,) = state.cases[tag].received
        with pytest.raises(NoMatchingKey):
            reading.open_words(desk.casebook, item, at.keys(desk, "alice"))
        reading.open_words(desk.casebook, item, [desk.made.archive])


def test_what_the_log_must_know_is_known_when_the_keys_are_gone(desk: Desk, clock: Clock) -> None:
    """Numbers, rows, what waits, what was withdrawn, who reads what: also in the quarter after."""
    at.withdraw(desk, "alice", tags()[0])
    at.withdraw(desk, "bob", tags()[0])
    desk.run("copy", "--to", desk.root / "second")
    kinds = ("assigned", "bundles", "erased", "gone", "number", "pending", "rows")
    before = at.shown(at.seen(desk, "alice"))
    for now, old in ((NEW, OLD), (NEXT, NEW)):
        clock.turn(now)
        for name in ALL:
            at.reseal(desk, name)
        for name in ALL:
            forget(desk, name, old)
        for name in ALL:
            after = at.shown(at.seen(desk, name))
            assert {kind: after[kind] for kind in kinds if kind != "erased"} == {
                kind: before[kind] for kind in kinds if kind != "erased"
            }
            assert after["erased"] >= before["erased"]
    path, _ = desk.bundle([*at.rows(4), *at.rows(2, 4)], 2, previous=next(iter(before["bundles"])))
    desk.bring(path, "carol", "alice")
    state = at.seen(desk, *ALL)
    assert len(state.rows) == 6
    assert len(at.words_left(desk.casebook)) == 3 + 2


def test_a_decision_that_came_late_is_carried_too(tmp_path: Path, clock: Clock) -> None:
    """Bob decides in December; alice, who sealed the case again before, learns of it in January."""
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    one.bring(at.bundle_of(one, ("alice", "bob"), *at.rows(1)), "carol", "alice")
    tag = at.rows(1)[0].case
    at.merge(other, one, "bob")
    at.decide(other, "bob", tag, state="verified", note=at.BURMESE)
    clock.turn(NEW)
    at.reseal(one, "alice")
    for desk, from_, name in ((other, one, "bob"), (one, other, "alice")):
        at.merge(desk, from_, name)
        at.reseal(desk, name)
    at.merge(other, one, "bob")
    at.merge(one, other, "alice")
    at.decide(one, "alice", tag, state="verified")
    before = at.shown(at.seen(one, "alice"))["cases"][tag]
    assert before["state"] == "verified"
    at.reseal(one, "alice")
    forget(one, "alice")
    assert at.shown(at.seen(one, "alice"))["cases"][tag] == before


def test_a_key_is_not_destroyed_while_a_decision_needs_it(desk: Desk, clock: Clock) -> None:
    at.decide(desk, "bob", tags()[0], state="triaged", note=at.BURMESE)
    clock.turn(NEW)
    for name in ("alice", "bob", "carol"):
        at.reseal(desk, name)
    chains = casebook.load(desk.casebook).chains(at.keys(desk, "alice"))
    kept = {t for t in resealing.carried(chains, NEW) if at.BURMESE in t}
    assert len(kept) == 1
    book = casebook.load(desk.casebook)
    with pytest.MonkeyPatch.context() as patch:
        real = resealing.carried
        patch.setattr(resealing, "carried", lambda *given: real(*given) - kept)
        with pytest.raises(Misuse, match="1 open cases"):
            resealing.forget(book, at.who(desk, "alice"), OLD)
    assert resealing.forget(book, at.who(desk, "alice"), OLD) == 0


def test_nobody_closes_a_case_alone(desk: Desk, clock: Clock) -> None:
    """Rejected by one, or verified and to be certified: it is still theirs in the next quarter."""
    rejected, suspected, certify, done = tags()
    at.decide(desk, "bob", rejected, state="rejected")
    at.decide(desk, "bob", suspected, state="suspected")
    for name in ("alice", "bob"):
        at.decide(desk, name, certify, state="verified")
        at.decide(desk, name, done, state="verified")
    at.decide(desk, "alice", certify, "marked", mark="certify", on=True)
    turned(desk, clock)
    for name in ("alice", "bob"):
        assert forget(desk, name) == 1
        assert at.seen(desk, name).cases.keys() == {rejected, suspected, certify}


def test_a_case_that_is_to_be_withdrawn_is_not_lost_with_the_quarter(
    desk: Desk, clock: Clock
) -> None:
    """One voice hides it. If that voice is planted, nothing is lost; if not, it can be finished."""
    first, second, third, _ = tags()
    at.withdraw(desk, "bob", first)
    for name in ("alice", "bob"):
        at.decide(desk, name, second, state="rejected")
        at.decide(desk, name, third, state="rejected")
    at.withdraw(desk, "bob", second)
    turned(desk, clock)
    forget(desk, "alice")
    forget(desk, "bob")
    assert at.seen(desk, "alice").cases.keys() == {first, second, tags()[3]}
    for tag in (first, second):
        at.withdraw(desk, "alice", tag)
    state = at.seen(desk, "alice", "bob")
    assert len(state.gone) == 2
    assert not at.words_left(desk.casebook) & {blob.hex() for blob in state.erased()}


def test_words_that_go_after_they_were_sealed_again_go_at_every_desk(
    tmp_path: Path, clock: Clock
) -> None:
    """Also where nobody is who was ever assigned, and who reads of it in names of blobs alone."""
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    one.bring(at.bundle_of(one, ("alice", "bob"), *at.rows(2)), "carol", "alice")
    turned(one, clock)
    at.merge(other, one, "carol")
    stick = at.twin(one, tmp_path / "stick")
    tag = at.rows(1)[0].case
    names = [item.blob.hex() for item in at.seen(one, "alice").cases[tag].received]
    for name in ("alice", "bob"):
        at.withdraw(one, name, tag)
    at.merge(other, one, "carol")
    at.merge(other, stick, "carol")
    for desk in (one, other):
        assert len(at.words_left(desk.casebook)) == 1
        assert at.blobs(desk.casebook)[names[0]] == b""


def test_both_desks_seal_again_and_agree_on_one(tmp_path: Path, clock: Clock) -> None:
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    one.bring(at.bundle_of(one, ("alice", "bob"), *at.rows(3)), "carol", "alice")
    at.merge(other, one, "bob")
    clock.turn(NEW)
    assert at.reseal(one, "alice").sealed == 3
    assert at.reseal(other, "bob").sealed == 3
    for _ in range(2):
        for desk, from_, name in ((one, other, "alice"), (other, one, "bob")):
            at.merge(desk, from_, name)
            at.reseal(desk, name)
    at.merge(one, other)
    states = [at.shown(at.seen(desk, "alice", "bob")) for desk in (one, other)]
    assert states[0] == states[1]
    assert len(states[0]["moved"]) == 3
    assert not states[0]["faults"]
    assert [at.reseal(one, "alice").waiting, at.reseal(other, "bob").waiting] == [0, 0]
    at.reseal(one, "carol")
    at.merge(other, one, "bob")
    forget(other, "bob")
    forget(one, "alice")
    for row in at.rows(3):
        assert typed(one, "alice", row.case) == typed(other, "bob", row.case) == [row.plaintext]


# ---- what a planted reviewer claims -------------------------------------------------------------


def forged(
    desk: Desk, author: str, row: Sealed, words: bytes, **wrong: object
) -> tuple[bytes, bytes, bytes]:
    """Seal words again as a planted reviewer; return row id, old blob, new blob as claimed."""
    book = casebook.load(desk.casebook)
    case = at.seen(desk, "alice", "bob").cases[row.case]
    (item,) = case.received
    pen = at.planted(desk, author)
    new, salt = record.new_name(words)
    said = opened.parse(words)
    to = book.recipients(("alice", "bob"), pen.day)
    record.write_blob(desk.casebook, new, words, to)
    told: dict[str, object] = {
        "before": item.salt,
        "blob": new,
        "case": said.case,
        "day": said.day,
        "envelope": said.kind,
        "id": item.id,
        "keyring": said.keyring,
        "salt": salt,
    }
    told |= {key: value for key, value in wrong.items() if key in told}
    what = {"assigned": ("alice", "bob"), "kind": "resealed", "rows": [told]}
    claim = (wrong.get("id", item.id), wrong.get("old", item.blob), new)
    erased = {"cases": {}, "kind": "erased", "rows": [claim]}
    pen.append([record.Draft(what, to), record.Draft(erased, book.everyone(pen.day))])
    return claim  # type: ignore[return-value]


def other_secret(row: Sealed) -> bytes:
    """Return the same answers, id and case, and another's reply secret."""
    said = opened.parse(row.plaintext)
    facts = {name: getattr(said, name) for name in said.__dataclass_fields__}
    return envelope.Envelope(**{**facts, "reply": b"r" * 32}).plaintext()


LIES: Mapping[str, Callable[[list[Sealed]], tuple[bytes, dict[str, object]]]] = {
    "other words": lambda rows: (rows[1].plaintext, {}),
    "another's reply secret": lambda rows: (other_secret(rows[0]), {}),
    "another's blob as the old one": lambda rows: (rows[0].plaintext, {"old": b"o" * 32}),
    "another row": lambda rows: (rows[0].plaintext, {"id": rows[1].entry.id}),
    "another salt": lambda rows: (rows[0].plaintext, {"before": b"s" * 32}),
    "words that are not there": lambda rows: (rows[0].plaintext, {"blob": b"b" * 32}),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_what_was_not_sealed_again_replaces_nothing(
    desk: Desk, clock: Clock, lie: Callable[[list[Sealed]], tuple[bytes, dict[str, object]]]
) -> None:
    """Bob lies. Alice looks, says so, and seals the words again herself."""
    row = at.rows(4)[0]
    old = at.seen(desk, "alice").cases[row.case].received[0].blob
    clock.turn(NEW)
    words, wrong = lie(at.rows(4))
    if wrong.get("old"):
        wrong["old"] = at.seen(desk, "alice").cases[at.rows(4)[1].case].received[0].blob
    forged(desk, "bob", row, words, **wrong)
    result = at.reseal(desk, "alice")
    assert result.sealed == 4, "nobody is held up by a claim"
    for _ in range(2):
        at.reseal(desk, "alice")
    assert not at.seen(desk, "alice", "bob").moved
    assert at.blobs(desk.casebook)[old.hex()]
    if lie in {LIES["another's reply secret"], LIES["another salt"]}:
        assert result.broken == {row.case}
    at.reseal(desk, "bob")
    assert len(at.seen(desk, "alice", "bob").moved) >= 3, "of the others, what alice sealed"
    assert typed_or_none(desk, row.case) == [row.plaintext]
    at.remove(desk, "bob")
    for name in ("alice", "carol"):
        at.reseal(desk, name)
    assert old in at.seen(desk, "alice", "carol").moved
    assert typed_or_none(desk, row.case) == [row.plaintext]


def test_a_lie_is_named_with_an_exit_code(
    desk: Desk, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.turn(NEW)
    forged(desk, "bob", at.rows(4)[0], other_secret(at.rows(4)[0]))
    capsys.readouterr()
    with pytest.raises(Incomplete, match="1 cases have words that are damaged, or are") as refused:
        desk.run("reseal", *desk.here("alice"))
    assert refused.value.exit == 8
    assert "4 cases sealed again, 0 of others seen to be the same." in capsys.readouterr().out


def test_who_never_saw_the_old_words_sees_that_the_new_ones_are_the_same(
    tmp_path: Path, clock: Clock
) -> None:
    """Bob gives alice's and his case to dave and himself, with a reply secret of his own."""
    (desk,) = at.desks(tmp_path, "desk-a", count=5)
    row = at.rows(1, made=desk.made)[0]
    path = at.bundle_of(desk, ("alice", "bob"), row)
    desk.bring(path, "carol", "alice")
    old = at.seen(desk, "alice").cases[row.case].received[0]
    book, pen, words = casebook.load(desk.casebook), at.planted(desk, "bob"), other_secret(row)
    new, salt = record.new_name(words)
    to = book.recipients(("bob", "dave"), pen.day)
    record.write_blob(desk.casebook, new, words, to)
    told = {
        "before": old.salt,
        "blob": new,
        "case": row.case,
        "day": old.day,
        "envelope": old.kind,
        "id": old.id,
        "keyring": old.keyring,
        "salt": salt,
    }
    what = {"assigned": ("bob", "dave"), "kind": "resealed", "rows": [told]}
    key = record.case_key(row.case).hex()
    erased = {"cases": {key: ("bob", "dave")}, "kind": "erased", "rows": [(old.id, old.blob, new)]}
    pen.append([record.Draft(what, to), record.Draft(erased, book.everyone(pen.day))])
    assert at.reseal(desk, "dave").broken == {row.case}
    state = at.seen(desk, *desk.made.reviewers)
    assert not state.moved
    assert state.assigned[record.case_key(row.case)][1] == ("alice", "bob")
    assert clock.day == FIRST


def test_words_that_are_a_lie_keep_no_key_alive(desk: Desk, clock: Clock) -> None:
    """Bob records a row of alice's case that is not what he says: the rest is sealed again."""
    row = at.rows(4)[0]
    other = sealed_row("bob's", {**ANSWERS, "account": ""}, made=desk.made)
    forged(desk, "bob", row, other.plaintext, case=row.case, id=b"i" * 16)
    clock.turn(NEW)
    result = at.reseal(desk, "alice")
    assert row.case in result.broken
    assert result.sealed == 4
    at.reseal(desk, "bob")
    assert not at.reseal(desk, "alice").waiting
    forget(desk, "alice")
    assert row.plaintext in typed_or_none(desk, row.case)


def typed_or_none(desk: Desk, tag: bytes) -> list[bytes]:
    """Return what alice can read of a case, without what is a lie."""
    found = []
    for item in at.seen(desk, "alice").cases[tag].received:
        try:
            words = reading.open_words(desk.casebook, item, at.keys(desk, "alice"))
        except Refused:
            continue
        found.append(words.plaintext())
    return found


# ---- it is stopped ------------------------------------------------------------------------------


def stop_at(patch: pytest.MonkeyPatch, place: int, *, torn: bool) -> None:
    """Fail at the write of that number; ``torn`` leaves a part of a chain's."""
    left = [place]

    def stopping(real: Callable[..., None], *, tears: bool) -> Callable[..., None]:
        def call(path: Path, data: bytes, *given: object, **named: object) -> None:
            if not left[0]:
                if tears:
                    real(path, data[: len(data) * 2 // 3])
                raise MachineTrouble("power cut")
            left[0] -= 1
            real(path, data, *given, **named)

        return call

    patch.setattr(record, "append", stopping(record.append, tears=torn))
    patch.setattr(files, "write", stopping(files.write, tears=False))


@pytest.mark.parametrize("torn", [False, True], ids=["at a write", "in the middle of one"])
def test_it_can_be_stopped_anywhere_and_goes_on(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, *, torn: bool
) -> None:
    (desk,) = at.desks(tmp_path, "desk-a")
    desk.bring(at.bundle_of(desk, ("alice", "bob"), *at.rows(1)), "carol", "alice")
    at.decide(desk, "bob", at.rows(1)[0].case, state="triaged", note=at.BURMESE)
    at.reseal(desk, "alice")
    clock.turn(NEW)
    start = at.twin(desk, tmp_path / "start")
    for place in itertools.count():
        shutil.rmtree(desk.casebook)
        shutil.copytree(start, desk.casebook)
        with monkeypatch.context() as patch:
            stop_at(patch, place, torn=torn)
            try:
                at.reseal(desk, "alice")
                at.reseal(desk, "bob")
                done = True
            except Refused:
                done = False
        for name in ("alice", "bob", "carol"):
            at.reseal(desk, name)
        at.reseal(desk, "alice")
        state = at.seen(desk, "alice")
        assert not state.faults
        assert len(state.moved) == 1
        for row in at.rows(1):
            assert typed(desk, "alice", row.case) == [row.plaintext]
        assert state.cases[at.rows(1)[0].case].state == "triaged"
        named = {blob.hex() for blob in state.named}
        assert at.words_left(desk.casebook) <= named, "every blob can be withdrawn"
        if done:
            break
    assert place >= 7


def test_a_key_whose_destruction_was_cut_short_is_in_nobodys_way(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned(desk, clock, *ALL)
    whole = (desk.keys("alice") / f"{OLD}.age").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: at.cut())
        with pytest.raises(KeyboardInterrupt):
            forget(desk, "alice")
    assert len(at.seen(desk, "alice").cases) == 4
    left = [path.read_bytes() for path in desk.keys("alice").glob(f"{OLD}*")]
    assert len(left) == 1
    assert left[0] != whole
    assert forget(desk, "alice") == 0
    assert not list(desk.keys("alice").glob(f"{OLD}*"))


# ---- others take over ---------------------------------------------------------------------------


def test_the_cases_of_a_removed_reviewer_have_two_again(desk: Desk) -> None:
    """Bob is removed. Alice seals her cases to herself and carol, who agrees; notes come along."""
    tag = tags()[0]
    at.decide(desk, "bob", tag, state="verified", note=at.BURMESE)
    at.remove(desk, "bob")
    result = at.reseal(desk, "alice")
    assert (result.sealed, result.waiting) == (4, 0)
    assert at.reseal(desk, "carol").agreed == 4
    assert len(at.seen(desk, "alice", "carol").moved) == 4
    for name in ("alice", "carol"):
        state = at.seen(desk, name)
        assert {case.assigned for case in state.cases.values()} == {("alice", "carol")}
        case = state.cases[tag]
        assert (case.state, set(case.voices)) == ("partial", {"bob"})
        assert [one.note for one in case.decisions] == [at.BURMESE]
        assert typed(desk, name, tag) == [at.rows(4)[0].plaintext]
    at.decide(desk, "carol", tag, state="verified")
    assert at.seen(desk, "alice").cases[tag].state == "verified"
    for data in at.blobs(desk.casebook).values():
        if data:
            with pytest.raises(NoMatchingKey):
                unseal(data, list(desk.made.reviewers["bob"].quarters.values()))


def test_a_reviewer_is_removed_after_a_quarter_was_half_turned(desk: Desk, clock: Clock) -> None:
    """Alice sealed to herself and bob, who never came: it is sealed again to her and carol."""
    turned(desk, clock, "alice")
    at.remove(desk, "bob")
    assert at.reseal(desk, "alice").sealed == 4
    assert at.reseal(desk, "alice").sealed == 0
    at.reseal(desk, "carol")
    assert at.reseal(desk, "alice").waiting == 0
    for name in ("alice", "carol"):
        forget(desk, name)
        for row in at.rows(4):
            assert typed(desk, name, row.case) == [row.plaintext]


def test_a_case_is_given_to_others_and_back(desk: Desk) -> None:
    tag, key = tags()[0], record.case_key(tags()[0])
    at.decide(desk, "alice", tag, state="triaged", note=at.BURMESE)
    for giver, taker, people in (
        ("alice", "carol", ("alice", "carol")),
        ("carol", "bob", ("bob", "carol")),
        ("bob", "alice", ("alice", "bob")),
    ):
        at.decide(desk, giver, tag, "assigned", assigned=list(reversed(people)))
        at.reseal(desk, taker)
        assert at.seen(desk, *ALL).assigned[key][1] == people
        for name in people:
            case = at.seen(desk, name).cases[tag]
            assert (case.assigned, case.state) == (people, "triaged")
            assert typed(desk, name, tag) == [at.rows(4)[0].plaintext]
    assert len(at.words_left(desk.casebook)) == 4
    # What two named once, one alone does not name again.
    wish = {"cases": {key.hex(): ("alice", "carol")}, "kind": "erased", "rows": []}
    at.planted(desk, "carol", wish)
    assert at.seen(desk, *ALL).assigned[key][1] == ("alice", "bob")


def test_rows_that_wait_are_acknowledged_while_they_are_sealed_again(
    desk: Desk, clock: Clock
) -> None:
    """Between the two voices, and after them; what a signer vouches for was not only theirs."""
    turned(desk, clock, "alice")
    desk.run("copy", "--to", desk.root / "second")
    desk.acknowledge(desk.root / "1.return", "alice", "bob")
    assert not at.seen(desk, "alice").pending


def test_rows_that_wait_are_acknowledged_after_they_were_sealed_again(
    desk: Desk, clock: Clock
) -> None:
    turned(desk, clock, *ALL)
    for name in ALL:
        forget(desk, name)
    desk.run("copy", "--to", desk.root / "second")
    desk.acknowledge(desk.root / "1.return", "alice", "bob")
    assert not at.seen(desk, "alice").pending


# ---- what is refused, and what is said ----------------------------------------------------------


def test_what_cannot_be_forgotten(desk: Desk, clock: Clock) -> None:
    with pytest.raises(Misuse, match="is not over"):
        forget(desk, "alice")
    for quarter in ("2026q3", "2026q5", "../alice/2026q4", "quorum", "signing", ""):
        with pytest.raises(Misuse, match="is not there"):
            forget(desk, "alice", quarter)
    clock.turn(NEW)
    with pytest.raises(Misuse, match="4 open cases"):
        forget(desk, "alice")
    at.reseal(desk, "alice")
    with pytest.raises(Misuse, match="4 open cases") as refused:
        forget(desk, "alice")
    assert "let each of them run it too" in refused.value.hint
    assert (desk.keys("alice") / f"{OLD}.age").is_file()


def test_a_key_is_not_destroyed_while_the_log_needs_it(desk: Desk, clock: Clock) -> None:
    """No case is open, and what was imported must still be known."""
    for tag in tags():
        for name in ("alice", "bob"):
            at.decide(desk, name, tag, state="rejected")
    clock.turn(NEW)
    with pytest.raises(Misuse, match="0 open cases, or the log itself"):
        forget(desk, "alice")
    at.reseal(desk, "carol")
    assert forget(desk, "alice") == 4


def test_what_reseal_and_forget_say(
    desk: Desk, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.turn(NEW)
    capsys.readouterr()
    desk.run("reseal", *desk.here("alice"))
    said = capsys.readouterr().out
    assert "4 cases sealed again, 0 of others seen to be the same." in said
    assert "4 wait for their other reviewer to run this too" in said
    desk.run("reseal", *desk.here("bob"))
    said = capsys.readouterr().out
    assert "0 cases sealed again, 4 of others seen to be the same." in said
    assert "4 files with old words emptied." in said
    assert "wait" not in said
    desk.run("forget", OLD, "--yes", *desk.here("alice"))
    said = capsys.readouterr().out
    assert f"Without the key of {OLD}" in said
    assert "The key is destroyed. 0 closed cases" in said
    for command in ("reseal", "forget"):
        with pytest.raises(SystemExit):
            desk.run(command, "--help")
        assert f"python -m intake.desk {command}" in capsys.readouterr().out


def test_a_chain_of_events_that_were_carried_is_counted_once(desk: Desk, clock: Clock) -> None:
    """Carried twice, from two desks or in two quarters, an event is one."""
    turned(desk, clock, *ALL)
    again = at.shown(at.seen(desk, "alice"))
    texts = sorted(
        resealing.carried(casebook.load(desk.casebook).chains(at.keys(desk, "alice")), NEW)
    )
    assert texts
    at.planted(desk, "bob", {"events": texts, "kind": "carried"})
    assert at.shown(at.seen(desk, "alice"))["cases"] == again["cases"]
