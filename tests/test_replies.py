"""What goes back to sources: notices, replies and decoys, chosen, agreed to by two, and sealed.

Rules:
- Everything is written by the desk's own commands, and read by what the site reads it with.
- A mailbox is computed here from the receipt, as its source would, and never taken from the desk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from intake import canonical, days, envelope, receipt, reply
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.bundle import Entry, ReturnHeader
from intake.bundle.reading import open_return
from intake.bundle.writing import write_return
from intake.desk import acknowledging, casebook, cases, deciding, opened, outgoing, record
from intake.desk.deciding import Draft, Drafts
from intake.desk.state import State
from intake.errors import Incomplete, MachineTrouble, Misuse, NoMatchingKey
from intake.reply import NOTICE, REPLY, TEXT, Mailbox, Reply
from intake.server.mailbox import parse
from intake.zawgyi import to_unicode
from tests import desks as at
from tests.desk_maker import Desk, Sealed
from tests.makers import FIRST
from tests.test_zawgyi import UNICODE, ZAWGYI

Found = dict[tuple[bytes, bytes], bytes]  # by mailbox and id, as it was sealed
ID = "5a" * 16
FITS = (at.BURMESE, at.ZAWGYI, "🪖🕊️", "က" * TEXT, "🕊" * TEXT, '"\n\\' * 333, "a", "\u200b\u202e")
FITS_NOT = ("", " \n ", "က" * (TEXT + 1), "\x00", "a\x1b[0m", "a\tb", "\x7f", "\x85", "\ud83d")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk where carol imported three cases of alice and bob."""
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    (made,) = at.desks(tmp_path, "desk-a")
    made.bring(at.bundle_of(made, ("alice", "bob"), *at.rows(3)), "carol", "alice")
    return made


def tags() -> list[bytes]:
    return [row.case for row in at.rows(3)]


@cache
def box(number: int) -> Mailbox:
    """Return the mailbox that the source of a form finds with the receipt."""
    form = hashlib.sha256(f"form {number}".encode()).digest()
    deployment = at.people().deployment
    return reply.mailbox(deployment, receipt.reply_secret(deployment, receipt.receipt(form)))


def answer(desk: Desk, name: str, number: int, text: str = at.BURMESE) -> bytes:
    """Answer a case with the command; return the reply's id."""
    path = at.put(desk.root / "reply.txt", text.encode())
    before = at.seen(desk, name).cases[tags()[number]].replies
    desk.run("reply", tags()[number].hex(), "--text", path, *desk.here(name))
    (made,) = at.seen(desk, name).cases[tags()[number]].replies.keys() - before
    return made


def back(desk: Desk, number: int, *more: object, who: tuple[str, ...] = ("alice", "bob")) -> Found:
    """Copy, let two sign a return, and return what it carries. Its number must be this one."""
    desk.run("copy", "--to", desk.root / "second")
    out = desk.root / f"{number}.return"
    people = [part for name in who for part in desk.here(name)]
    where = ("--second-copy", desk.root / "second", "--out", out)
    desk.run("acknowledge", *where, *people, *more, *["--yes"] * ("--ask" not in more))
    with open_return(out, desk.made.keyring) as returned:
        assert returned.header.number == number
        found = {(entry.mailbox, entry.id): body for entry, body, _ in returned}
    assert all(body is not None and len(body) == reply.SEALED for body in found.values())
    return {key: body for key, body in found.items() if body}


def of_rows(desk: Desk, number: int) -> int:
    with open_return(desk.root / f"{number}.return", desk.made.keyring) as returned:
        return len(returned.acknowledged)


def read(found: Found, number: int) -> list[Reply]:
    """Return what a source reads: all that waits in the mailbox, oldest first."""
    own = box(number)
    key = Identity.from_seed(own.seed)
    waiting = [parse(unseal(body, [key])) for (box, _), body in found.items() if box == own.id]
    return sorted(waiting, key=lambda one: (one.day, one.number))


def notices(*numbers: int) -> set[tuple[bytes, bytes]]:
    return {(box(number).id, box(number).notice) for number in numbers}


def envelope_of(row: Sealed, **changes: Any) -> Sealed:  # noqa: ANN401
    """Return a row whose envelope says something else, under the id that follows from it."""
    inside = replace(opened.parse(row.plaintext), **changes)
    sealed = envelope.seal(inside, at.people().periods["2026-w47"].recipient())
    entry = Entry(inside.row, hashlib.sha256(sealed).digest())
    return Sealed(entry, sealed, inside.case, inside.plaintext())


