"""What is found in a casebook that somebody altered, and what the fold says whatever the order.

Rule: each test changes files as an attacker with the disk could, or signs as a planted reviewer
could, and names the fault that must be told. What is not touched must still be read.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, days, files
from intake.age.identity import Identity
from intake.age.sealing import seal
from intake.bundle.reading import open_return
from intake.desk import casebook, chain, copying, importing, opened, record
from intake.desk.chain import Chain
from intake.desk.record import Draft, Pen
from intake.desk.state import Row, State, fold
from intake.errors import BadFile, BadKeyring, Incomplete, MachineTrouble, Misuse
from tests.desk_maker import ANSWERS, Desk, Sealed, deployment, sealed_row
from tests.desks import cut
from tests.makers import FIRST, make_deployment, signing_key

ALL = ("alice", "bob", "carol")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk where alice recorded five envelopes, each in an event, and an import."""
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    monkeypatch.setattr(importing, "ROWS", 1)
    made = Desk(tmp_path / "desk")
    first, *others = (sealed_row(f"form {n}") for n in range(5))
    made.bring(made.bundle_for("carol", False, first, others=others))
    return made


def pieces(path: Path) -> list[bytes]:
    """Return the frames of a chain, as they lie on the disk."""
    data = path.read_bytes()
    ends = [0, *(end for end, _ in chain.frames(data))]
    return [data[a:b] for a, b in itertools.pairwise(ends)]


def pen(desk: Desk, author: str, key: Ed25519PrivateKey | None = None, **changes: object) -> Pen:
    """Return a pen that writes on, or otherwise, without any of the casebook's checks."""
    chains = desk.chains(*ALL)
    own = chains.get(f"{author}.desk-a", Chain(f"{author}.desk-a"))
    made = Pen(
        path=desk.chain(author),
        key=key or desk.made.reviewers[author].signing,
        deployment=desk.made.deployment,
        day=FIRST,
        heads={name: one.head for name, one in chains.items() if name != own.name},
        last=own.last,
        hash=own.head[1],
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def note(desk: Desk, number: int = 1) -> Draft:
    """Return a harmless event for everyone."""
    what = {"kind": "acknowledged", "number": number, "rows": []}
    return Draft(what, casebook.load(desk.casebook).everyone(FIRST))


def test_nothing_is_wrong_with_an_untouched_casebook(desk: Desk) -> None:
    state = desk.state(*ALL)
    assert not state.faults
    assert len(state.cases) == 5
    assert len(pieces(desk.chain())) == 6


def test_a_flipped_byte_costs_one_event(desk: Desk) -> None:
    frames = pieces(desk.chain())
    for place in (20, len(frames[2]) // 2, len(frames[2]) - 30):
        bent = bytearray(frames[2])
        bent[place] ^= 1
        desk.chain().write_bytes(b"".join([*frames[:2], bytes(bent), *frames[3:]]))
        state = desk.state(*ALL)
        assert len(state.cases) == 4
        named = ("event 3", "damaged after event 2")
        assert any(name in fault for fault in state.faults for name in named)


def test_a_flipped_length_is_stepped_over(desk: Desk) -> None:
    frames = pieces(desk.chain())
    for digit in (b"0", b"f", b"x"):
        desk.chain().write_bytes(
            b"".join(
                [*frames[:2], digit + b"0" + frames[2][2:6] + b"zz" + frames[2][8:], *frames[3:]]
            )
        )
        state = desk.state(*ALL)
        assert len(state.cases) == 4
        assert any("damaged after event 2" in fault for fault in state.faults)
        assert any("1 before event 4 missing" in fault for fault in state.faults)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: [*f[:2], *f[3:]], "1 before event 4 missing or moved"),
        (lambda f: [*f[:2], f[3], f[2], *f[4:]], "out of its place"),
        (lambda f: [*f[:3], f[2], *f[3:]], "stands here twice"),
        (lambda f: [*f, f[1]], "stands here twice"),
        (lambda f: f[1:], "1 before event 2 missing"),
    ],
    ids=["dropped", "swapped", "doubled", "replayed", "first gone"],
)
def test_a_moved_event_is_found(
    desk: Desk, change: Callable[[Sequence[bytes]], Sequence[bytes]], said: str
) -> None:
    desk.chain().write_bytes(b"".join(change(pieces(desk.chain()))))
    state = desk.state(*ALL)
    assert any(said in fault for fault in state.faults)
    assert len(state.cases) >= 4


