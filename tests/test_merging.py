"""Two desks become one, in any order, whatever a stick went through on its way.

Rules:
- The same events give the same state at every desk, in whatever order they came.
- What one of two desks has is lost by no merge; what is withdrawn comes back by none.
- Who had the stick (no key of ours) makes nothing count, and reads nothing of the machine.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from intake import days, files, keyring
from intake.age.sealing import seal
from intake.desk import casebook, chain, copying, importing, merging, record, resealing
from intake.errors import BadFile, BadKeyring, Incomplete, MachineTrouble, Misuse, Refused
from tests import desks as at
from tests.desk_maker import Desk, deployment
from tests.makers import FIRST

ALL = ("alice", "bob", "carol")


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    monkeypatch.setattr(importing, "ROWS", 2)


def apart(root: Path, count: int, reviewers: int = 3) -> tuple[list[Desk], list[bytes]]:
    """Return desks that imported the same and different bundles, and decided apart, and cases."""
    made = at.people(reviewers)
    names = list(made.reviewers)
    found = at.desks(root, *("desk-a", "desk-b", "desk-c", "desk-d")[:count], count=reviewers)
    first, second = at.rows(4, made=made), at.rows(1, 4, made=made)
    path, manifest = found[0].bundle(first)
    for number, desk in enumerate(found):
        author, other = names[number % len(names)], names[(number + 1) % len(names)]
        if number != 2:  # the third one has only what it was brought
            desk.bring(path, author, other)
        else:
            at.merge(desk, found[0], author)
    next_one = found[1].bundle(second, 2, previous=manifest)[0]
    found[1].bring(next_one, names[1], names[0])
    cases = at.seen(found[0], *names).cases
    tags = [row.case for row in first]
    for number, tag in enumerate(tags):
        for turn, desk in enumerate(found):
            name = cases[tag].assigned[(number + turn) % 2]
            if number == 0:
                at.decide(desk, name, tag, state="verified", note=at.BURMESE)
            elif number == 1:
                told = "rejected" if turn % 2 else "triaged"
                at.decide(desk, name, tag, state=told, note=at.ZAWGYI)
            elif number == 2:
                at.decide(desk, name, tag, "marked", mark="coercion", on=turn % 2 == 0)
            elif turn < 2:
                at.withdraw(desk, name, tag)
    return found, tags


@pytest.mark.parametrize(
    ("count", "reviewers"),
    [(2, 3), (3, 3), *(pytest.param(*sizes, marks=pytest.mark.slow) for sizes in ((3, 5), (4, 3)))],
)
def test_in_any_order_it_is_the_same_state(tmp_path: Path, count: int, reviewers: int) -> None:
    found, tags = apart(tmp_path, count, reviewers)
    names = tuple(found[0].made.reviewers)
    states, left = [], []
    views = [names, *[(name,) for name in names[:3]]]
    for turn, order in enumerate(itertools.permutations(found)):
        book = casebook.load(at.twin(order[0], tmp_path / f"union-{turn}"))
        for other in order[1:]:
            merging.run(book, other.casebook, at.keys(found[0], names[turn % len(names)]))
        before = at.everything(book.folder)
        again = merging.run(book, order[1].casebook, at.keys(found[0], *names))
        assert (again.blobs, again.grown, again.keyrings, again.emptied) == (0, 0, 0, 0)
        assert at.everything(book.folder) == before, "to merge again changes nothing"
        states.append([at.shown(at.seen(found[0], *v, folder=book.folder)) for v in views])
        left.append(at.words_left(book.folder))
    assert all(state == states[0] for state in states)
    assert all(words == left[0] for words in left)
    whole = states[0][0]
    assert not whole["faults"]
    verified, differing, marked, withdrawn, *_ = (whole["cases"][tag] for tag in tags)
    assert (verified["state"], len(verified["voices"])) == ("verified", 2)
    assert (differing["state"], len(differing["conflict"])) == ("partial", count)
    assert marked["marks"] == {"coercion"}
    assert withdrawn["hidden"]
    # Each spoke of the blob that their own desk had. They say the same of the other's, when they
    # seal again.
    for name in withdrawn["assigned"]:
        resealing.run(book, at.who(found[0], name))
    state = at.seen(found[0], *names, folder=book.folder)
    assert [tag for tag, case in state.cases.items() if case.erased] == [tags[3]]
    assert not at.words_left(book.folder) & {blob.hex() for blob in state.erased()}


def test_a_desk_gets_back_its_own_chain_from_a_longer_copy(tmp_path: Path) -> None:
    """A disk fails, the casebook comes back from an old copy, and what was written since too."""
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    one.bring(at.bundle_of(one, ("alice", "bob"), *at.rows(2)))
    manifest = next(iter(at.seen(one, "alice").bundles))
    old = at.twin(one, tmp_path / "old")
    one.bring(one.bundle(at.rows(3, 3), 2, previous=manifest)[0])
    at.merge(other, one)
    whole = at.shown(at.seen(one, *ALL))
    shutil.rmtree(one.casebook)
    shutil.copytree(old, one.casebook)
    merged = at.merge(one, other)
    assert (merged.blobs, merged.parted) == (3, 0)
    assert at.shown(at.seen(one, *ALL)) == whole
    at.decide(one, "alice", at.case_of(one, "alice"), state="triaged")
    assert not at.seen(one, *ALL).faults


def test_a_desk_that_wrote_on_before_its_own_words_came_back_writes_on(tmp_path: Path) -> None:
    """Two honest histories of one chain: the longer one counts, and takes what comes next."""
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    one.bring(at.bundle_of(one, ("alice", "bob"), *at.rows(2)))
    manifest = next(iter(at.seen(one, "alice").bundles))
    old, last = at.twin(one, tmp_path / "old"), one.chains()["alice.desk-a"].last
    for number in range(3):
        rows = at.rows(1, 3 + number)
        path, manifest = one.bundle(rows, 2 + number, previous=manifest)
        one.bring(path)
    at.merge(other, one)
    shutil.rmtree(one.casebook)
    shutil.copytree(old, one.casebook)
    tag = at.case_of(one, "alice")
    at.decide(one, "alice", tag, state="triaged")
    assert at.merge(one, other).parted == 1
    assert (
        f"alice.desk-a: two versions part after event {last}; 1 are left out."
        in at.seen(one, *ALL).faults
    )
    at.decide(one, "alice", tag, state="contacted")
    state = at.seen(one, *ALL)
    assert state.cases[tag].state == "contacted"
    assert not any("forged" in fault for fault in state.faults)
    assert len(state.rows) == 5


# ---- a stick that was in other hands -----------------------------------------------------------


def frame(text: bytes = b"junk") -> bytes:
    """Return a frame that looks like one sealed to somebody else."""
    sealed = seal(text, [at.people().archive.recipient()])
    return b"%08x\n%b\n" % (len(sealed), sealed)


def exchanged(tmp_path: Path) -> tuple[Desk, Desk, Path, bytes]:
    """Return two desks that have the same, a stick of the first, and a case of alice and bob."""
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    first, *others = at.rows(6)
    one.bring(one.bundle_for("carol", False, first, others=others))
    at.merge(other, one, "bob")
    stick = at.twin(one, tmp_path / "stick")
    return one, other, stick, at.case_of(one, "alice", "bob")


def test_junk_on_a_stick_decides_nothing(tmp_path: Path) -> None:
    """Frames of nobody, many of them: bob has not seen what alice decides under their numbers."""
    one, other, stick, tag = exchanged(tmp_path)
    path = stick / "chains" / "alice.desk-a"
    path.write_bytes(path.read_bytes() + frame() * 20)
    at.merge(other, stick, "bob")
    at.decide(other, "bob", tag, state="rejected")
    at.decide(one, "alice", tag, state="verified")
    merged = at.merge(other, one, "bob")
    assert merged.parted == 1, "both are kept"
    at.merge(one, other)
    for desk in (one, other):
        case = at.seen(desk, "alice", "bob").cases[tag]
        assert {each.what["state"] for each in case.conflict} == {"rejected", "verified"}
    assert at.shown(at.seen(one, *ALL)) == at.shown(at.seen(other, *ALL))
    assert any("two versions part after event" in f for f in at.seen(other, "bob").faults)


def test_the_desk_itself_writes_on_after_junk_was_put_into_its_own_chain(tmp_path: Path) -> None:
    one, other, stick, tag = exchanged(tmp_path)
    path = stick / "chains" / "alice.desk-a"
    path.write_bytes(path.read_bytes() + frame())
    at.merge(one, stick)
    at.decide(one, "alice", tag, state="verified")
    at.merge(other, one, "bob")
    assert at.seen(other, "bob").cases[tag].voices == {"alice"}
    assert not at.seen(other, *ALL).faults


@pytest.mark.parametrize("tail", [b"x", b"00001000\nage-encryption.org/v1\n", b"0000000"])
def test_a_torn_end_on_the_stick_is_left_there(tmp_path: Path, tail: bytes) -> None:
    _, other, stick, _ = exchanged(tmp_path)
    path = stick / "chains" / "alice.desk-a"
    path.write_bytes(path.read_bytes() + tail)
    before = at.everything(other.casebook)
    merged = at.merge(other, stick, "bob")
    assert (merged.grown, merged.parted) == (0, 0)
    assert at.everything(other.casebook) == before


def test_a_torn_end_here_is_no_other_history(tmp_path: Path) -> None:
    """A power cut left another end than the stick has: it is moved away, and the chain goes on."""
    one, other, _, tag = exchanged(tmp_path)
    ours = other.casebook / "chains" / "alice.desk-a"
    ours.write_bytes(ours.read_bytes() + b"\0" * 300)
    at.decide(one, "alice", tag, state="triaged")
    assert at.merge(other, one, "bob").parted == 0
    assert at.seen(other, "bob").cases[tag].state == "triaged"
    assert not at.seen(other, *ALL).faults
    assert [path.read_bytes() for path in (other.casebook / "torn").iterdir()] == [b"\0" * 300]


@pytest.mark.parametrize("name", ["alice.desk-a", "alice.desk-a~0123abcd"])
def test_a_torn_end_is_not_copied(tmp_path: Path, name: str) -> None:
    """Else the copy has for ever what the casebook cuts off, and cannot be written again."""
    one, *_ = exchanged(tmp_path)
    whole = one.chain().read_bytes()
    one.chain().with_name(name).write_bytes(whole + b"00001000\nage-enc")  # or of a version of it
    with pytest.raises(Misuse, match="torn end") as refused:
        one.run("copy", "--to", tmp_path / "second")
    assert "repair" in refused.value.hint
    one.run("repair", "--yes")
    one.run("copy", "--to", tmp_path / "second")
    assert (tmp_path / "second/chains" / name).read_bytes() == whole


def test_a_damaged_chain_on_a_stick_costs_what_is_damaged_there(tmp_path: Path) -> None:
    one, other, stick, _ = exchanged(tmp_path)
    path = stick / "chains" / "alice.desk-a"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    whole = at.shown(at.seen(one, *ALL))
    at.merge(other, stick, "bob")
    state = at.seen(other, *ALL)
    assert any("two versions part after event" in fault for fault in state.faults)
    state.faults.clear()
    assert at.shown(state) == whole
    fresh = Desk(tmp_path / "fresh", at.people(), "desk-c")
    at.merge(fresh, stick)
    assert len(at.seen(fresh, *ALL).cases) < 6
    at.merge(fresh, one)
    state = at.seen(fresh, *ALL)
    state.faults.clear()
    assert at.shown(state) == whole


@pytest.mark.parametrize("longer", ["one", "other"])
def test_a_planted_author_tells_two_desks_two_histories(tmp_path: Path, longer: str) -> None:
    """Carol signs one thing here, another there. Both are kept, it is named, all see the same."""
    one, other, _, tag = exchanged(tmp_path)
    for desk, number in ((one, 1), (other, 2)):
        told = [{"kind": "acknowledged", "number": number, "rows": []}]
        times = 2 if desk is {"one": one, "other": other}[longer] else 1
        at.planted(desk, "carol", *told * times)
        path = desk.casebook / "chains" / f"carol.{desk.name}"
        chosen = desk.casebook / "chains" / "carol.desk-c"
        path.unlink()
        pen = at.planted(desk, "carol", path=chosen, last=0, hash=bytes(32))
        to = casebook.load(desk.casebook).everyone(FIRST)
        pen.append([record.Draft(what, to) for what in told * times])
    at.decide(one, "alice", tag, state="triaged")
    third, fourth = at.desks(tmp_path, "desk-d", "desk-e")
    for desk, order in ((third, (one, other)), (fourth, (other, one))):
        for each in order:
            at.merge(desk, each)
    states = [at.shown(at.seen(desk, *ALL)) for desk in (third, fourth)]
    assert states[0] == states[1]
    assert states[0]["number"] == {"one": 1, "other": 2}[longer]
    assert any("carol.desk-c: two versions part after event 0" in f for f in states[0]["faults"])
    assert states[0]["cases"][tag]["state"] == "triaged"
    histories = {path.read_bytes() for desk in (one, other) for path in carols(desk)}
    assert {path.read_bytes() for path in carols(third)} == histories


def carols(desk: Desk) -> list[Path]:
    return sorted((desk.casebook / "chains").glob("carol.desk-c*"))


def test_a_third_history_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Also one that begins as another did, so that no stick is ever in the way of the next."""
    _, other, stick, _ = exchanged(tmp_path)
    path = stick / "chains" / "alice.desk-a"
    whole, first = path.read_bytes(), frame(b"first")
    end = max(e for e, _ in chain.frames(whole[:-1]))  # all frames but the last
    histories = [whole[:end] + first, whole[:end] + first + frame(b"a")]
    histories += [whole[:end] + first + frame(b"b")]
    for history in (*histories, *reversed(histories)):
        path.write_bytes(history)
        at.merge(other, stick, "bob")
    kept = {p.read_bytes() for p in (other.casebook / "chains").glob("alice.desk-a*")}
    assert kept == {whole, *histories[1:]}
    last = other.chains("bob")["alice.desk-a"].last
    said = f"alice.desk-a: two versions part after event {last - 1}; 2 are left out."
    assert at.seen(other, *ALL).faults.count(said) == 2
    assert len(at.seen(other, *ALL).cases) == 6


