"""Decisions: drafts that nobody else sees, and what is signed of them.

Rules:
- What is signed is signed once, whole, by who wrote it; what is not signed is not lost.
- Words go only with two voices, and only the words of the case that was withdrawn.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from intake import canonical, days, envelope
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.desk import casebook, deciding, importing, opened, record
from intake.desk.cases import NOTE, OFFERED, STATES
from intake.desk.deciding import Draft, Drafts
from intake.desk.state import Row
from intake.errors import BadFile, BadKeyring, Incomplete, MachineTrouble, Misuse, Refused
from tests import desks as at
from tests.desk_maker import ANSWERS, Desk, Sealed, sealed_row
from tests.makers import FIRST

ALL = ("alice", "bob", "carol")
OTHER = ("other",)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk where carol imported three cases of alice and bob."""
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    monkeypatch.setattr(importing, "ROWS", 2)
    (made,) = at.desks(tmp_path, "desk-a")
    made.bring(at.bundle_of(made, ("alice", "bob"), *at.rows(3)), "carol", "alice")
    return made


def tags() -> list[bytes]:
    return [row.case for row in at.rows(3)]


def drafts(desk: Desk, name: str = "alice") -> Drafts:
    return Drafts.load(casebook.load(desk.casebook), name, at.keys(desk, name))


def told(number: int, state: str = "triaged", note: str = "") -> Draft:
    return Draft(tags()[number], "decided", {"note": note, "state": state}, OTHER)


def mark(number: int, name: str, *, on: bool = True) -> Draft:
    return Draft(tags()[number], "marked", {"mark": name, "note": "", "on": on}, OTHER)


def sign(desk: Desk, made: Drafts, name: str = "alice") -> int:
    return deciding.sign(casebook.load(desk.casebook), made, at.who(desk, name))


# ---- drafts -------------------------------------------------------------------------------------


def test_drafts_survive_and_are_nobody_elses(desk: Desk) -> None:
    notes = ["", at.BURMESE, at.ZAWGYI, "🪖\n\u202e", "က" * NOTE]
    made = drafts(desk)
    for number, note in enumerate(notes):
        made.add(told(number % 3, "verified" if number > 2 else "triaged", note))
    made.add(mark(0, "coercion"))
    made.seen |= {tags()[1]}
    made.save()
    again = drafts(desk)
    assert again.pending == made.pending
    assert again.seen == {tags()[1]}
    assert not at.seen(desk, "alice").cases[tags()[0]].decisions, "nothing is signed"
    data = made.path.read_bytes()
    assert at.BURMESE.encode() not in data
    assert made.path.stat().st_mode & 0o077 == 0
    for name in ("bob", "carol"):
        with pytest.raises(Refused):
            unseal(data, at.keys(desk, name))
    with pytest.raises(Refused):
        unseal(data, [desk.made.archive])
    desk.run("copy", "--to", desk.root / "second")
    assert not (desk.root / "second" / "drafts").exists()


def test_a_draft_replaces_one_about_the_same_thing_and_can_be_undone(desk: Desk) -> None:
    made = drafts(desk)
    for draft in (told(0), mark(0, "coercion"), told(0, "contacted"), mark(0, "inside"), told(1)):
        made.add(draft)
    assert made.pending == [mark(0, "coercion"), told(0, "contacted"), mark(0, "inside"), told(1)]
    made.add(mark(0, "coercion", on=False))
    assert mark(0, "coercion") not in made.pending
    made.undo(0)
    assert made.pending == [mark(0, "inside"), told(1), mark(0, "coercion", on=False)]
    for position in (-1, 3, 99):
        with pytest.raises(Misuse, match="not in the list any more"):
            made.undo(position)
    assert len(made.pending) == 3


