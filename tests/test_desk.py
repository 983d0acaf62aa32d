"""What a reviewer can do at the desk, from a bundle to a return, and what is refused.

Rule: commands run through the tool's own parser; every refusal is one of ``intake.errors``.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from intake import canonical, days, locked, terminal
from intake.age.passphrase import Passphrase
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.bundle import Entry
from intake.bundle.reading import open_return
from intake.desk import importing, opened
from intake.desk.__main__ import build
from intake.desk.record import blob_path
from intake.errors import BadFile, BadKeyring, Incomplete, Misuse, NoMatchingKey, Refused
from tests.desk_maker import ANSWERS, PERIOD, Desk, Sealed, deployment, sealed_row
from tests.makers import FIRST, public, signing_key

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=y> \u202egnp.exe\u202c\x1b[31mred\x1b]52;c;A\x07"
    '\r=HYPERLINK("http://x") '
    "a" + "\u0301" * 2000 + " <U+202E> \u3164 {{7*7}} &amp;\nCase 0000"
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    return Desk(tmp_path / "desk")


def rows(count: int) -> list[Sealed]:
    return [sealed_row(f"form {n}") for n in range(count)]


def test_from_bundle_to_return(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    mine = sealed_row("mine")
    desk.bring(desk.bundle_for("alice", True, mine, others=rows(3)))
    assert "4 in the bundle, 4 opened, it is the first bundle, 0 missing" in capsys.readouterr().out

    desk.run("list", *desk.here("alice"))
    out = capsys.readouterr().out
    assert mine.case.hex()[:8] in out
    assert "Sergeant" in out
    assert "LIB) 528" in out
    assert "of the 4 envelopes here" in out

    desk.run("read", mine.case.hex()[:8], *desk.here("alice"))
    out = capsys.readouterr().out
    for line in str(ANSWERS["account"]).split("\n"):
        assert f"│ {line}\n" in out
    assert "bundle 1, period 2026-w47 · keyring 1" in out

    desk.run("copy", "--to", desk.root / "second")
    desk.acknowledge(desk.root / "1.return")
    with open_return(desk.root / "1.return", desk.made.keyring) as returned:
        assert returned.header.number == 1
        listed = {entry.id for entry in returned.acknowledged}
    assert listed == {row.entry.id for row in [*rows(3), mine]}
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Misuse, match="nothing to acknowledge"):
        desk.acknowledge(desk.root / "2.return")


def test_the_list_says_what_is_in_conflict_and_what_is_withdrawn(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """One merge takes what both reviewers decided on their own copies."""
    row = sealed_row("mine")
    number = row.case.hex()[:8]
    desk.bring(desk.bundle_for("alice", True, row))
    people = desk.state("alice").cases[row.case].assigned
    for name, state, ground in zip(
        people, ("triaged", "rejected"), ("urgent", "abuse"), strict=True
    ):
        desk_of = shutil.copytree(desk.casebook, desk.root / f"of-{name}")
        words = ["--demo-passphrases", desk.root / "demo", "decide", number, "--as", state]
        words += ["--ground", ground, "--casebook", desk_of, *desk.here(name)]
        given = build().parse_args(list(map(str, words)))
        given.do(given)
    desk.run("merge", "--from", *(desk.root / f"of-{name}" for name in people), *desk.here("alice"))
    desk.run("list", *desk.here("alice"))
    out = capsys.readouterr().out
    assert out.count(" came 0 files of words, ") == 2
    assert f"{number}  " in out
    assert "  partial, in conflict\n" in out
    for name, standing in zip(people, ("being withdrawn", "withdrawn"), strict=True):
        desk.run("withdraw", number, "--yes", *desk.here(name))
        capsys.readouterr()
        desk.run("list", *desk.here("alice"))
        out = capsys.readouterr().out
        assert f"  {standing}\n" in out
        assert "Sergeant" not in out
        with pytest.raises(Misuse, match=f"is {standing}"):
            desk.run("read", number, *desk.here("alice"))
        assert str(ANSWERS["account"]).split("\n")[0] not in capsys.readouterr().out


def test_export_is_ascii_and_equal(desk: Desk) -> None:
    row = sealed_row("hostile", {**ANSWERS, "account": HOSTILE})
    desk.bring(desk.bundle_for("alice", True, row))
    out = desk.root / "cases.json"
    desk.run("export", "--out", out, *desk.here("alice"))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    text = out.read_text("ascii")
    assert not re.search(r"[^\n\x20-\x7e]", text)
    (case,) = json.loads(text)
    assert case["envelopes"][0]["body"]["answers"]["account"] == HOSTILE
    assert "nonce" not in text


def test_nothing_hostile_reaches_terminal_or_page(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = dict.fromkeys(("account", "rank", "unit_no", "extra\x1b[0m\u202e", "force"), HOSTILE)
    row = sealed_row("hostile", {**answers, "consent_store": "yes"})
    desk.bring(desk.bundle_for("alice", True, row))
    page = desk.root / "page.html"
    desk.run("list", *desk.here("alice"))
    desk.run("read", row.case.hex(), "--html", page, "--text", *desk.here("alice"))
    out = capsys.readouterr().out
    assert terminal.visible(out) == out
    assert "\nCase 0000" not in out
    assert "│ Case 0000" in out
    html = page.read_text("utf-8")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert terminal.visible(html) == html
    assert html.count("\u0301") < 100
    for tag in ("<script", "<img", "<a ", "<link", 'http://x"', "49"):
        assert tag not in html.split("</style>")[1]
    assert "default-src 'none'" in html
    assert '<b class="u">U+202E</b>' in html


def test_an_assigned_reviewer_reads_and_another_opens_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    row = sealed_row("not for carol")
    desk.bring(desk.bundle_for("carol", False, row))
    capsys.readouterr()
    desk.run("list", *desk.here("carol"))
    out = capsys.readouterr().out
    assert "0 cases are yours, with 0 of the 1 envelopes here." in out
    assert "For other reviewers, and closed to you: 1 of the log's events." in out
    with pytest.raises(Misuse, match="No case of yours"):
        desk.run("read", row.case.hex(), *desk.here("carol"))
    for blob in (desk.casebook / "blobs").rglob("*"):
        if blob.is_file():
            with pytest.raises(NoMatchingKey):
                unsealed(blob, "carol")
            assert row.plaintext == unsealed(blob, "alice")


def unsealed(path: Path, name: str) -> bytes:
    return unseal(path.read_bytes(), list(deployment().reviewers[name].quarters.values()))


def test_the_archive_opens_every_blob(desk: Desk) -> None:
    desk.bring(desk.bundle(rows(4))[0])
    blobs = [path for path in (desk.casebook / "blobs").rglob("*") if path.is_file()]
    words = {unseal(path.read_bytes(), [deployment().archive]) for path in blobs}
    assert words == {row.plaintext for row in rows(4)}


def test_decoys_leave_no_case(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    decoy = sealed_row("nothing", kind="decoy")
    desk.bring(desk.bundle([*rows(2), decoy])[0])
    assert "1  of the new ones are decoys" in capsys.readouterr().out
    state = desk.state("alice", "bob", "carol")
    assert len(state.cases) == 2
    assert decoy.entry.id in state.pending
    assert decoy.case not in state.cases


def test_importing_again_changes_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = desk.bundle(rows(3))
    desk.bring(path)
    before = {p: p.read_bytes() for p in desk.casebook.rglob("*") if p.is_file()}
    capsys.readouterr()
    desk.bring(path, "bob", "carol")
    assert "3  already here" in capsys.readouterr().out
    assert {p: p.read_bytes() for p in desk.casebook.rglob("*") if p.is_file()} == before


def test_a_damaged_copy_of_what_is_here_is_no_loss(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = desk.bundle(rows(3))
    desk.bring(path)
    path.write_bytes(path.read_bytes()[:-50_000])
    capsys.readouterr()
    desk.bring(path)
    assert "3  already here" in capsys.readouterr().out


def test_the_same_words_of_another_period_are_here_already(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    _, first = desk.bundle([sealed_row("x")])
    desk.bring(desk.root / "1.bundle")
    again = sealed_row("x", period="2026-w48")
    path, _ = desk.bundle([again], 2, previous=first, period="2026-w48")
    desk.bring(path, period="2026-w48")
    out = capsys.readouterr().out
    assert "the one before is here" in out
    assert "1  already here" in out
    state = desk.state("alice", "bob", "carol")
    assert len(state.cases) == 1
    assert [len(case.received) for case in state.cases.values()] == [1]
    assert state.pending[again.entry.id].sha256 == again.entry.sha256


def test_one_id_for_two_things_is_named(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = rows(2)
    _, first = desk.bundle([one])
    desk.bring(desk.root / "1.bundle")
    forged = Sealed(Entry(one.entry.id, two.entry.sha256), two.sealed, b"", b"")
    with pytest.raises(Incomplete):
        desk.bring(desk.bundle([forged], 2, previous=first)[0])
    assert "not the one that its id names" in capsys.readouterr().out
    assert one.entry.sha256 == desk.state("alice").pending[one.entry.id].sha256


def test_other_words_than_the_id_says_are_never_recorded(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = rows(2)
    forged = Sealed(Entry(one.entry.id, two.entry.sha256), two.sealed, b"", b"")
    with pytest.raises(Incomplete):
        desk.bring(desk.bundle([forged])[0])
    assert "1  no envelope that this version knows, or not" in capsys.readouterr().out
    state = desk.state("alice", "bob", "carol")
    assert not state.cases
    assert not state.pending
    desk.bring(desk.bundle([one], 2, previous=next(iter(state.bundles)))[0])
    assert len(desk.state("alice", "bob", "carol").cases) == 1


def test_damage_is_named_and_the_rest_imported(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    good = sorted(rows(5), key=lambda row: row.entry.id)
    foreign = sealed_row("other", made=deployment("other"))
    noise = b"no envelope".ljust(32_768)
    sealed = seal(noise, [desk.made.periods[PERIOD].recipient()])
    odd = Sealed(Entry(b"\xfe" * 16, hashlib.sha256(sealed).digest()), sealed, b"", b"")
    path, _ = desk.bundle([*good, foreign, odd], left=9)
    data = bytearray(path.read_bytes())
    start = data.index(good[0].sealed)
    data[start + 20_000] ^= 1
    del data[-100:]  # cuts the last of the list
    path.write_bytes(data)
    with pytest.raises(Incomplete, match="not everything"):
        desk.bring(path)
    out = capsys.readouterr().out
    assert "7 in the bundle, 4 opened" in out
    assert "1  altered" in out
    assert "1  missing" in out
    assert "1  not openable" in out
    assert "9  left on the server" in out
    assert good[1].entry.id in desk.state("alice").rows

    path, _ = desk.bundle([*good, foreign, odd], left=9)
    with pytest.raises(Incomplete):
        desk.bring(path)
    out = capsys.readouterr().out
    assert "4  already here" in out
    assert "1  new" in out
    assert "1  no envelope" in out


def test_a_skipped_bundle_is_named(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    _, first = desk.bundle(rows(1))
    desk.bring(desk.root / "1.bundle")
    two, second = desk.bundle([sealed_row("two")], 2, previous=first)
    three, _ = desk.bundle([sealed_row("three")], 3, previous=second)
    with pytest.raises(Incomplete):
        desk.bring(three)
    assert "bundle 2 is missing: carry it over" in capsys.readouterr().out
    desk.bring(two)
    assert "the one before is here" in capsys.readouterr().out
    assert len(desk.state("alice").rows) == 3


def test_a_second_bundle_of_one_number_is_named(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.bring(desk.bundle(rows(1))[0])
    with pytest.raises(Incomplete):
        desk.bring(desk.bundle([sealed_row("else")])[0])
    assert "other bundle with this number" in capsys.readouterr().out


def test_a_new_server_counts_its_bundles_from_one_again(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    _, first = desk.bundle(rows(1))
    desk.bring(desk.root / "1.bundle")
    desk.bring(desk.bundle([sealed_row("two")], 2, previous=first)[0])
    key = signing_key("another server")
    desk.made = replace(desk.made.follow(bundle_key=public(key)), bundle_key=key)
    (desk.root / "next").write_bytes(desk.made.raw)
    desk.run("keyring", desk.root / "next")
    one, first = desk.bundle([sealed_row("three")])
    two, _ = desk.bundle([sealed_row("four")], 2, previous=first)
    with pytest.raises(Incomplete):  # its own first bundle is missing, whatever the other's was
        desk.bring(two)
    assert "bundle 1 is missing: carry it over" in capsys.readouterr().out
    desk.bring(one)
    desk.bring(two)
    assert "other bundle with this number" not in capsys.readouterr().out
    with pytest.raises(Incomplete):
        desk.bring(desk.bundle([sealed_row("else")])[0])
    assert "1  other bundle with this number" in capsys.readouterr().out


def test_a_bundle_of_a_server_that_was_replaced_says_so(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its key was taken, perhaps; and a stick from before may come later. Only people can tell."""
    path, _ = desk.bundle(rows(1))
    new = desk.made.follow(bundle_key=public(signing_key("another server")))
    (desk.root / "next").write_bytes(new.raw)
    desk.bring(path)
    assert "replaced" not in capsys.readouterr().out
    desk.run("keyring", desk.root / "next")
    desk.bring(path)
    assert "1  server that the newest keyring replaced signed this" in capsys.readouterr().out