# ---- it is stopped ------------------------------------------------------------------------------


@contextmanager
def stopping_at(patch: pytest.MonkeyPatch, place: int) -> Iterator[list[str]]:
    """Let the write of that number fail as a full disk does, and all that follow it."""
    done: list[str] = []

    def failing(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            if len(done) >= place:
                raise MachineTrouble("disk full")
            done.append(name)
            return real(*given, **named)

        return call

    with patch.context() as patched:
        for module, name in ((files, "write"), (record, "append"), (os, "ftruncate")):
            patched.setattr(module, name, failing(name, getattr(module, name)))
        yield done


def test_a_merge_that_was_stopped_anywhere_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    one.bring(at.bundle_of(one, ("alice", "bob"), *at.rows(2)))
    at.merge(other, one)
    tag = at.case_of(one, "alice", "bob")
    at.withdraw(one, "alice", tag)
    at.withdraw(one, "bob", tag)
    one.bring(one.bundle(at.rows(2, 4), 2, previous=next(iter(at.seen(one, "bob").bundles)))[0])
    casebook.load(one.casebook).add_keyring(one.made.follow().raw)
    start = at.twin(other, tmp_path / "start")
    at.merge(other, one)
    whole = at.everything(other.casebook)
    for place in itertools.count():
        shutil.rmtree(other.casebook)
        shutil.copytree(start, other.casebook)
        try:
            with stopping_at(monkeypatch, place) as done:
                at.merge(other, one)
        except Refused:
            held = at.words_left(other.casebook)
            gone = {blob.hex() for blob in at.seen(one, "alice").erased()}
            assert held <= at.words_left(one.casebook) | gone
            at.merge(other, one)
            assert at.everything(other.casebook) == whole, done
        else:
            break
    writes = "a keyring, two chains, each with a note before it, two blobs, an erasure"
    assert place == 2 + 2 * 2 + 2 + 1 - 1, writes
    assert at.everything(other.casebook) == whole


def test_the_note_of_a_batch_is_right_after_damage_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain that lacks frames: its last number is not how many there are, and blobs must stay."""
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    path, manifest = one.bundle(at.rows(4))
    one.bring(path)
    at.merge(other, one)
    data = one.chain().read_bytes()
    first = next(end for end, _ in chain.frames(data))
    one.chain().write_bytes(data[first:])
    path, _ = one.bundle(at.rows(3, 4), 2, previous=manifest)
    monkeypatch.setattr(record, "done", lambda _: at.cut())
    with pytest.raises(KeyboardInterrupt):
        one.bring(path)
    monkeypatch.undo()
    before = at.words_left(one.casebook)
    assert len(before) == 7
    at.merge(one, other, "carol")
    assert at.words_left(one.casebook) == before
    assert not (one.casebook / "importing").exists()


# ---- keyrings -----------------------------------------------------------------------------------


def test_a_newer_keyring_comes_along(tmp_path: Path) -> None:
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    second = one.made.follow()
    casebook.load(one.casebook).add_keyring(second.raw)
    casebook.load(one.casebook).add_keyring(second.follow().raw)
    assert at.merge(other, one).keyrings == 2
    assert [k.version for k in casebook.load(other.casebook).keyrings] == [1, 2, 3]
    assert at.merge(one, other).keyrings == 0


def test_another_keyring_under_one_number_is_refused(tmp_path: Path) -> None:
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    casebook.load(one.casebook).add_keyring(one.made.follow().raw)
    casebook.load(other.casebook).add_keyring(one.made.follow(expires="2027-03-01").raw)
    before = at.everything(other.casebook)
    with pytest.raises(BadKeyring, match="different keyrings under one number") as refused:
        at.merge(other, one)
    assert "Compare the fingerprints" in refused.value.hint
    assert at.everything(other.casebook) == before


def test_a_keyring_that_no_roots_signed_is_refused(tmp_path: Path) -> None:
    one, other = at.desks(tmp_path, "desk-a", "desk-b")
    raw = one.made.follow().raw
    at.put(
        one.casebook / "keyrings" / "000002", raw.replace(b'"expires":"2026', b'"expires":"2036')
    )
    with pytest.raises(BadKeyring):
        at.merge(other, one)
    assert len(casebook.keyring_files(other.casebook)) == 1


def test_a_removed_reviewer_is_removed_here_too(tmp_path: Path) -> None:
    """What bob signed after his removal, at a desk that did not know of it, counts nowhere."""
    one, other, _, tag = exchanged(tmp_path)
    at.remove(one, "bob")
    at.decide(other, "bob", tag, state="rejected")
    at.merge(one, other)
    at.merge(other, one)
    for desk in (one, other):
        state = at.seen(desk, *ALL)
        assert state.cases[tag].state == "received"
        assert any("bob.desk-b: 1 events after event 0 are refused" in f for f in state.faults)


def test_other_people_and_oneself_are_refused(tmp_path: Path) -> None:
    one, empty = at.desks(tmp_path, "desk-a", "desk-b")
    other = Desk(tmp_path / "other", deployment("other"), "desk-b")
    with pytest.raises(Misuse, match="of other people"):
        at.merge(one, other)
    with pytest.raises(Misuse, match="the casebook itself"):
        at.merge(one, one)
    (tmp_path / "link").symlink_to(one.casebook)
    with pytest.raises(Misuse, match="the casebook itself"):
        at.merge(one, tmp_path / "link")
    for nothing in (tmp_path / "nowhere", tmp_path / "other"):
        with pytest.raises(Misuse):
            at.merge(one, nothing)
    empty.run("copy", "--to", tmp_path / "second")
    assert at.merge(one, tmp_path / "second").grown == 0
    book = casebook.load(one.casebook)
    with book.locked(), pytest.raises(MachineTrouble, match="Another command"):
        at.merge(one, tmp_path / "second")


# ---- what is withdrawn stays so -----------------------------------------------------------------


def withdrawn(tmp_path: Path) -> tuple[Desk, Desk, Path, str]:
    """Return a desk where two withdrew a case, one that does not know, a stick from before."""
    one, other, stick, tag = exchanged(tmp_path)
    (blob,) = [item.blob.hex() for item in at.seen(one, "alice").cases[tag].received]
    at.withdraw(one, "alice", tag)
    assert at.blobs(one.casebook)[blob], "one voice destroys nothing"
    assert at.seen(one, "bob").cases[tag].hidden
    at.withdraw(one, "bob", tag)
    assert at.blobs(one.casebook)[blob] == b""
    return one, other, stick, blob


def words(folder: Path) -> int:
    return len(at.words_left(folder))


def test_an_old_stick_brings_nothing_back(tmp_path: Path) -> None:
    one, _, stick, blob = withdrawn(tmp_path)
    assert at.merge(one, stick).blobs == 0
    assert at.blobs(one.casebook)[blob] == b""
    state = at.seen(one, *ALL)
    assert sum(case.erased for case in state.cases.values()) == 1
    assert at.merge(one, stick).emptied == 0


def test_a_withdrawal_empties_what_was_merged_before(tmp_path: Path) -> None:
    one, other, stick, blob = withdrawn(tmp_path)
    assert at.merge(other, one, "carol").emptied == 1, "also by who is not assigned"
    assert at.blobs(other.casebook)[blob] == b""
    at.merge(other, stick, "bob")
    assert at.blobs(other.casebook)[blob] == b""


@pytest.mark.parametrize("first", ["stick", "desk"])
def test_a_desk_that_never_had_the_words_does_not_get_them(tmp_path: Path, first: str) -> None:
    one, _, stick, blob = withdrawn(tmp_path)
    fresh = Desk(tmp_path / "fresh", at.people(), "desk-c")
    order = [stick, one.casebook] if first == "stick" else [one.casebook, stick]
    for place in (*order, *order):
        at.merge(fresh, place)
    assert not at.blobs(fresh.casebook).get(blob)
    assert words(fresh.casebook) == 5
    assert fresh.casebook.joinpath("blobs", blob[:2], blob).exists(), "nobody brings it any more"
    another = Desk(tmp_path / "another", at.people(), "desk-d")
    at.put(one.casebook / "blobs" / blob[:2] / blob, at.blobs(stick)[blob])
    merged = at.merge(another, one)
    assert (merged.blobs, merged.emptied) == (5, 0), "not for a moment"


def test_a_newcomer_who_cannot_read_of_a_withdrawal_brings_nothing_back(tmp_path: Path) -> None:
    """The events are closed to who came later; the empty file is there for them."""
    one, _, stick, blob = withdrawn(tmp_path)
    fresh = Desk(tmp_path / "fresh", at.people(), "desk-c")
    at.merge(fresh, one)
    merging.run(casebook.load(fresh.casebook), stick, [at.people(5).archive])
    assert at.blobs(fresh.casebook)[blob] == b""


def test_withdrawn_words_under_another_name_are_not_looked_at(tmp_path: Path) -> None:
    """Who had the stick renames the file: what no event names is none of a casebook's."""
    one, _, stick, blob = withdrawn(tmp_path)
    data = at.blobs(stick)[blob]
    for name in ("ab" * 32, blob[:-1] + "x", blob.upper(), f" {blob[1:]}"):
        at.put(stick / "blobs" / name[:2] / name, data)
        at.put(stick / "blobs" / blob[:2] / name, data)
    before = at.everything(one.casebook)
    assert at.merge(one, stick).blobs == 0
    assert at.everything(one.casebook) == before


def test_copies_bring_nothing_back_in_either_direction(tmp_path: Path) -> None:
    one, other, stick, blob = withdrawn(tmp_path)
    with pytest.raises(BadFile, match="what the casebook does not have"):
        copying.copy(casebook.load(stick), one.casebook)
    assert at.blobs(one.casebook)[blob] == b""
    one.run("copy", "--to", stick)
    assert at.blobs(stick)[blob] == b"", "and the stick is emptied by the next copy"
    at.merge(other, stick, "bob")
    assert at.blobs(other.casebook)[blob] == b""
    assert not any(at.blobs(folder)[blob] for folder in (stick, one.casebook, other.casebook))


# ---- hostile sticks -----------------------------------------------------------------------------


def one_blob(stick: Path) -> Path:
    return next(path for path in sorted((stick / "blobs").rglob("*")) if path.is_file())


def link_to_passwords(stick: Path) -> None:
    path = one_blob(stick)
    path.unlink()
    path.symlink_to("/etc/passwd")


def link_to_a_folder(stick: Path) -> None:
    folder = one_blob(stick).parent
    shutil.move(folder, stick / "elsewhere")
    folder.symlink_to(stick / "elsewhere")


def pipe(stick: Path) -> None:
    path = one_blob(stick)
    path.unlink()
    os.mkfifo(path)


def folder(stick: Path) -> None:
    path = one_blob(stick)
    path.unlink()
    path.mkdir()


def huge(stick: Path) -> None:
    with one_blob(stick).open("ab") as file:
        file.truncate(1 << 40)


def broken_link(stick: Path) -> None:
    path = one_blob(stick)
    path.unlink()
    path.symlink_to(stick / "nothing")


def device(stick: Path) -> None:
    path = one_blob(stick)
    path.unlink()
    path.symlink_to("/dev/zero")


THINGS = [link_to_passwords, link_to_a_folder, pipe, folder, huge, broken_link, device]


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.__name__)
def test_what_is_no_file_among_the_words_is_left_alone(
    tmp_path: Path, thing: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    one, *_, stick, _ = exchanged(tmp_path)
    fresh = Desk(tmp_path / "fresh", at.people(), "desk-c")
    lost = len(list(one_blob(stick).parent.iterdir())) if thing is link_to_a_folder else 1
    thing(stick)
    fresh.run("merge", "--from", stick, *fresh.here("alice"))
    said = capsys.readouterr().out
    assert f"! {lost} things there are no files of a casebook" in said
    assert words(fresh.casebook) == 6 - lost, "the rest came"
    assert not any(b"root:" in data for data in at.blobs(fresh.casebook).values())
    at.merge(fresh, one)
    assert words(fresh.casebook) == 6, "and the rest comes from another copy"


@pytest.mark.parametrize("name", ["bob.desk-z", "alice.desk-a", "alice.desk-a~00000000"])
@pytest.mark.parametrize("thing", ["link", "pipe", "folder", "huge", "broken", "empty"])
def test_what_is_no_file_among_the_chains_is_left_alone(
    tmp_path: Path, thing: str, name: str
) -> None:
    _, other, stick, _ = exchanged(tmp_path)
    path = stick / "chains" / name
    path.unlink(missing_ok=True)
    if thing == "link":
        path.symlink_to(other.root / "keys" / "alice" / "signing.age")
    elif thing == "broken":
        path.symlink_to("/nothing")
    elif thing == "pipe":
        os.mkfifo(path)
    elif thing == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40 if thing == "huge" else 0)
    before = at.everything(other.casebook)
    merged = at.merge(other, stick, "bob")
    assert merged.strange == (thing != "empty")
    assert at.everything(other.casebook) == before