def test_a_drafts_file_of_a_stranger_is_refused(desk: Desk) -> None:
    """Anybody can seal to alice. What they wrote would be signed among forty others."""
    made = drafts(desk)
    made.add(told(0))
    made.save()
    line = unseal(made.path.read_bytes(), at.keys(desk, "alice")).split(b"\n")[0]
    forged = line.replace(b"triaged", b"rejected")
    mallory = at.keys(desk, "bob")[0]
    for tag in (
        b"",
        b"00" * 32,
        deciding._tag(mallory, forged),
        deciding._tag(made.identity, line),
    ):
        plaintext = forged + b"\n" + tag + b"\n"
        at.put(made.path, seal(plaintext, [made.identity.recipient()]))
        with pytest.raises(BadFile, match="was not written by alice") as refused:
            drafts(desk)
        assert "Move it away" in refused.value.hint


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw | {"format": "intake drafts 2"},
        lambda raw: raw | {"more": 1},
        lambda raw: raw | {"pending": 5},
        lambda raw: raw | {"pending": [["00", "decided", {}, []]]},
        lambda raw: raw | {"pending": [["00" * 16, "decided", 5, []]]},
        lambda raw: raw | {"seen": ["zz"]},
        lambda _: [],
    ],
    ids=["format", "more", "number", "tag", "what", "seen", "list"],
)
def test_a_drafts_file_of_another_shape_is_refused(
    desk: Desk, change: Callable[[Any], object]
) -> None:
    made = drafts(desk)
    made.save()
    line = unseal(made.path.read_bytes(), at.keys(desk, "alice")).split(b"\n")[0]
    bent = canonical.dump(change(canonical.load(line)))
    plaintext = bent + b"\n" + deciding._tag(made.identity, bent) + b"\n"
    at.put(made.path, seal(plaintext, [made.identity.recipient()]))
    with pytest.raises(BadFile, match="is damaged"):
        drafts(desk)


def test_damaged_drafts_are_named(desk: Desk) -> None:
    made = drafts(desk)
    made.add(told(0))
    made.save()
    whole = made.path.read_bytes()
    for data in (whole[:-1], whole + b"x", b"", b"drafts", whole[:-40] + b"\0" * 40):
        at.put(made.path, data)
        with pytest.raises(BadFile, match="is damaged"):
            drafts(desk)


def test_drafts_of_a_quarter_go_on_with_the_next_and_end_with_its_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Drafts.load(
        casebook.load(desk.casebook),
        "alice",
        [desk.made.reviewers["alice"].quarters["2026q4"]],
    )
    made.add(told(0))
    made.save()
    monkeypatch.setattr(days, "clock", lambda: date(2027, 1, 4))
    assert drafts(desk).pending == [told(0)], "read with an older key"
    (desk.keys("alice") / "2026q4.age").unlink()
    assert drafts(desk).pending == []


# ---- signing ------------------------------------------------------------------------------------


def test_what_is_signed_is_an_event_and_no_draft_any_more(desk: Desk) -> None:
    made = drafts(desk)
    for draft in (told(0, note="က" * NOTE), told(1, "rejected", at.ZAWGYI), mark(2, "inside")):
        made.add(draft)
    made.save()
    assert sign(desk, made) == 3
    assert drafts(desk).pending == []
    for name in ("alice", "bob"):
        cases = at.seen(desk, name).cases
        assert [cases[tag].state for tag in tags()] == ["triaged", "rejected", "received"]
        assert cases[tags()[0]].decisions[0].note == "က" * NOTE
        assert cases[tags()[2]].marks == {"inside"}
    assert tags()[0] not in at.seen(desk, "carol").cases
    assert sign(desk, drafts(desk)) == 0