def test_events_that_are_not_for_us_cannot_be_moved_either(desk: Desk) -> None:
    """Who opens only some events still sees that others were replaced between them."""
    frames = pieces(desk.chain())
    alone = desk.chains("carol")["alice.desk-a"]
    closed = [n for n in range(1, 6) if n not in alone.events]
    assert closed
    place = closed[0] - 1
    other = seal(b"other", casebook.load(desk.casebook).everyone(FIRST))
    desk.chain().write_bytes(
        b"".join([*frames[:place], b"%08x\n%b\n" % (len(other), other), *frames[place + 1 :]])
    )
    assert any(f"event {place + 1}" in fault for fault in desk.state("carol").faults)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": signing_key("nobody")},
        {"key": signing_key("bob")},
        {"deployment": bytes(32)},
        {"last": -1},
    ],
    ids=["nobody", "another reviewer", "another deployment", "sequence 0"],
)
def test_a_forged_event_is_refused(desk: Desk, changes: dict[str, object]) -> None:
    pen(desk, "alice", **changes).append([note(desk, 9)])  # type: ignore[arg-type]
    state = desk.state(*ALL)
    assert any("damaged, foreign or forged" in fault for fault in state.faults)
    assert state.number == 0
    assert len(state.cases) == 5


def test_an_event_in_another_chain_is_refused(desk: Desk) -> None:
    pen(desk, "alice").append([note(desk, 9)])
    frames = pieces(desk.chain())
    desk.chain().write_bytes(b"".join(frames[:-1]))
    desk.chain("bob").write_bytes(frames[-1])
    state = desk.state(*ALL)
    assert any("bob.desk-a: event 1 is damaged, foreign or forged" in f for f in state.faults)
    assert state.number == 0


def test_an_event_that_follows_another_history_is_named(desk: Desk) -> None:
    pen(desk, "alice", hash=bytes(32)).append([note(desk, 9)])
    assert any("event 6 is not the one that event 7 follows" in f for f in desk.state("bob").faults)


def test_an_event_that_makes_no_sense_is_left_out(desk: Desk) -> None:
    everyone = casebook.load(desk.casebook).everyone(FIRST)
    odd: list[dict[str, object]] = [
        {"kind": "from the future"},
        {"kind": "import"},
        {"kind": "received", "id": 7},
        {"kind": "acknowledged", "number": True, "rows": []},
        {"kind": "acknowledged", "number": 10**15 - 1, "rows": []},
        {"kind": "part", "manifest": "00" * 32, "rows": []},
        {"cases": {}, "kind": "part", "manifest": "00" * 32, "rows": [[1, 2, 3, 4]]},
        {"cases": {}, "kind": "part", "manifest": "00" * 32, "rows": {"a": {}}},
    ]
    pen(desk, "bob").append([Draft(what, everyone) for what in odd])
    state = desk.state(*ALL)
    assert len([fault for fault in state.faults if "makes no sense" in fault]) == len(odd)
    assert (len(state.cases), state.number) == (5, 0)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("received", "assigned", ["bob\nCase 0000 · certified"]),
        ("received", "envelope", "testimony\n  ! Case 0000"),
        ("import", "period", "2026-w47\n  ! Case 0000"),
        ("import", "cases", {"00" * 32: ["bob\u202e", "carol"]}),
    ],
)
def test_a_planted_author_writes_no_line_that_looks_like_ours(
    desk: Desk, kind: str, field: str, value: object
) -> None:
    events = desk.chains(*ALL)["alice.desk-a"].events.values()
    event = next(event for event in events if event.what["kind"] == kind)
    what = dict(event.what)
    if kind == "received":  # a case of its own
        what["rows"] = [{**what["rows"][0], "case": "00" * 16}]
    if field == "envelope":
        what["rows"][0][field] = value
    else:
        what[field] = value
    recipients = casebook.load(desk.casebook).everyone(FIRST)
    pen(desk, "bob").append([Draft(what, recipients)])
    state = desk.state(*ALL)
    assert len([fault for fault in state.faults if "makes no sense" in fault]) == 1
    assert bytes(16) not in state.cases