def test_logs_of_nobody_are_not_taken(tmp_path: Path) -> None:
    _, other, stick, _ = exchanged(tmp_path)
    data = (stick / "chains" / "alice.desk-a").read_bytes()
    for name in ("mallory.desk-a", "mallory.desk-a~00000000"):
        at.put(stick / "chains" / name, data)
    for name in ("alice", "alice.desk a", "alice.desk-a~", "..", "alice.desk-a~zz", "x" * 200):
        if name != "..":
            at.put(stick / "chains" / name, data)
    before = at.everything(other.casebook)
    assert at.merge(other, stick, "bob").strange == 2
    assert at.everything(other.casebook) == before


@pytest.mark.parametrize("part", ["blobs", "chains", "keyrings"])
def test_a_part_of_the_stick_that_is_no_folder_is_refused(tmp_path: Path, part: str) -> None:
    _, other, stick, _ = exchanged(tmp_path)
    shutil.move(stick / part, tmp_path / "moved")
    (stick / part).symlink_to(tmp_path / "moved")
    with pytest.raises(Misuse, match="is no folder"):
        at.merge(other, stick, "bob")


@pytest.mark.parametrize("name", ["000002", "0", "000001x", "2", "zz"])
@pytest.mark.parametrize("thing", ["pipe", "link", "folder"])
def test_what_is_no_file_among_the_keyrings_is_left_alone(
    tmp_path: Path, thing: str, name: str
) -> None:
    _, other, stick, _ = exchanged(tmp_path)
    path = stick / "keyrings" / name
    if thing == "pipe":
        os.mkfifo(path)
    elif thing == "folder":
        path.mkdir()
    else:
        path.symlink_to(at.put(tmp_path / "next", other.made.follow().raw))
    assert at.merge(other, stick, "bob").keyrings == 0