def test_it_is_all_or_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One draft that makes no sense, or a full disk: none is signed, and none is lost."""
    made = drafts(desk)
    for draft in (told(0), told(1)):
        made.add(draft)
    bad = Draft(tags()[2], "decided", {"note": "", "state": "triaged"}, ("empty",))
    made.add(bad)
    before = at.everything(desk.casebook)
    with pytest.raises(Misuse, match="not one that a case can have"):
        sign(desk, made)
    assert made.pending == [told(0), told(1), bad]
    made.undo(2)
    made.save()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(MachineTrouble):
            sign(desk, made)
    assert drafts(desk).pending == [told(0), told(1)]
    after = at.everything(desk.casebook)
    assert {k: v for k, v in after.items() if v and "drafts" not in k} == before
    assert sign(desk, made) == 2


def test_what_fails_after_the_events_does_not_sign_them_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = drafts(desk)
    made.add(told(0))
    made.add(Draft(tags()[1], "assigned", {"assigned": ["alice", "carol"]}))
    with monkeypatch.context() as patch:
        patch.setattr(record, "erase", lambda *_: (_ for _ in ()).throw(MachineTrouble("full")))
        with pytest.raises(MachineTrouble):
            sign(desk, made)
    assert drafts(desk).pending == [made.pending[0]] == made.pending
    assert made.pending[0].kind == "assigned"
    assert sign(desk, made) == 1
    assert len(at.seen(desk, "alice").cases[tags()[0]].decisions) == 1
    assert drafts(desk).pending == []


def test_a_case_whose_words_are_damaged_is_not_given_away(desk: Desk) -> None:
    made = drafts(desk)
    made.add(told(0))
    made.add(Draft(tags()[1], "assigned", {"assigned": ["alice", "carol"]}))
    made.add(Draft(tags()[2], "assigned", {"assigned": ["alice", "carol"]}))
    (item,) = at.seen(desk, "alice").cases[tags()[1]].received
    at.put(record.blob_path(desk.casebook, item.blob), b"damaged")
    with pytest.raises(Incomplete, match="What is left in the list has words"):
        sign(desk, made)
    assert [draft.case for draft in drafts(desk).pending] == [tags()[1]]
    at.reseal(desk, "carol")
    assert at.seen(desk, "carol").cases.keys() == {tags()[2]}


@pytest.mark.parametrize("state", [state for state in STATES if state in OFFERED])
def test_grounds_are_those_that_are_offered_for_the_state(desk: Desk, state: str) -> None:
    case = at.seen(desk, "alice").cases[tags()[0]]
    everything = {ground for offered in OFFERED.values() for ground in offered}
    for ground in (*everything, "", "made up"):
        draft = Draft(case.tag, "decided", {"note": "", "state": state}, (ground,))
        if ground in OFFERED[state]:
            deciding.check(case, draft, set(ALL))
        else:
            with pytest.raises(Misuse, match="not one that a case can have"):
                deciding.check(case, draft, set(ALL))


@pytest.mark.parametrize(
    ("kind", "what", "grounds", "said"),
    [
        ("decided", {"note": "", "state": "triaged"}, (), "needs a reason"),
        ("decided", {"note": "က" * (NOTE + 1), "state": "triaged"}, OTHER, "not one that"),
        ("decided", {"note": "", "state": "certified"}, OTHER, "not one that"),
        ("decided", {"note": "", "state": "triaged", "on": True}, OTHER, "not one that"),
        ("decided", {"note": 5, "state": "triaged"}, OTHER, "not one that"),
        ("erased", {"note": ""}, (), "not one that"),
        ("marked", {"mark": "duplicate", "note": "", "on": True}, OTHER, "not one that"),
        ("marked", {"mark": "inside", "note": "", "on": 1}, OTHER, "not one that"),
        ("withdrawn", {"note": ""}, OTHER, "not one that"),
        ("assigned", {"assigned": ["alice"]}, (), "two different reviewers"),
        ("assigned", {"assigned": ["alice", "alice"]}, (), "two different reviewers"),
        ("assigned", {"assigned": ["alice", "mallory"]}, (), "two different reviewers"),
        ("assigned", {"assigned": list(ALL)}, (), "two different reviewers"),
        ("assigned", {}, (), "two different reviewers"),
    ],
)
def test_what_is_no_decision_is_refused(
    desk: Desk, kind: str, what: dict[str, Any], grounds: tuple[str, ...], said: str
) -> None:
    before = at.everything(desk.casebook)
    with pytest.raises(Misuse, match=said):
        deciding.write(
            casebook.load(desk.casebook),
            [told(1), Draft(tags()[0], kind, what, grounds)],
            at.who(desk, "alice"),
        )
    assert at.everything(desk.casebook) == before


def test_a_case_is_no_duplicate_of_itself(desk: Desk) -> None:
    for number, fine in ((0, False), (1, True)):
        what = {"mark": "duplicate", "note": "", "of": tags()[number].hex(), "on": True}
        draft = Draft(tags()[0], "marked", what, ("same_facts",))
        if fine:
            deciding.write(casebook.load(desk.casebook), [draft], at.who(desk, "alice"))
        else:
            with pytest.raises(Misuse, match="no duplicate of itself"):
                deciding.write(casebook.load(desk.casebook), [draft], at.who(desk, "alice"))
    assert at.seen(desk, "bob").cases[tags()[0]].duplicate_of == tags()[1]


def test_nobody_decides_about_a_case_of_others(desk: Desk) -> None:
    with pytest.raises(Misuse, match="not yours any more"):
        deciding.write(casebook.load(desk.casebook), [told(0)], at.who(desk, "carol"))
    (item,) = at.seen(desk, "alice").cases[tags()[0]].received
    facts = {"day": item.day, "envelope": item.kind, "id": item.id, "keyring": item.keyring}
    facts |= {"blob": item.blob, "case": item.case, "salt": item.salt}
    what = {"assigned": ("alice", "bob"), "kind": "received", "rows": [facts]}
    to = casebook.load(desk.casebook).everyone(FIRST)
    at.planted(desk, "bob").append([record.Draft(what, to)])
    assert tags()[0] in at.seen(desk, "carol").cases, "she was told of it, and it is not hers"
    with pytest.raises(Misuse, match="not yours any more"):
        deciding.write(casebook.load(desk.casebook), [told(0)], at.who(desk, "carol"))


def test_who_gave_a_case_away_alone_hides_nothing_from_the_other(desk: Desk) -> None:
    """Bob is planted: he says that the case is his and carol's now. Alice still reads herself."""
    book = casebook.load(desk.casebook)
    (item,) = at.seen(desk, "alice").cases[tags()[0]].received
    words = at.rows(1)[0].plaintext
    pen, (new, salt) = at.planted(desk, "bob"), record.new_name(words)
    facts = {"day": item.day, "envelope": item.kind, "id": item.id, "keyring": item.keyring}
    facts |= {"before": item.salt, "blob": new, "case": item.case, "salt": salt}
    what = {"assigned": ("bob", "carol"), "kind": "resealed", "rows": [facts]}
    pen.append([record.Draft(what, book.recipients(ALL, FIRST))])
    at.decide(desk, "alice", tags()[0], state="rejected", note=at.BURMESE)
    for name in ("alice", "bob"):
        assert at.seen(desk, name).cases[tags()[0]].state == "rejected"