def test_a_later_record_of_the_same_row_does_not_replace_the_first(desk: Desk) -> None:
    """A planted reviewer points a case at other words; the import's word for the row counts."""
    case = next(iter(desk.state(*ALL).cases.values()))
    event = case.received[0].event
    row = {**event.what["rows"][0], "blob": "00" * 32}
    other = {**event.what, "rows": [row], "assigned": ["bob"]}
    recipients = casebook.load(desk.casebook).everyone(FIRST)
    pen(desk, "bob").append([Draft(other, recipients)])
    after = desk.state(*ALL).cases[case.tag]
    assert after.received == case.received
    assert after.assigned == case.assigned


def test_a_lost_tail_is_found_against_another_chain(desk: Desk) -> None:
    pen(desk, "bob").append([note(desk)])
    desk.chain().write_bytes(b"".join(pieces(desk.chain())[:-1]))
    faults = desk.state(*ALL).faults
    assert "alice.desk-a: event 6, which bob.desk-a has seen, is missing here." in faults
    desk.chain().unlink()
    faults = desk.state(*ALL).faults
    assert "alice.desk-a: event 6, which bob.desk-a has seen, is missing here." in faults


def test_a_rewritten_tail_is_found_against_another_chain(desk: Desk) -> None:
    pen(desk, "bob").append([note(desk)])
    desk.chain().write_bytes(b"".join(pieces(desk.chain())[:-1]))
    pen(desk, "alice").append([note(desk)])
    faults = desk.state(*ALL).faults
    assert "alice.desk-a: event 6, which bob.desk-a has seen, is another one here." in faults


def removed(desk: Desk, name: str, chains: dict[str, list[object]]) -> None:
    """Put a keyring in force that removes a reviewer after these last events."""
    reviewers = [dict(facts) for facts in desk.made.draft["reviewers"]]
    for facts in reviewers:
        if facts["name"] == name:
            facts["removed"] = chains
    periods = desk.made.draft["periods"]
    made = desk.made.follow(reviewers=reviewers, periods=periods)
    casebook.load(desk.casebook).add_keyring(made.raw)


def test_later_events_of_a_removed_reviewer_are_refused(desk: Desk) -> None:
    last, digest = desk.chains("alice")["alice.desk-a"].head
    pen(desk, "alice").append([note(desk, 9)])
    removed(desk, "alice", {"alice.desk-a": [last, digest.hex()]})
    state = desk.state(*ALL)
    assert any("1 events after event 6 are refused" in fault for fault in state.faults)
    assert state.number == 0
    assert len(state.cases) == 5


@pytest.mark.parametrize("added", [b"x", b"00000004\nevil\n", b"0000000a\nto"])
def test_what_is_added_to_a_removed_reviewers_chain_costs_nothing(desk: Desk, added: bytes) -> None:
    last, digest = desk.chains("alice")["alice.desk-a"].head
    removed(desk, "alice", {"alice.desk-a": [last, digest.hex()]})
    with desk.chain().open("ab") as file:
        file.write(added)
    state = desk.state(*ALL)
    assert state.faults
    assert len(state.cases) == 5