def bring(desk: Desk, *rows: Sealed, names: tuple[str, ...] = ()) -> None:
    """Import one more bundle; with ``names``, new cases are theirs."""
    previous, book = next(iter(at.seen(desk, "carol").bundles)), casebook.load(desk.casebook)
    for left in range(200):
        path, manifest = desk.bundle(rows, 2, previous=previous, left=left)
        if not names or all(book.assign(row.case, manifest) == names for row in rows):
            break
    desk.bring(path, "carol", "alice")


# ---- notices ------------------------------------------------------------------------------------


def test_each_case_gets_its_notice_once(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    found = back(desk, 1)
    assert found.keys() == notices(0, 1, 2)
    for number in range(3):
        assert read(found, number) == [Reply(NOTICE, FIRST)]
    assert "it carries: 3 notices, 0 replies, 0 decoys" in capsys.readouterr().out
    assert at.seen(desk, "carol").heard == {record.case_key(tag): 1 for tag in tags()}
    more = envelope_of(at.rows(1)[0], body={"words": at.ZAWGYI}, kind=envelope.WORDS)
    bring(desk, more, *at.rows(4)[3:])
    assert back(desk, 2).keys() == notices(3), "form 0 was heard before"
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Misuse, match="nothing to send back"):
        desk.acknowledge(desk.root / "3.return", "alice", "bob")


def test_what_waits_for_its_row_waits_for_its_notice(tmp_path: Path, desk: Desk) -> None:
    made = Desk(tmp_path / "new", at.people(), "desk-b")
    made.bring(at.bundle_of(made, ("alice", "carol"), at.rows(1)[0]), "alice", "bob")
    with pytest.raises(Incomplete, match="stay on the server: 1"):
        back(made, 1)
    assert not (made.root / "1.return").exists()
    assert at.seen(made, "alice").heard == {}
    assert back(made, 1, who=("alice", "carol")).keys() == notices(0)
    assert at.seen(desk, "alice").heard == {}


def test_a_lost_return_goes_again_under_the_same_ids(desk: Desk) -> None:
    first = back(desk, 1)
    name = answer(desk, "alice", 1)
    second = back(desk, 2)
    assert second.keys() == {(box(1).id, name)}
    assert of_rows(desk, 2) == 0
    again = back(desk, 3, "--after", 1)
    assert again.keys() == second.keys()
    assert again.items().isdisjoint(second.items()), "sealed anew"
    everything = back(desk, 4, "--after", 0)
    assert everything.keys() == first.keys() | second.keys()
    assert [one.text for one in read(everything, 1)] == ["", at.BURMESE]
    assert at.seen(desk, "bob").sent == {name: 4}
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Misuse, match="nothing to send back"):
        back(desk, 5, "--after", 4)
    with pytest.raises(Misuse, match="nothing to send back"):
        back(desk, 5)


def test_what_others_heard_waits_for_them_when_it_goes_again(desk: Desk) -> None:
    bring(desk, *at.rows(5)[3:], names=("bob", "carol"))
    assert len(back(desk, 1)) == 5
    going, waits = outgoing.choose(at.seen(desk, "alice"), {"alice", "dave"}, set(), 0)
    assert {one.case.tag for one in going} == {*tags()}
    assert list(waits.values()) == [2]
    assert "wait for another reviewer to sign" in next(iter(waits))


def test_two_desks_make_the_same_notice(tmp_path: Path, desk: Desk) -> None:
    other = Desk(tmp_path / "other", at.people(), "desk-b")
    other.bring(desk.root / "1.bundle", "carol", "alice")
    here, there = back(desk, 1), back(other, 1)
    assert here.keys() == there.keys() == notices(0, 1, 2)
    assert here.items().isdisjoint(there.items())
    at.merge(desk, other)
    assert set(at.seen(desk, "alice").heard.values()) == {1}