def test_a_quarter_without_keys_signs_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = drafts(desk)
    made.add(told(0))
    monkeypatch.setattr(days, "clock", lambda: FIRST.replace(year=2031))
    with pytest.raises(BadKeyring, match="2031q4"):
        sign(desk, made)
    assert drafts(desk).pending == [told(0)]


# ---- two desks ----------------------------------------------------------------------------------


def test_two_desks_verify_and_differ_and_come_to_one(tmp_path: Path, desk: Desk) -> None:
    other = Desk(tmp_path / "other", at.people(), "desk-b")
    at.merge(other, desk, "bob")
    first, second, third = tags()
    for number, (mine, others) in enumerate(
        (("verified", "verified"), ("verified", "rejected"), ("rejected", "suspected"))
    ):
        at.decide(desk, "alice", tags()[number], state=mine, note=at.BURMESE)
        at.decide(other, "bob", tags()[number], state=others, note=at.ZAWGYI)
    at.merge(desk, other, "alice")
    at.merge(other, desk, "bob")
    for place, name in ((desk, "alice"), (other, "bob")):
        cases = at.seen(place, name).cases
        assert (cases[first].state, set(cases[first].voices)) == ("verified", {"alice", "bob"})
        assert not cases[first].conflict
        for tag in (second, third):
            assert cases[tag].state == "partial"
            assert {one.author for one in cases[tag].conflict} == {"alice", "bob"}
            assert {one.note for one in cases[tag].conflict} == {at.BURMESE, at.ZAWGYI}
    at.decide(other, "bob", second, state="verified")
    at.decide(desk, "alice", third, state="suspected")
    at.merge(desk, other, "alice")
    cases = at.seen(desk, "alice").cases
    assert (cases[second].state, cases[third].state) == ("verified", "suspected")
    assert not cases[second].conflict
    assert not cases[third].conflict