def test_damage_in_what_the_keyring_names_costs_all_of_it(desk: Desk) -> None:
    last, digest = desk.chains("alice")["alice.desk-a"].head
    removed(desk, "alice", {"alice.desk-a": [last, digest.hex()]})
    data = bytearray(desk.chain().read_bytes())
    data[len(data) // 2] ^= 1
    desk.chain().write_bytes(data)
    assert not desk.state(*ALL).cases


def test_a_removed_reviewer_cannot_rewrite_what_went_before(desk: Desk) -> None:
    last, digest = desk.chains("alice")["alice.desk-a"].head
    desk.chain().write_bytes(b"".join(pieces(desk.chain())[:-1]))
    pen(desk, "alice").append([note(desk, 9)])
    removed(desk, "alice", {"alice.desk-a": [last, digest.hex()]})
    state = desk.state(*ALL)
    assert any("none of it is used" in fault for fault in state.faults)
    assert not state.cases


def test_of_a_chain_that_the_keyring_does_not_name_nothing_is_used(desk: Desk) -> None:
    pen(desk, "bob").append([note(desk, 9)])
    removed(desk, "bob", {})
    state = desk.state(*ALL)
    assert state.number == 0
    assert any("bob.desk-a: 1 events after event 0 are refused" in f for f in state.faults)


def test_the_fold_does_not_depend_on_the_order_of_files(desk: Desk) -> None:
    for author in ("bob", "carol", "bob"):
        pen(desk, author).append([note(desk)])
    chains = desk.chains(*ALL)
    states = [fold(dict(order)) for order in itertools.permutations(chains.items())]
    assert all(shown(state) == shown(states[0]) for state in states)


def shown(state: State) -> object:
    return [list(state.cases), list(state.rows), list(state.pending), state.number, state.closed]


def test_an_event_comes_after_what_its_author_had_seen(desk: Desk) -> None:
    """Alice's rows are acknowledged by bob, who saw them, in whatever order hashes fall."""
    for _ in range(4):
        state = desk.state(*ALL)
        assert len(state.pending) == 5
        rows = [[row.id.hex(), row.sha256.hex()] for row in state.pending.values()]
        what = {"kind": "acknowledged", "number": 1, "rows": rows}
        pen(desk, "bob").append([Draft(what, note(desk).recipients)])
        assert not desk.state(*ALL).pending
        desk.chain("bob").unlink()


def test_a_failing_disk_leaves_the_chain_as_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = desk.chain().read_bytes()
    writer = pen(desk, "alice")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineTrouble, match="no space left"):
        writer.append([note(desk)])
    assert desk.chain().read_bytes() == before
    monkeypatch.undo()
    writer.append([note(desk)])
    assert not desk.state("bob").faults


