"""Decoys at the desk: nothing tells them from letters on their way, and nobody calls a letter one.

Rule: whoever records a row may be planted. What is believed of a decoy is what its id says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from intake import days, envelope
from intake.bundle.reading import open_return
from intake.desk import casebook, importing, opened
from intake.desk.record import Draft
from intake.desk.state import Row
from intake.errors import Incomplete, Misuse
from tests.desk_maker import Desk, Sealed, sealed_row
from tests.makers import FIRST
from tests.test_casebook import ALL, pen
from tests.test_casebook import plant as plant_words

SIGNERS = (("bob", "carol"), ("carol", "bob"), ("alice", "bob"), ALL)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    return Desk(tmp_path / "desk")


def letters(count: int) -> list[Sealed]:
    return [sealed_row(f"form {n}") for n in range(count)]


def decoy(seed: str = "nothing") -> Sealed:
    """Return the decoy that a server would store."""
    return sealed_row(seed, kind=envelope.DECOY, body={})


def nonce(row: Sealed) -> bytes:
    return opened.parse(row.plaintext).nonce


def back(desk: Desk, number: int, *signers: str) -> tuple[set[bytes], int]:
    """Copy and acknowledge; return the rows that go, and how many replies come."""
    desk.run("copy", "--to", desk.root / "second")
    out = desk.root / f"{number}.return"
    waits = None
    try:
        desk.acknowledge(out, *signers)
    except Incomplete as refused:
        waits = refused
    if not out.exists():
        assert waits
        return set(), 0
    with open_return(out, desk.made.keyring) as returned:
        replies = sum(1 for _ in returned)
        return {entry.id for entry in returned.acknowledged}, replies


def plant(desk: Desk, author: str, row: Sealed, decoys: object) -> None:
    """Record a row as a planted author, without words, and with this said of decoys."""
    listed = Row(row.entry.id, row.entry.sha256, "ok", None)
    part = {"cases": {}, "decoys": decoys, "kind": "part", "manifest": "00" * 32, "rows": [listed]}
    everyone = casebook.load(desk.casebook).everyone(FIRST)
    pen(desk, author).append([Draft(part, everyone)])


def recorded(desk: Desk) -> list[dict[str, Any]]:
    """Return what the events that record rows say of decoys."""
    chains = desk.chains(*ALL).values()
    events = [event for one in chains for event in one.events.values()]
    return [dict(event.what["decoys"]) for event in events if "decoys" in event.what]


def test_the_id_of_a_decoy_follows_from_its_nonce_alone() -> None:
    row = decoy()
    assert opened.is_decoy(row.entry.id, nonce(row))
    assert not opened.is_decoy(row.entry.id, bytes(32))
    assert not opened.is_decoy(bytes(16), nonce(row))


@pytest.mark.parametrize("kind", envelope.KINDS)
@pytest.mark.parametrize("body", [{}, {"words": "decoy\n{}"}, "decoy\n{}", "", [], None, 0])
@pytest.mark.parametrize("content", [b"", b"{}", b"decoy\n{}"])
def test_no_other_envelope_has_the_id_of_a_decoy(kind: str, body: object, content: bytes) -> None:
    """Whatever its kind, body and content: the id binds all three."""
    place = (FIRST, "my", (1, bytes(32)), bytes(16), bytes(32), bytes(32))
    row = envelope.Envelope(kind, *place, body, content).row
    plain = (kind, body, content) == (envelope.DECOY, {}, b"")
    assert opened.is_decoy(row, bytes(32)) == plain


def test_decoys_leave_the_server_as_letters_do(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with a reply, as each case has its notice: so a return says nothing of their number."""
    sent, empty = letters(3), [decoy(f"{n}") for n in range(4)]
    desk.bring(desk.bundle([*sent, *empty])[0])
    assert "4  of the new ones are decoys" in capsys.readouterr().out
    gone, replies = back(desk, 1)
    assert gone == {row.entry.id for row in [*sent, *empty]}
    assert replies == len(gone)
    out = capsys.readouterr().out
    assert "Return 1: 3 rows are in both copies, and may go." in out
    assert "So may 4 decoys, which nobody keeps." in out
    assert "To sources it carries: 3 notices, 0 replies, 4 decoys." in out
    assert not desk.state(*ALL).pending


def test_a_period_with_nothing_but_decoys_can_be_closed(desk: Desk) -> None:
    _, first = desk.bundle([decoy()])
    desk.bring(desk.root / "1.bundle")
    desk.bring(desk.bundle([], 2, previous=first)[0])
    gone, _ = back(desk, 1)
    assert len(gone) == 2
    assert not desk.state(*ALL).closings


def test_decoys_that_come_again_are_acknowledged_again(desk: Desk) -> None:
    """A return was lost. Nothing is recorded twice but that they came."""
    row = decoy()
    _, first = desk.bundle([row])
    desk.bring(desk.root / "1.bundle")
    assert back(desk, 1) == ({row.entry.id}, 1)
    desk.bring(desk.bundle([row], 2, previous=first)[0])
    assert back(desk, 2) == ({row.entry.id}, 1)
    assert recorded(desk) == [{row.entry.id.hex(): nonce(row).hex()}]
    sizes = [desk.chain(name).stat().st_size for name in ("alice", "bob")]
    desk.bring(desk.root / "2.bundle", "bob", "carol")
    assert [desk.chain(name).stat().st_size for name in ("alice", "bob")] == sizes