# ---- words that go ------------------------------------------------------------------------------


def test_one_voice_hides_and_two_empty(desk: Desk) -> None:
    tag = tags()[0]
    (item,) = at.seen(desk, "alice").cases[tag].received
    for _ in range(2):
        at.withdraw(desk, "alice", tag)
        case = at.seen(desk, "bob").cases[tag]
        assert (case.hidden, case.erased, set(case.withdrawing)) == (True, False, {"alice"})
        assert at.blobs(desk.casebook)[item.blob.hex()]
    at.withdraw(desk, "bob", tag)
    assert at.seen(desk, "alice").cases[tag].erased
    assert at.blobs(desk.casebook)[item.blob.hex()] == b""
    with pytest.raises(Misuse, match="gone for ever"):
        at.decide(desk, "alice", tag, state="verified")
    assert len(at.words_left(desk.casebook)) == 2


def test_words_that_cannot_be_looked_at_are_not_said_to_go(desk: Desk) -> None:
    (item,) = at.seen(desk, "alice").cases[tags()[0]].received
    path = record.blob_path(desk.casebook, item.blob)
    whole = path.read_bytes()
    at.put(path, b"damaged")
    with pytest.raises(Misuse, match=r"No words of this case could be looked at") as refused:
        at.withdraw(desk, "alice", tags()[0])
    assert "another copy" in refused.value.hint
    assert not at.seen(desk, "bob").cases[tags()[0]].hidden
    at.put(path, whole)
    at.withdraw(desk, "alice", tags()[0])


def copied(row: Sealed, case: bytes) -> bytes:
    """Return the answers of a row, under its own id, as an envelope of another case."""
    said = opened.parse(row.plaintext)
    facts = {name: getattr(said, name) for name in said.__dataclass_fields__}
    return envelope.Envelope(**{**facts, "case": case}).plaintext()


def slip(  # noqa: PLR0913 - what a liar says
    desk: Desk, author: str, row: Sealed, words: bytes, case: bytes, *, listed: bool
) -> bytes:
    """Record a row in another case, as a planted reviewer; return the blob's name."""
    book, said = casebook.load(desk.casebook), opened.parse(words)
    blob, salt = record.new_name(words)
    to = book.recipients(("alice", "bob"), FIRST)
    record.write_blob(desk.casebook, blob, words, to)
    facts = {"blob": blob, "case": case, "day": said.day, "envelope": said.kind}
    facts |= {"id": row.entry.id, "keyring": said.keyring, "salt": salt}
    what = {"assigned": ("alice", "bob"), "kind": "received", "rows": [facts]}
    drafts = [record.Draft(what, to)]
    if listed:
        rows = [Row(row.entry.id, row.entry.sha256, "ok", blob)]
        part = {"cases": {}, "kind": "part", "manifest": bytes(32), "rows": rows}
        drafts.append(record.Draft(part, book.everyone(FIRST)))
    at.planted(desk, author).append(drafts)
    return blob


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("how", ["as they are", "under the tag of the case"])
def test_words_of_another_case_that_were_slipped_in_do_not_go_along(
    desk: Desk, how: str, *, listed: bool
) -> None:
    """Bob puts carol's source's row into alice's case, before that one is withdrawn."""
    mine, victim = at.rows(2)
    words = victim.plaintext if how == "as they are" else copied(victim, mine.case)
    kept = at.seen(desk, "alice").cases[victim.case].received[0].blob
    slip(desk, "bob", victim, words, mine.case, listed=listed)
    for name in ("alice", "bob"):
        at.withdraw(desk, name, mine.case)
    # Bob says it of the row as well, and of the blob that everybody sees beside it.
    erased = {"cases": {}, "kind": "erased", "rows": [(victim.entry.id, kept, None)]}
    at.planted(desk, "bob", erased)
    state = at.seen(desk, "alice", "bob")
    assert state.gone == {mine.entry.id}
    assert kept not in state.erased()
    at.reseal(desk, "alice")
    assert at.blobs(desk.casebook)[kept.hex()]
    assert not state.cases[victim.case].hidden