def test_an_append_that_a_power_cut_tore_is_taken_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its middle is missing, its end is there: that looks like a forged event until it is gone."""
    pen(desk, "alice").append([note(desk)])
    before = desk.chain().read_bytes()
    writer, book, real, synced = pen(desk, "alice"), casebook.load(desk.casebook), os.fsync, 0

    def third(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        if synced == 3:  # after those of the note
            cut()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", third)
    with pytest.raises(KeyboardInterrupt):
        writer.append([note(desk), note(desk)])
    monkeypatch.undo()
    whole = desk.chain().read_bytes()
    left = (desk.casebook / "appending").read_bytes()
    middle = (len(before) + len(whole)) // 2
    for torn in (
        whole[: middle - 500] + bytes(1000) + whole[middle + 500 :],
        whole[:-1] + b"?",
        whole[:middle],
        before,
    ):
        files.write(desk.chain(), torn)
        files.write(desk.casebook / "appending", left)
        with book.locked():
            assert desk.chain().read_bytes() == before
        assert not (desk.casebook / "appending").exists()
    for kept in (whole, whole + b"and more, which came later"):
        files.write(desk.chain(), kept)
        files.write(desk.casebook / "appending", left)
        with book.locked():
            assert desk.chain().read_bytes() == kept
    files.write(desk.casebook / "appending", b"[]")
    with pytest.raises(BadFile, match="appending is damaged"), book.locked():
        pass


def test_one_writer_at_a_time(desk: Desk) -> None:
    book = casebook.load(desk.casebook)
    with book.locked(), pytest.raises(MachineTrouble, match="Another command"):
        copying.copy(casebook.load(desk.casebook), desk.root / "second")


def test_keyrings_of_a_casebook(desk: Desk) -> None:
    book = casebook.load(desk.casebook)
    with pytest.raises(BadKeyring, match="does not follow"):
        book.add_keyring(desk.made.raw)
    with pytest.raises(BadKeyring, match="another deployment"):
        book.add_keyring(deployment("other").follow().raw)
    second = desk.made.follow()
    book.add_keyring(second.raw)
    assert [k.version for k in casebook.load(desk.casebook).keyrings] == [1, 2]
    (desk.casebook / "keyrings" / "000001").unlink()
    (desk.casebook / "keyrings" / "000002").write_bytes(deployment("other").raw)
    with pytest.raises(BadFile, match="not those it was made with"):
        casebook.load(desk.casebook)


def test_a_clock_set_back_backdates_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    later = FIRST.replace(day=20)
    for day, number in ((FIRST.replace(year=2020), 1), (later, 2), (FIRST, 3)):
        monkeypatch.setattr(days, "clock", lambda day=day: day)
        with contextlib.suppress(Incomplete):
            row = sealed_row(f"later {number}")
            desk.bring(desk.bundle([row], 1 + number, previous=bytes([number] * 32))[0])
    events = desk.chains("alice")["alice.desk-a"].events
    assert [events[n].day for n in (6, 8, 10, 12)] == [FIRST, FIRST, later, later]


def test_a_quarter_without_keys_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "clock", lambda: FIRST.replace(year=2031))
    path, _ = desk.bundle([sealed_row("later")])
    with pytest.raises(BadKeyring, match=r"no key of .* for 2031q4"):
        desk.bring(path)


def test_a_casebook_that_was_half_made_can_be_made_again(desk: Desk, tmp_path: Path) -> None:
    """One that has a log, or words, is none of these, whatever else it lost."""
    folder = tmp_path / "new"
    for name in ("keyrings", "chains", "blobs"):
        (folder / name).mkdir(parents=True)
    (folder / "keyrings" / "000009").write_bytes(b"of another one")
    (folder / ".casebook.json.0011.partial").write_bytes(b"{")
    casebook.create(folder, desk.made.raw, "desk-a")
    assert casebook.load(folder).desk == "desk-a"
    assert not list(folder.glob(".*"))
    (desk.casebook / "casebook.json").unlink()
    with pytest.raises(Misuse, match="is not empty"):
        casebook.create(desk.casebook, desk.made.raw, "desk-a")


def test_what_is_no_casebook(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="is not a casebook"):
        casebook.load(tmp_path)
    with pytest.raises(Misuse, match="is not empty"):
        casebook.create(desk.casebook, desk.made.raw, "desk-b")
    with pytest.raises(Misuse, match="desk's name"):
        casebook.create(tmp_path / "new", desk.made.raw, "../desk")
    path = desk.casebook / "casebook.json"
    wrong: list[tuple[str, object]] = [("deployment", []), ("deployment", {})]
    for name, value in [*wrong, ("desk", 5), ("desk", None)]:
        facts: dict[str, object] = {"desk": "5", "format": casebook.FORMAT}
        facts["deployment"] = desk.made.deployment.hex()
        path.write_bytes(canonical.dump(facts))
        assert casebook.load(desk.casebook).desk == "5"
        path.write_bytes(canonical.dump({**facts, name: value}))
        with pytest.raises(BadFile, match="is damaged"):
            casebook.load(desk.casebook)
    path.write_bytes(b"{}")
    with pytest.raises(BadFile):
        casebook.load(desk.casebook)


def test_assignment_is_spread_and_kept(desk: Desk) -> None:
    book = casebook.load(desk.casebook)
    pairs = [book.assign(bytes([n]) * 16, bytes(32)) for n in range(200)]
    counts = {pair: pairs.count(pair) for pair in set(pairs)}
    assert len(counts) == 3
    assert min(counts.values()) > 40
    for name in ALL:
        assert book.assign(bytes(16), bytes(32), ("bob", "carol")) == ("bob", "carol")
        one, two = book.assign(bytes(16), bytes(32), (name, "dave"))
        assert name in {one, two}
        assert "dave" not in {one, two}


def test_a_tag_chosen_in_advance_does_not_fix_the_reviewers(desk: Desk) -> None:
    """A source can try forms until the tag suits; the manifest is drawn after that, by nobody."""
    book, row = casebook.load(desk.casebook), sealed_row("chosen")
    pairs = [book.assign(row.case, desk.bundle([row], left=n)[1]) for n in range(100)]
    assert {pairs.count(pair) > 10 for pair in set(pairs)} == {True}
    assert len(set(pairs)) == 3
    again, _ = sealed_row("chosen"), desk.bundle([row])
    manifests = {desk.bundle([each])[1] for each in (row, again)}
    assert len(manifests) == 2, "the same words sealed again are another manifest"


def test_a_case_keeps_its_reviewers_whoever_imports_and_where(tmp_path: Path) -> None:
    """Later rows of a case follow it, also when its reviewers are not there."""
    made = make_deployment(reviewers=5, label="five")
    one, other = Desk(tmp_path / "one", made), Desk(tmp_path / "other", made, "desk-b")
    first, more = (
        [sealed_row(f"{n}", {**ANSWERS, "account": words}, made=made) for n in range(8)]
        for words in ("first", "more")
    )
    path, manifest = one.bundle(first)
    one.bring(path)
    other.bring(path, "dave", "erin")
    assigned = {c.tag: c.assigned for c in one.state(*made.reviewers).cases.values()}
    assert assigned == {c.tag: c.assigned for c in other.state(*made.reviewers).cases.values()}
    assert len(set(assigned.values())) > 1
    one.bring(one.bundle(more, 2, previous=manifest)[0], "dave", "erin")
    for case in one.state(*made.reviewers).cases.values():
        assert [item.assigned for item in case.received] == [assigned[case.tag]] * 2


def plant(
    desk: Desk, author: str, row: Sealed, words: bytes | None, to: Sequence[str] = ("bob", "carol")
) -> None:
    """Record a row as a planted author: with no words, with these, or for these only."""
    book, writer = casebook.load(desk.casebook), pen(desk, author)
    drafts, blob = [], None
    if words is not None:
        said, (blob, salt) = opened.parse(words), record.new_name(words)
        record.write_blob(desk.casebook, blob, words, book.recipients(to, FIRST))
        told = {
            "blob": blob.hex(),
            "case": said.case.hex(),
            "day": said.day.isoformat(),
            "envelope": said.kind,
            "id": row.entry.id.hex(),
            "keyring": [said.keyring[0], said.keyring[1].hex()],
            "salt": salt.hex(),
        }
        what = {"assigned": ["bob", "carol"], "kind": "received", "rows": [told]}
        drafts = [Draft(what, book.recipients(("bob", "carol"), FIRST))]
    listed = Row(row.entry.id, row.entry.sha256, "ok", blob)
    part = {"cases": {}, "kind": "part", "manifest": "00" * 32, "rows": [listed]}
    writer.append([*drafts, Draft(part, book.everyone(FIRST))])


LIES: dict[str, Callable[[Sealed], bytes | None]] = {
    "a decoy": lambda _: None,
    "other words": lambda _: sealed_row("others").plaintext,
    "other words of the same form": lambda _: sealed_row("real", {"account": "x"}).plaintext,
    "a part of a file": lambda _: sealed_row("real", kind="slice").plaintext,
    "another decoy": lambda _: sealed_row("real", kind="decoy").plaintext,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
@pytest.mark.parametrize("signers", [("bob", "carol"), ("carol", "bob"), ("alice", "bob"), ALL])
def test_no_planted_author_gets_a_row_forgotten(
    desk: Desk, lie: Callable[[Sealed], bytes | None], signers: tuple[str, ...]
) -> None:
    """Bob saw a bundle's list, and records its row as something else before anybody imports it."""
    row = sealed_row("real")
    plant(desk, "bob", row, lie(row))
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Incomplete, match="on the server"):
        desk.acknowledge(desk.root / "1.return", *signers)
    assert row.entry.id in desk.state(*ALL).pending
    if (desk.root / "1.return").exists():
        with open_return(desk.root / "1.return", desk.made.keyring) as returned:
            assert row.entry.id not in {entry.id for entry in returned.acknowledged}