def test_a_secret_of_another_mailbox_is_not_used(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mallory writes a letter that names form 0's case, or one of his own, with form 1's secret."""
    victim, other, lonely = at.rows(1)[0], at.rows(2)[1], at.rows(4)[3]
    wrong = opened.parse(other.plaintext).reply
    beside = envelope_of(victim, reply=wrong, body={"words": "x"}, kind=envelope.WORDS)
    alone = envelope_of(lonely, reply=wrong)
    made = Desk(desk.root / "new", at.people(), "desk-b")
    path = at.bundle_of(made, ("alice", "bob"), beside, alone, victim)
    made.bring(path, "carol", "alice")
    capsys.readouterr()
    found = back(made, 1)
    assert found.keys() == notices(0)
    assert (
        "1  cases get nothing: their words name the mailbox of another" in capsys.readouterr().out
    )
    assert set(at.seen(made, "alice").heard) == {record.case_key(victim.case)}
    assert of_rows(made, 1) == 3


def test_many_cases_go_through_all_cores(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intake.desk.cores.PIECE", 2)
    told: list[int] = []

    def watch(packed: Any, total: int) -> Any:  # noqa: ANN401
        for one in packed:
            told.append(total)
            yield one

    desk.run("copy", "--to", desk.root / "second")
    present = [at.who(desk, name) for name in ("alice", "bob")]
    where = (desk.root / "second", present, desk.root / "1.return")
    done = acknowledging.run(casebook.load(desk.casebook), *where, watch=watch)
    assert told == [3, 3, 3]
    assert {(e.mailbox, e.id) for e, _ in done.cargo.sealed} == notices(0, 1, 2)


# ---- replies ------------------------------------------------------------------------------------


def test_a_reply_is_shown_agreed_to_and_goes(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    name = answer(desk, "alice", 0, f"\ufeff{at.BURMESE}\r\n\u202e🕊 \n")
    number, second = tags()[0].hex()[:8], answer(desk, "bob", 0, at.ZAWGYI)
    assert f"Reply to case {number} signed; not sent yet." in capsys.readouterr().out
    desk.run("read", number, *desk.here("bob"))
    assert "Reply of 2026-11-16 by alice, not sent yet" in capsys.readouterr().out
    events = desk.chain("alice").read_bytes()
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Misuse, match="needs a person's yes"):
        desk.acknowledge(desk.root / "1.return", "alice", "bob")
    assert not (desk.root / "1.return").exists()
    assert desk.chain("alice").read_bytes() == events
    out = capsys.readouterr().out
    assert f"Reply to case {number}, by alice:\n    │ {at.BURMESE}\n    │ <U+202E>🕊\n" in out
    assert f"Reply to case {number}, by bob:" in out
    found = back(desk, 1)
    assert found.keys() == notices(0, 1, 2) | {(box(0).id, name), (box(0).id, second)}
    told = [("", 0), (f"{at.BURMESE}\n\u202e🕊", 1), (at.ZAWGYI, 2)]
    assert [(one.text, one.number) for one in read(found, 0)] == told
    assert [one.kind for one in read(found, 0)] == [NOTICE, REPLY, REPLY]
    desk.run("read", number, *desk.here("bob"))
    out = capsys.readouterr().out
    assert "Reply of 2026-11-16 by alice, sent in return 1" in out
    assert "    │ <U+202E>🕊" in out
    desk.run("read", number, "--html", desk.root / "page.html", *desk.here("bob"))
    page = (desk.root / "page.html").read_text()
    assert page.index("Testimony of") < page.index("sent in return")
    desk.run("export", "--out", desk.root / "cases.json", *desk.here("bob"))
    (case,) = [
        c for c in json.loads((desk.root / "cases.json").read_text()) if c["case"][:8] == number
    ]
    assert [(d["kind"], d["return"], d["id"]) for d in case["decisions"]] == [
        ("replied", 1, name.hex()),
        ("replied", 1, second.hex()),
    ]
    assert case["state"] == "received", "a reply decides nothing"


def test_what_fits_one_reply(desk: Desk) -> None:
    case = at.seen(desk, "alice").cases[tags()[0]]
    made = [deciding.reply(case, text) for text in FITS]
    deciding.write(casebook.load(desk.casebook), made, at.who(desk, "alice"))
    told = [one.text for one in read(back(desk, 1), 0)]
    assert told == ["", *(text.strip() for text in FITS)]


def test_what_is_no_reply(desk: Desk) -> None:
    assert cases.NOTE == TEXT
    before = at.everything(desk.casebook)
    book, alice, path = casebook.load(desk.casebook), at.who(desk, "alice"), desk.root / "reply.txt"
    for text in FITS_NOT:
        made = Draft(tags()[0], "replied", {"id": ID, "note": text})
        with pytest.raises(Misuse, match="no text for a reply") as refused:
            deciding.write(book, [made], alice)
        assert not text.strip() or text not in f"{refused.value.what}{refused.value.hint}"
        at.put(path, text.encode("utf-8", "surrogatepass"))
        with pytest.raises(Misuse, match=r"no text for a reply|is not text in UTF-8"):
            desk.run("reply", tags()[0].hex(), "--text", path, *desk.here("alice"))
    assert at.everything(desk.casebook) == before


def test_a_reply_in_zawgyi_is_kept_in_unicode(desk: Desk) -> None:
    """The site would convert it once more; and whoever agrees to it reads what the source will."""
    case = at.seen(desk, "alice").cases[tags()[0]]
    assert deciding.reply(case, UNICODE).what["note"] == UNICODE
    kept = deciding.reply(case, f"{UNICODE}\n{ZAWGYI}").what["note"]
    assert kept == f"{UNICODE}\n{to_unicode(ZAWGYI)}"
    assert to_unicode(ZAWGYI) != ZAWGYI


def test_two_of_the_cases_people_sign_or_it_waits(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    back(desk, 1)
    name = answer(desk, "alice", 0)
    for signers in (("alice", "carol"), ("carol", "bob")):
        desk.run("copy", "--to", desk.root / "second")
        desk.acknowledge(desk.root / "2.return", *signers)
        out = capsys.readouterr().out
        assert "1  cases have replies that wait for alice and bob to sign" in out
        assert at.BURMESE not in out
        assert not (desk.root / "2.return").exists()
    with pytest.raises(Misuse, match="two reviewers"):
        desk.acknowledge(desk.root / "2.return", "alice")
    found = back(desk, 2, who=("bob", "carol", "alice"))
    assert found.keys() == {(box(0).id, name)}


def test_one_signer_is_not_enough_for_the_server(desk: Desk) -> None:
    """Whoever holds one signing key writes what they like: nobody takes it."""
    sealed = reply.seal(Reply(REPLY, FIRST, 1, "x"), Identity.from_seed(box(0).seed).recipient())
    entry = Entry(bytes(16), hashlib.sha256(sealed).digest(), box(0).id)
    with pytest.raises(Misuse, match="signatures of two"):
        write_return(
            desk.root / "x.return",
            ReturnHeader(
                deployment=desk.made.deployment,
                number=1,
                keyring=(desk.made.keyring.version, desk.made.keyring.sha256),
                size=reply.SEALED,
            ),
            {"alice": at.who(desk, "alice").signing().sign},
            [],
            ([entry], [sealed]),
        )


def test_several_replies_wait_in_one_list(desk: Desk) -> None:
    case = at.seen(desk, "alice").cases[tags()[0]]
    book = casebook.load(desk.casebook)
    made = Drafts.load(book, "alice", at.keys(desk, "alice"))
    for text in (at.BURMESE, at.ZAWGYI, at.ZAWGYI):
        made.add(deciding.reply(case, text))
    assert [draft.what["note"] for draft in made.pending] == [at.BURMESE, at.ZAWGYI, at.ZAWGYI]
    assert deciding.sign(book, made, at.who(desk, "alice")) == 3
    assert len(at.seen(desk, "bob").cases[tags()[0]].replies) == 3


# ---- who withdrew -------------------------------------------------------------------------------


def test_who_withdrew_gets_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    answer(desk, "alice", 0)
    answer(desk, "alice", 1)
    ask = envelope_of(at.rows(2)[1], body={}, kind=envelope.WITHDRAWAL)
    bring(desk, ask)
    at.withdraw(desk, "bob", tags()[0])
    for tag in tags()[:2]:
        with pytest.raises(Misuse, match="source of this case withdrew"):
            at.decide(desk, "bob", tag, "replied", note="x", id=ID, grounds=())
    capsys.readouterr()
    assert back(desk, 1).keys() == notices(2)
    out = capsys.readouterr().out
    assert at.BURMESE not in out, "nobody is asked whether it goes"
    assert "cases" not in out
    assert set(at.seen(desk, "bob").heard) == {record.case_key(tags()[2])}
    at.withdraw(desk, "alice", tags()[0])
    with pytest.raises(Misuse, match="gone for ever"):
        at.decide(desk, "bob", tags()[0], "replied", note="x", id=ID, grounds=())
    assert back(desk, 2, "--after", 0).keys() == notices(2)


# ---- decoys, and what tells them from others ----------------------------------------------------


def test_decoys_look_like_the_rest(desk: Desk) -> None:
    answer(desk, "alice", 0)
    found = back(desk, 1, "--decoys", 20)
    strange = {key for key in found if key[0] not in {box(number).id for number in range(3)}}
    assert len(found) == 24
    assert len({mailbox for mailbox, _ in strange}) == len({name for _, name in strange}) == 20
    heads = {body.split(b"\n-> ")[0] for body in found.values()}
    shapes = {tuple(map(len, body.split(b"\n--- ")[0].split(b"\n"))) for body in found.values()}
    assert len(heads) == len(shapes) == 1
    seeds = [Identity.from_seed(box(number).seed) for number in range(3)]
    for key in strange:
        with pytest.raises(NoMatchingKey):
            unseal(found[key], [*seeds, *at.keys(desk, "alice", "bob", "carol")])
    (event,) = [
        event
        for event in desk.chains("carol")["alice.desk-a"].events.values()
        if event.what["kind"] == "acknowledged"
    ]
    said = canonical.dump(event.what).decode()
    assert not [part for key in strange for part in key if part.hex() in said]
    assert back(desk, 2, "--decoys", 3).keys().isdisjoint(found), "also with nothing else to send"
    with pytest.raises(Misuse, match="no fewer than 0"):
        back(desk, 3, "--decoys", -1)


def test_the_list_has_no_order_of_ours(desk: Desk) -> None:
    answer(desk, "alice", 2)
    back(desk, 1, "--decoys", 5)
    with open_return(desk.root / "1.return", desk.made.keyring) as returned:
        keys = [(entry.mailbox, entry.id) for entry, *_ in returned]
    assert keys == sorted(keys)
    assert len(keys) == 9


def test_notices_go_before_replies_when_a_return_is_full(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their rows go now, so that no later return would bring them."""
    for _ in range(3):
        answer(desk, "alice", 0)
    monkeypatch.setattr(outgoing, "MOST", 4)
    assert back(desk, 1, "--decoys", 9).keys() >= notices(0, 1, 2)
    assert "1  cases get nothing yet: the return is full" in capsys.readouterr().out
    assert at.seen(desk, "bob").sent == {}
    assert len(back(desk, 2)) == 3


# ---- what fails, and who lies -------------------------------------------------------------------


def test_what_was_not_recorded_did_not_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(desk, "alice", 0)
    with monkeypatch.context() as patch:
        full = MachineTrouble("full")
        patch.setattr(record, "append", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(MachineTrouble):
            back(desk, 1)
    assert not (desk.root / "1.return").exists()
    assert at.seen(desk, "bob").heard == at.seen(desk, "bob").sent == {}
    assert len(back(desk, 1)) == 4


def test_a_reply_waits_for_words_that_open(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    back(desk, 1)
    name = answer(desk, "alice", 0)
    (item,) = at.seen(desk, "alice").cases[tags()[0]].received
    path = record.blob_path(desk.casebook, item.blob)
    whole = path.read_bytes()
    at.put(path, b"damaged")
    _unread(desk, 2)
    assert "1  cases get nothing yet: none of their words opens" in capsys.readouterr().out
    at.put(path, whole)
    assert back(desk, 2).keys() == {(box(0).id, name)}


def _unread(desk: Desk, number: int) -> None:
    """Acknowledge with a copy of what is damaged; there is no return, for nothing goes."""
    out = desk.root / f"{number}.return"
    people = [part for name in ("alice", "bob") for part in desk.here(name)]
    desk.run("copy", "--to", desk.root / "third")
    desk.run("acknowledge", "--second-copy", desk.root / "third", "--out", out, *people, "--yes")
    assert not out.exists()


def sign(desk: Desk, author: str, tag: bytes, what: Mapping[str, object], **pen: Any) -> State:  # noqa: ANN401
    """Sign what a planted reviewer writes about a case; return what bob sees."""
    to = casebook.load(desk.casebook).everyone(FIRST)
    at.planted(desk, author, **pen).append([record.Draft(what, to, tag)])
    return at.seen(desk, "bob")


def test_a_planted_authors_reply_that_is_none(desk: Desk) -> None:
    texts: list[dict[str, object]] = [{"id": ID, "note": text} for text in FITS_NOT[:-1]]
    whats: list[dict[str, object]] = [
        {"id": ID[:-2], "note": "x"},
        {"id": ID.upper(), "note": "x"},
        {"id": 5, "note": "x"},
        {"note": "x"},
        {"id": ID},
        {"id": ID, "note": ["x"]},
        {"id": ID, "note": "x", "mark": "inside"},
        {"id": ID, "note": "x", "state": "verified"},
        *texts,  # half a pair has no form in an event
    ]
    for number, what in enumerate(whats, 1):
        state = sign(desk, "alice", tags()[0], {"kind": "replied", **what})
        assert len([fault for fault in state.faults if "makes no sense" in fault]) == number, what
        assert not state.cases[tags()[0]].decisions


def test_a_doubled_id_makes_no_sense(desk: Desk) -> None:
    name = answer(desk, "bob", 0)
    what = {"id": name.hex(), "kind": "replied", "note": "Come to the bridge."}
    state = sign(desk, "alice", tags()[0], what)
    assert any("makes no sense" in fault for fault in state.faults)
    assert [one.note for one in state.cases[tags()[0]].replies.values()] == [at.BURMESE]
    found = back(desk, 1)
    assert [one.text for one in read(found, 0)] == ["", at.BURMESE]


def test_a_reply_with_the_notices_id_harms_itself_alone(desk: Desk) -> None:
    """Who reads the case can compute its notice's id, and would keep the notice away."""
    what = {"id": box(0).notice.hex(), "kind": "replied", "note": "x"}
    sign(desk, "alice", tags()[0], what)
    name = answer(desk, "bob", 0)
    found = back(desk, 1)
    assert found.keys() == notices(0, 1, 2) | {(box(0).id, name)}
    assert [one.kind for one in read(found, 0)] == [NOTICE, REPLY]


def test_nobody_replies_to_a_case_of_others(desk: Desk) -> None:
    with pytest.raises(Misuse, match="not yours"):
        at.decide(desk, "carol", tags()[0], "replied", note="x", id=ID, grounds=())
    state = sign(desk, "carol", tags()[0], {"id": ID, "kind": "replied", "note": "x"})
    assert any("makes no sense" in fault for fault in state.faults)
    assert not state.cases[tags()[0]].replies
    assert back(desk, 1).keys() == notices(0, 1, 2)


def test_a_planted_author_who_says_that_all_was_sent(desk: Desk) -> None:
    """They keep nobody from an answer for good: what the server has not done goes again."""
    name = answer(desk, "bob", 0)
    keys = [record.case_key(tag) for tag in tags()]
    lie = {"heard": keys, "kind": "acknowledged", "number": 1, "replies": [name], "rows": []}
    at.planted(desk, "carol", lie)
    assert back(desk, 2, "--after", 0).keys() == notices(0, 1, 2) | {(box(0).id, name)}
    at.planted(desk, "carol", lie)
    assert set(at.seen(desk, "bob").heard.values()) == {2}, "no older number takes its place"
    for bad in ({"heard": [5]}, {"heard": ["00" * 16]}, {"replies": "00" * 16}, {"replies": None}):
        at.planted(desk, "carol", {**lie, "number": 9, **bad})
    assert at.seen(desk, "bob").number == 2
    at.planted(desk, "carol", {**lie, "number": 2000})
    assert at.seen(desk, "bob").number == 2
    del lie["heard"], lie["replies"]  # as returns of before replies have it
    at.planted(desk, "carol", {**lie, "number": 3})
    assert at.seen(desk, "bob").number == 3


def test_replies_go_on_with_the_next_quarters_keys(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = answer(desk, "alice", 0)
    monkeypatch.setattr(days, "clock", lambda: date(2027, 1, 4))
    for who in ("alice", "bob", "carol", "alice", "bob", "carol"):
        at.reseal(desk, who)
    for who in ("alice", "bob"):
        desk.run("forget", "2026q4", *desk.here(who), "--yes")
    found = back(desk, 1)
    assert (box(0).id, name) in found
    assert read(found, 0) == [
        Reply(REPLY, FIRST, 1, at.BURMESE),
        Reply(NOTICE, date(2027, 1, 4)),
    ]