@pytest.mark.parametrize("known", [True, False], ids=["after it", "beside it"])
def test_a_blob_that_was_claimed_for_another_row_does_not_go_with_it(
    desk: Desk, *, known: bool
) -> None:
    """Bob names the victim's blob for a row of his, and that row is withdrawn by two.

    And the victim's words still go when two say so of them: nobody is kept by a claim.
    """
    mine, victim = at.rows(2)
    kept = at.seen(desk, "alice").cases[victim.case].received[0].blob
    rows = [Row(mine.entry.id, mine.entry.sha256, "ok", kept)]
    part = {"cases": {}, "kind": "part", "manifest": bytes(32), "rows": rows}
    at.planted(desk, "bob", part, **({} if known else {"heads": {}}))
    for name in ("alice", "bob"):
        at.withdraw(desk, name, mine.case)
    state = at.seen(desk, *ALL)
    assert state.cases[mine.case].erased
    assert not state.cases[victim.case].hidden
    assert at.blobs(desk.casebook)[kept.hex()]
    assert len(at.words_left(desk.casebook)) == 2
    for name in ("alice", "bob"):
        at.withdraw(desk, name, victim.case)
    assert at.blobs(desk.casebook)[kept.hex()] == b""
    assert len(at.words_left(desk.casebook)) == 1


def test_every_blob_of_a_row_goes_that_two_desks_recorded(tmp_path: Path, desk: Desk) -> None:
    other = Desk(tmp_path / "other", at.people(), "desk-b")
    other.bring(desk.root / "1.bundle", "carol", "bob")
    at.withdraw(other, "bob", tags()[0])
    at.merge(desk, other, "alice")
    assert len(at.words_left(desk.casebook)) == 6
    at.withdraw(desk, "alice", tags()[0])
    assert len(at.words_left(desk.casebook)) == 5, "of one blob, bob did not know"
    assert at.seen(desk, "alice").cases[tags()[0]].erased
    at.merge(other, desk, "bob")
    at.reseal(other, "bob")
    at.merge(desk, other, "carol")
    for place in (desk, other):
        assert len(at.words_left(place.casebook)) == 4


def test_a_follow_up_goes_with_its_case(desk: Desk) -> None:
    more = sealed_row("form 0", {**ANSWERS, "account": "more"}, made=desk.made)
    previous = next(iter(at.seen(desk, "alice").bundles))
    desk.bring(desk.bundle([more], 2, previous=previous)[0], "carol", "alice")
    assert len(at.seen(desk, "alice").cases[tags()[0]].received) == 2
    for name in ("alice", "bob"):
        at.withdraw(desk, name, tags()[0])
    assert len(at.words_left(desk.casebook)) == 2
    assert len(at.seen(desk, "alice").gone) == 2


# ---- a person's view ----------------------------------------------------------------------------


def test_what_decide_says(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    number = tags()[0].hex()
    given = ("--as", "triaged", "--ground", "complete")
    desk.run("decide", number, *given, *desk.here("alice"))
    assert "Decisions signed: 1" in capsys.readouterr().out
    assert at.seen(desk, "bob").cases[tags()[0]].state == "triaged"
    with pytest.raises(Misuse, match="no ground for triaged") as refused:
        desk.run("decide", number, "--as", "triaged", "--ground", "abuse", *desk.here("alice"))
    assert refused.value.hint == "Those are: complete, urgent, other"
    with pytest.raises(SystemExit):
        desk.run("decide", "--help")
    assert "python -m intake.desk decide" in capsys.readouterr().out