def test_words_that_only_their_author_opens_are_not_acknowledged(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    row = sealed_row("real")
    plant(desk, "bob", row, row.plaintext, to=("bob",))
    # Alice, who is honest, imports the bundle, and finds the row "already here".
    desk.bring(desk.bundle([row], 2, previous=next(iter(desk.state("alice").bundles)))[0])
    desk.run("copy", "--to", desk.root / "second")
    capsys.readouterr()
    with pytest.raises(Incomplete):
        desk.acknowledge(desk.root / "1.return")
    assert "1  do not open for carol, as bob says they do" in capsys.readouterr().out
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Incomplete):
        desk.acknowledge(desk.root / "2.return", "alice", "bob")
    assert row.entry.id in desk.state(*ALL).pending


def test_what_was_called_a_decoy_is_looked_at_again(desk: Desk) -> None:
    row, decoy = sealed_row("real"), sealed_row("nothing", kind="decoy")
    plant(desk, "bob", row, None)
    plant(desk, "bob", decoy, None)
    previous = next(m for m, b in desk.state("alice").bundles.items() if b.number == 1)
    desk.bring(desk.bundle([row, decoy], 2, previous=previous)[0])
    state = desk.state(*ALL)
    assert [item.id for item in state.cases[row.case].received] == [row.entry.id]
    assert state.rows[row.entry.id].blob is not None
    assert decoy.case not in state.cases
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Incomplete, match="server: 1"):
        desk.acknowledge(desk.root / "1.return")
    assert desk.state(*ALL).pending.keys() == {decoy.entry.id}