def test_many_decoys_in_many_batches_are_all_recorded(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 3)
    rows = [decoy(f"{n}") for n in range(8)]
    desk.bring(desk.bundle([*rows, *letters(3)])[0])
    said = recorded(desk)
    assert len(said) > 1
    assert {row for one in said for row in one} == {row.entry.id.hex() for row in rows}
    assert len(back(desk, 1)[0]) == 11


def older() -> list[Sealed]:
    """Return decoys whose ids do not say what they are."""
    row = decoy()
    drawn = replace(row, entry=replace(row.entry, id=bytes(range(16))))
    return [drawn, sealed_row("a body", kind=envelope.DECOY)]


@pytest.mark.parametrize("row", older(), ids=["drawn id", "other body"])
def test_decoys_whose_ids_do_not_say_so_wait(
    desk: Desk, row: Sealed, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.bring(desk.bundle([*letters(2), row])[0])
    assert "1  of the new ones are decoys" in capsys.readouterr().out
    gone, replies = back(desk, 1)
    assert gone == {row.entry.id for row in letters(2)}
    assert replies == 2
    assert "1  hold no words, and are not proven to be decoys" in capsys.readouterr().out
    assert desk.state(*ALL).pending.keys() == {row.entry.id}


LIES: dict[str, Callable[[Sealed], bytes]] = {
    "the row's own nonce": nonce,
    "a decoy's nonce": lambda _: nonce(decoy()),
    "zeros": lambda _: bytes(32),
    "its case": lambda row: row.case * 2,
    "its id": lambda row: row.entry.id * 2,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
@pytest.mark.parametrize("signers", SIGNERS)
def test_no_planted_author_gets_a_letter_forgotten_as_a_decoy(
    desk: Desk, lie: Callable[[Sealed], bytes], signers: tuple[str, ...]
) -> None:
    """Bob knows the letter, all that is in it, and true decoys."""
    row = sealed_row("real")
    plant(desk, "bob", row, {row.entry.id.hex(): lie(row).hex()})
    assert not desk.state(*ALL).decoys
    assert row.entry.id not in back(desk, 1, *signers)[0]
    assert row.entry.id in desk.state(*ALL).pending


@pytest.mark.parametrize("signers", SIGNERS)
def test_a_letter_called_a_decoy_comes_with_the_next_import(
    desk: Desk, signers: tuple[str, ...]
) -> None:
    row = sealed_row("real")
    plant(desk, "bob", row, {row.entry.id.hex(): nonce(row).hex()})
    desk.bring(desk.bundle([row])[0])
    assert [item.id for item in desk.state(*ALL).cases[row.case].received] == [row.entry.id]
    assert back(desk, 1, *signers)[0] <= {row.entry.id}


@pytest.mark.parametrize("said", [{}, {decoy().entry.id.hex(): "00" * 32}])
def test_a_decoy_that_somebody_withheld_is_proven_by_the_next_import(
    desk: Desk, said: dict[str, str]
) -> None:
    row = decoy()
    plant(desk, "bob", row, said)
    assert back(desk, 1) == (set(), 0)
    desk.bring(desk.bundle([row])[0])
    assert back(desk, 2) == ({row.entry.id}, 1)


def test_a_decoy_is_no_letter_whoever_records_it_so(desk: Desk) -> None:
    """A case of nothing would be shown, and nobody sent it."""
    row = decoy()
    plant_words(desk, "bob", row, row.plaintext)
    with pytest.raises(Incomplete, match="cannot be read"):
        desk.run("read", row.case.hex(), *desk.here("bob"))


@pytest.mark.parametrize(
    "decoys",
    [[], ["00" * 16], {"00": "00" * 32}, {"00" * 16: "00" * 31}, {"00" * 16: None}, "00", 1, None],
)
def test_what_is_no_list_of_decoys_makes_no_sense(desk: Desk, decoys: object) -> None:
    plant(desk, "bob", sealed_row("real"), decoys)
    state = desk.state(*ALL)
    assert state.faults == ["bob.desk-a: event 1 makes no sense to this version, and is left out."]
    assert not state.pending


def test_nothing_else_than_decoys_has_a_nonce_in_an_event(desk: Desk) -> None:
    """Who has a letter's nonce could call other words that letter."""
    rows = letters(4)
    desk.bring(desk.bundle([*rows, decoy()])[0])
    chains = desk.chains(*ALL).values()
    said = repr([event.what for one in chains for event in one.events.values()])
    assert not [row for row in rows if nonce(row).hex() in said]
    assert nonce(decoy()).hex() in said


def test_a_return_of_nothing_but_decoys_is_one(desk: Desk) -> None:
    desk.bring(desk.bundle([decoy()])[0])
    assert back(desk, 1) == ({decoy().entry.id}, 1)
    with pytest.raises(Misuse, match="nothing to acknowledge"):
        back(desk, 2)