@pytest.mark.parametrize("thing", ["pipe", "link"])
def test_the_mark_of_a_casebook_is_a_file(tmp_path: Path, thing: str) -> None:
    one, other, stick, _ = exchanged(tmp_path)
    (stick / "casebook.json").unlink()
    if thing == "pipe":
        os.mkfifo(stick / "casebook.json")
    else:
        (stick / "casebook.json").symlink_to(one.casebook / "casebook.json")
    with pytest.raises(Misuse, match="is not a casebook") as refused:
        at.merge(other, stick, "bob")
    assert "copy wrote" in refused.value.hint


# ---- a person's view ----------------------------------------------------------------------------


def test_what_merge_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, _, stick, tag = exchanged(tmp_path)
    fresh = Desk(tmp_path / "fresh", at.people(), "desk-c")
    capsys.readouterr()
    fresh.run("merge", "--from", one.casebook, *fresh.here("alice"))
    said = capsys.readouterr().out
    grown = sum(p.stat().st_size for p in (one.casebook / "chains").iterdir())
    assert f" came 6 files of words, {grown} bytes of logs, 0 keyrings." in said
    assert "0 files of withdrawn or replaced words were emptied." in said
    assert "!" not in said
    at.decide(one, "alice", tag, state="triaged")
    path = stick / "chains" / "alice.desk-a"
    path.write_bytes(path.read_bytes() + frame())
    with pytest.raises(Incomplete, match="1 logs have two histories") as refused:
        one.run("merge", "--from", stick, *one.here("alice"))
    assert refused.value.exit == 8
    assert "tell the admins" in refused.value.hint
    assert "! alice.desk-a: two versions part after event" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        one.run("merge", "--help")
    assert "merge --from /stick/desk --casebook casebook" in capsys.readouterr().out


def test_a_keyring_is_limited(tmp_path: Path) -> None:
    _, other, stick, _ = exchanged(tmp_path)
    at.put(stick / "keyrings" / "000002", b"{" * (keyring.MAX_SIZE + 1))
    with pytest.raises(BadFile, match="larger than any"):
        at.merge(other, stick, "bob")