def test_a_record_that_lies_about_words_is_named_to_who_reads(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    row, others = sealed_row("real"), sealed_row("others")
    plant(desk, "bob", row, others.plaintext)
    with pytest.raises(Incomplete, match="cannot be read"):
        desk.run("read", others.case.hex(), *desk.here("carol"))
    assert "bob recorded one envelope as what it is not" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a\nAll events are here. No fault", "carol", "carol.\u202e"])
def test_a_chain_that_somebody_claims_to_have_seen_has_a_chains_name(desk: Desk, name: str) -> None:
    """A chain that somebody has seen is named in a fault: it must have a chain's name."""
    pen(desk, "bob", heads={name: (1, bytes(32))}).append([note(desk)])
    assert desk.state(*ALL).faults == ["bob.desk-a: event 1 is damaged, foreign or forged."]
    pen(desk, "bob", heads={"carol.desk-b": (1, bytes(32))}).append([note(desk)])
    assert any("carol.desk-b: event 1, which" in fault for fault in desk.state(*ALL).faults)


def test_grounds_that_are_no_list_are_refused(desk: Desk) -> None:
    pen(desk, "bob").append([replace(note(desk), grounds="text")])
    assert desk.state(*ALL).faults == ["bob.desk-a: event 1 is damaged, foreign or forged."]


def test_a_circle_of_events_stops_nothing(desk: Desk) -> None:
    """Bob claims to have seen events that came after his own; they still count."""
    pen(desk, "bob").append([note(desk)])
    pen(desk, "alice").append([note(desk)])
    last = desk.chains(*ALL)["alice.desk-a"].last
    desk.chain("bob").unlink()
    head = {"alice.desk-a": (last, bytes(32))}
    pen(desk, "bob", heads=head).append([note(desk), note(desk, 2)])
    state = desk.state(*ALL)
    assert len(state.cases) == 5
    assert state.number == 2


def test_a_blobs_own_folder_is_durable_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event says that the words are on the disk; their folder's name must be, too."""
    synced: list[Path] = []
    # Blobs that are there have names of chance; take one whose folder is not there yet.
    places = {name: record.blob_path(desk.casebook, name) for name in map(int.to_bytes, range(256))}
    name, path = next(one for one in places.items() if not one[1].parent.exists())
    monkeypatch.setattr(files, "sync_folder", synced.append)
    record.write_blob(desk.casebook, name, b"words", [Identity.generate().recipient()])
    assert synced == [path.parent.parent, path.parent]