def test_envelopes_of_an_older_keyring_are_counted(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    old = desk.made.keyring
    row = sealed_row("old", keyring=(old.version, old.sha256))
    odd = sealed_row("odd", keyring=(2, bytes(32)))
    desk.made = desk.made.follow()
    (desk.root / "next").write_bytes(desk.made.raw)
    path, _ = desk.bundle([row, odd])
    with pytest.raises(BadKeyring, match="under keyring 2"):
        desk.bring(path)
    desk.run("keyring", desk.root / "next")
    desk.bring(path)
    out = capsys.readouterr().out
    assert "1  made under an older keyring" in out
    assert "1  made under a keyring that is not known here" in out


@pytest.mark.parametrize("kept", range(9))
def test_an_import_that_was_cut_short_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """Each file that gets its name is a place where it may stop: notes, and blobs."""
    monkeypatch.setattr(importing, "BATCH", 2)
    path, _ = desk.bundle(rows(6))
    rename, count = Path.rename, 0

    def failing(path: Path, target: Path) -> Path:
        nonlocal count
        if count == kept:
            raise KeyboardInterrupt
        count += 1
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(KeyboardInterrupt):
        desk.bring(path)
    monkeypatch.undo()
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    desk.bring(path)
    state = desk.state("alice", "bob", "carol")
    assert not state.faults
    assert {row.entry.id for row in rows(6)} == state.rows.keys()
    named = {row.blob for row in state.rows.values() if row.blob}
    held = {bytes.fromhex(p.name) for p in (desk.casebook / "blobs").rglob("*") if p.is_file()}
    assert held == named
    assert named == {item.blob for case in state.cases.values() for item in case.received}
    assert not list((desk.casebook / "new").iterdir())


@pytest.mark.parametrize(
    "note",
    [
        *(None, 5, [], ["alice.desk-a"], [[], 0], ["alice.desk-a", "0"], ["bob.desk-a", 0, None]),
        *(["bob.desk-a", 0, "00"], ["bob.desk-a", 0, "../../casebook.json"]),
    ],
)
def test_a_damaged_note_of_an_import_is_refused_and_deletes_nothing(
    desk: Desk, note: object
) -> None:
    path, _ = desk.bundle(rows(1))
    desk.bring(path)
    held = sorted((desk.casebook / "blobs").rglob("*"))
    (desk.casebook / "importing").write_bytes(canonical.dump(note))
    with pytest.raises(BadFile, match="importing is damaged"):
        desk.bring(path)
    assert sorted((desk.casebook / "blobs").rglob("*")) == held


@pytest.mark.parametrize("torn", [1, 100, 3000])
def test_a_torn_end_is_named_and_the_import_goes_on(desk: Desk, torn: int) -> None:
    path, _ = desk.bundle(rows(4))
    desk.bring(path)
    chain = desk.chain()
    whole = chain.read_bytes()
    chain.write_bytes(whole[:-torn])
    assert any("is torn" in fault for fault in desk.state("alice").faults)
    desk.bring(path)
    state = desk.state("alice", "bob", "carol")
    assert not state.faults
    assert {row.entry.id for row in rows(4)} == state.rows.keys()
    assert [len(case.received) for case in state.cases.values()] == [1] * 4
    for case in state.cases.values():
        assert blob_path(desk.casebook, case.received[0].blob).exists()
    (kept,) = (desk.casebook / "torn").iterdir()
    assert whole.endswith(kept.read_bytes() + whole[-torn:])


def test_repair_keeps_what_it_cuts(desk: Desk) -> None:
    desk.bring(desk.bundle(rows(2))[0])
    whole = desk.chain().read_bytes()
    desk.chain().write_bytes(whole + b"00001000\nage-enc")
    desk.run("repair", "--yes")
    assert desk.chain().read_bytes() == whole
    assert [path.read_bytes() for path in (desk.casebook / "torn").iterdir()] == [
        b"00001000\nage-enc"
    ]


@pytest.mark.parametrize("damage", ["gone", "flipped", "chain", "absent", "itself"])
def test_no_acknowledgement_without_a_whole_second_copy(desk: Desk, damage: str) -> None:
    desk.bring(desk.bundle(rows(3))[0])
    second = desk.root / "second"
    desk.run("copy", "--to", second)
    blob = next(path for path in (second / "blobs").rglob("*") if path.is_file())
    data = blob.read_bytes()
    if damage == "gone":
        blob.unlink()
    elif damage == "flipped":
        blob.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    elif damage == "chain":
        chain = second / "chains" / "alice.desk-a"
        chain.write_bytes(chain.read_bytes()[:-1])
    else:
        shutil.rmtree(second)
    if damage == "itself":
        second.symlink_to(desk.casebook)
    events = desk.chain().read_bytes()
    with pytest.raises(Refused):
        desk.acknowledge(desk.root / "1.return")
    assert not (desk.root / "1.return").exists()
    assert desk.chain().read_bytes() == events


def test_words_damaged_in_both_copies_are_not_acknowledged(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.bring(desk.bundle(rows(2))[0])
    blob = next(path for path in (desk.casebook / "blobs").rglob("*") if path.is_file())
    blob.write_bytes(blob.read_bytes()[:-1])
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Incomplete, match="stay on the server: 1"):
        desk.acknowledge(desk.root / "1.return")
    assert "missing or damaged" in capsys.readouterr().out
    with open_return(desk.root / "1.return", desk.made.keyring) as returned:
        assert len(returned.acknowledged) == 1


def test_a_copy_that_knows_more_is_never_written_over(desk: Desk) -> None:
    desk.bring(desk.bundle(rows(2))[0])
    desk.run("copy", "--to", desk.root / "second")
    whole = desk.chain().read_bytes()
    desk.chain().write_bytes(whole[: whole.rindex(b"\n0000") + 1])
    with pytest.raises(BadFile, match="has what the casebook does not have"):
        desk.run("copy", "--to", desk.root / "second")
    assert (desk.root / "second/chains/alice.desk-a").read_bytes() == whole


def test_damage_here_is_never_copied_over_what_is_whole(desk: Desk) -> None:
    desk.bring(desk.bundle(rows(1))[0])
    desk.run("copy", "--to", desk.root / "second")
    blob = next(path for path in (desk.casebook / "blobs").rglob("*") if path.is_file())
    data = blob.read_bytes()
    for damaged in (data[:-1], data[:9000] + bytes([data[9000] ^ 1]) + data[9001:]):
        blob.write_bytes(damaged)
        with pytest.raises(BadFile, match="one of the two is damaged"):
            desk.run("copy", "--to", desk.root / "second")
    assert (desk.root / "second" / blob.relative_to(desk.casebook)).read_bytes() == data


def test_who_must_sign(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Alice imports with bob. What is hers and carol's waits for carol."""
    desk.bring(desk.bundle_for("bob", False, rows(1)[0], others=rows(12)[1:]))
    desk.run("copy", "--to", desk.root / "second")
    cases = desk.state("alice", "bob", "carol").cases.values()
    waiting = {c.received[0].id for c in cases if c.assigned == ("alice", "carol")}
    assert waiting
    capsys.readouterr()
    with pytest.raises(Incomplete, match=f"stay on the server: {len(waiting)}") as refused:
        desk.acknowledge(desk.root / "1.return", "alice", "bob")
    assert refused.value.exit == 8
    assert "acknowledge again" in refused.value.hint
    assert f"{len(waiting)}  wait for carol to sign\n" in capsys.readouterr().out
    assert listed(desk, "1.return") == {row.entry.id for row in rows(12)} - waiting
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Incomplete):
        desk.acknowledge(desk.root / "2.return", "alice", "bob")
    assert not (desk.root / "2.return").exists()
    desk.acknowledge(desk.root / "2.return", "bob", "carol")
    assert listed(desk, "2.return") == waiting


@pytest.mark.parametrize("signers", [("bob", "carol"), ("carol", "bob")])
def test_two_who_did_not_import_acknowledge_everything(
    desk: Desk, signers: tuple[str, str]
) -> None:
    desk.bring(desk.bundle(rows(12))[0])
    desk.run("copy", "--to", desk.root / "second")
    desk.acknowledge(desk.root / "1.return", *signers)
    assert listed(desk, "1.return") == {row.entry.id for row in rows(12)}


def listed(desk: Desk, name: str) -> set[bytes]:
    with open_return(desk.root / name, desk.made.keyring) as returned:
        return {entry.id for entry in returned.acknowledged}


def test_decoys_wait(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.bring(desk.bundle([*rows(2), sealed_row("nothing", kind="decoy")])[0])
    desk.run("copy", "--to", desk.root / "second")
    with pytest.raises(Incomplete, match="stay on the server: 1"):
        desk.acknowledge(desk.root / "1.return")
    assert "1  hold no words" in capsys.readouterr().out
    assert listed(desk, "1.return") == {row.entry.id for row in rows(2)}


def test_rows_that_come_again_are_acknowledged_again(desk: Desk) -> None:
    _, first = desk.bundle(rows(2))
    desk.bring(desk.root / "1.bundle")
    desk.run("copy", "--to", desk.root / "second")
    desk.acknowledge(desk.root / "1.return")
    (desk.root / "1.return").unlink()  # the stick is lost
    desk.bring(desk.bundle(rows(3), 2, previous=first)[0])
    desk.run("copy", "--to", desk.root / "second")
    desk.acknowledge(desk.root / "2.return")
    with open_return(desk.root / "2.return", desk.made.keyring) as returned:
        assert returned.header.number == 2
        assert {e.id for e in returned.acknowledged} == {row.entry.id for row in rows(3)}


def test_newcomers_count_returns_from_the_last_one_that_the_server_did(desk: Desk) -> None:
    """What was recorded before they came is closed to them, and with it the last number."""
    desk.bring(desk.bundle(rows(3))[0])
    desk.run("copy", "--to", desk.root / "second")
    people = [a for name in ("bob", "carol") for a in desk.here(name)]
    where = ("--second-copy", desk.root / "second", "--out", desk.root / "8.return")
    desk.run("acknowledge", *where, *people, "--after", 7)
    with open_return(desk.root / "8.return", desk.made.keyring) as returned:
        assert returned.header.number == 8
    assert desk.state("bob").number == 8


def test_who_may_come(desk: Desk) -> None:
    path, _ = desk.bundle(rows(1))
    with pytest.raises(NoMatchingKey):
        desk.bring(path, "alice")
    with pytest.raises(Misuse, match="twice"):
        desk.bring(path, "alice", "alice")
    shutil.copytree(desk.keys("alice"), desk.keys("mallory"))
    with pytest.raises(Misuse, match="mallory is not an active reviewer"):
        desk.bring(path, "alice", "mallory")
    shutil.rmtree(desk.keys("bob"))
    shutil.copytree(desk.keys("alice"), desk.keys("bob"))
    with pytest.raises(Refused):
        desk.bring(path, "alice", "bob")
    assert not desk.state("alice").rows


def test_an_author_with_another_signing_key_writes_nothing(desk: Desk) -> None:
    path, _ = desk.bundle(rows(1))
    (desk.keys("alice") / "signing.age").unlink()
    other = desk.made.reviewers["bob"].signing.private_bytes_raw().hex()
    locked.lock(desk.keys("alice") / "signing.age", other, Passphrase("demo-alice", 10))
    with pytest.raises(BadKeyring, match="not the one that the keyring names"):
        desk.bring(path)
    assert not desk.chain().exists()


def test_a_forged_bundle_is_refused_whole(desk: Desk) -> None:
    path, _ = desk.bundle(rows(1))
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"left":0', b'"left":7'))
    with pytest.raises(BadFile, match="signature"):
        desk.bring(path)
    other = Desk(desk.root / "other", deployment("other"))
    with pytest.raises(BadFile, match="another deployment"):
        desk.bring(other.bundle([sealed_row("y", made=other.made)])[0])
    assert not desk.state("alice").rows


def test_words_put_in_the_place_of_others_are_not_shown(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who can write to the disk swaps two cases' words; both open, and neither is believed."""
    one, two = (sealed_row(f"{n}", {**ANSWERS, "account": f"words {n}"}) for n in (1, 2))
    desk.bring(desk.bundle_for("alice", True, one, two))
    cases = list(desk.state("alice").cases.values())
    first, second = (blob_path(desk.casebook, case.received[0].blob) for case in cases)
    words = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(words)
    capsys.readouterr()
    with pytest.raises(Incomplete, match="cannot be read"):
        desk.run("read", one.case.hex(), *desk.here("alice"))
    out = capsys.readouterr().out
    assert "missing or damaged" in out
    assert "words 1" not in out
    assert "words 2" not in out


def test_only_the_one_spelling_of_an_envelope_is_one() -> None:
    words = sealed_row("form").plaintext
    assert opened.parse(words).plaintext() == words
    line, _, rest = words.partition(b"\n")
    for other in (
        words[:-1],
        words + b" ",
        words[:-1] + b"x",
        words[:-1] + b"\n",
        line.replace(b":", b": ", 1) + b"\n" + rest[1:],
        line.replace(b'"version":1}', b'"version":1,"x":0}') + b"\n" + rest[6:],
        line.replace(b'"version":1}', b'"version":2}') + b"\n" + rest,
        line.replace(b'"kind":"testimony"', b'"kind":"testimonx"') + b"\n" + rest,
        line.replace(b'"language":"my"', b'"language":1234') + b"\n" + rest,
        line.replace(b'"size":0', b'"size":true') + b"\n" + rest[3:],
        line.replace(b'"size":0', b'"size":-1') + b"\n" + rest[1:],
        b"[]".ljust(32_768),
        b"\xff" * 32_768,
    ):
        with pytest.raises(opened.NotAnEnvelope):
            opened.parse(other)


def test_the_wrong_file_is_said_in_words(desk: Desk) -> None:
    desk.bring(desk.bundle(rows(3))[0])
    desk.run("copy", "--to", desk.root / "second")
    desk.acknowledge(desk.root / "1.return")
    with pytest.raises(BadFile, match="of the other kind") as refused:
        desk.bring(desk.root / "1.return")
    assert "on the server" in refused.value.hint


def test_what_is_missing_is_said_before_a_passphrase_is_typed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.Passphrases, "ask", lambda *_, **__: pytest.fail("asked"))
    with pytest.raises(Misuse, match=r"nowhere\.bundle is not there"):
        desk.bring(desk.root / "nowhere.bundle")


def test_a_page_never_replaces_a_file(desk: Desk) -> None:
    row = sealed_row("mine")
    desk.bring(desk.bundle_for("alice", True, row))
    key = desk.root / "precious"
    key.write_bytes(b"a key")
    with pytest.raises(Misuse, match="exists already"):
        desk.run("read", row.case.hex(), "--html", key, *desk.here("alice"))
    assert key.read_bytes() == b"a key"
