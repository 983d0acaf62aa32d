"""Keys that live and die: rotation, replacement, removal, retirement, recovery, as commands.

Rules:
- Each test begins where a first ceremony ended, in a copy of its own.
- What "cannot be opened" means is tried with every key that is left, not asked of our tools.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from intake import canonical, files, locked, quorum
from intake.admin import setup
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.bundle import BundleHeader
from intake.bundle.reading import open_bundle, open_return
from intake.bundle.writing import write_bundle
from intake.ceremony import card, holder, package, rehearsal
from intake.ceremony.__main__ import build
from intake.desk import chain
from intake.envelope import SEALED
from intake.errors import (
    BadFile,
    BadKeyring,
    Incomplete,
    MachineTrouble,
    Misuse,
    NoMatchingKey,
    Unsafe,
)
from intake.signatures import signature_line
from tests.key_life import FIRST, FOUNDERS, PEOPLE, ROOTS, W47, W48, Life, living

ACCOUNT = "တပ်ရင်းက ရွာကို ပစ်ဖို့ အမိန့်ပေးတယ်။ 😔"
MONDAY = date(2026, 11, 30)  # after the last period of keyring 1
NEXT = ("2026-w49", "2026-w50", "2026-w51", "2026-w52")


@pytest.fixture(scope="module")
def _begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("life")
    with living(root) as life:
        life.start()
    return root


@pytest.fixture
def life(_begun: Path, tmp_path: Path) -> Iterator[Life]:
    """Return a life after its first ceremony, in a folder of the test's own."""
    root = tmp_path / "life"
    shutil.copytree(_begun, root)
    (root / "data").chmod(0o700)
    with living(root) as begun:
        yield begun


def openers(life: Life, *names: str) -> dict[str, Identity]:
    """Return people's quorum identities."""
    words = {name: Passphrase(f"demo-words-of-{name}", 10) for name in names}
    return {name: locked.identity(life.root / name / "quorum.age", words[name]) for name in names}


def opens(life: Life, folder: Path, *names: str) -> bool:
    """Return whether these people get at a package's secret, in whatever order they try."""
    keys = list(openers(life, *names).values())
    found = (rehearsal.peel(path.read_bytes(), keys) for path in folder.glob("*.age"))
    return any(b"AGE-SECRET-KEY" in data for data in found)


# Rotation.


def test_one_command_and_two_signatures_make_the_next_keyring(life: Life) -> None:
    life.send(ACCOUNT)
    life.day = date(2026, 11, 28)
    said = life.rotate(2)
    assert [name for name in NEXT if f"{life.root / 'made-2' / name} is there." in said] == [*NEXT]
    assert "+ Keyring 2, issued on 2026-11-28, valid to 2026-12-27." in said
    told = life.sign(life.root / "made-2" / "draft", 2)
    assert "What changes:\n- Keyring 1" in told
    made = life.read(2)
    assert [period.name for period in made.periods] == [W47, W48, *NEXT]
    assert made.expires == date(2026, 12, 27)
    life.admin("keyring", "install", life.keyring(2), "--demo")
    life.desk("keyring", life.keyring(2))
    life.day = MONDAY
    life.send(ACCOUNT)
    bundles = life.export("--all")
    assert "1 opened" in life.bring(bundles[0], life.root / "made" / W47)
    assert "1 opened" in life.bring(bundles[1], life.root / "made-2" / NEXT[0])
    with pytest.raises(BadKeyring, match="Keyring 1 does not follow"):
        life.admin("keyring", "install", life.keyring(1), "--demo", "--yes")


def test_a_rotation_run_again_changes_nothing(life: Life) -> None:
    life.rotate(2)
    before = {p: p.read_bytes() for p in (life.root / "made-2").rglob("*") if p.is_file()}
    said = life.rotate(2)
    assert said.count("was there before, and stays") == len(NEXT) + 1
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("stop", [1, 3, 7, 12, 20])
def test_a_rotation_stopped_anywhere_is_finished_by_running_it_again(
    life: Life, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    write, count = files.write, itertools.count(1)

    def failing(path: Path, data: bytes, *more: object, **others: object) -> None:
        if next(count) == stop:
            raise MachineTrouble("The stick is full.")
        write(path, data, *more, **others)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(files, "write", failing)
        with pytest.raises(MachineTrouble):
            life.rotate(2)
    assert not (life.root / "made-2" / "draft").exists()
    life.rotate(2)
    life.install(2)
    assert not list(life.root.rglob("*.partial"))


def test_a_draft_that_says_something_else_is_not_left_unsaid(life: Life) -> None:
    life.rotate(2)
    with pytest.raises(Misuse, match="draft is already there, with other content"):
        life.rotate(2, "--drop", W47)


def test_a_draft_without_a_day_expires_with_the_one_before(life: Life) -> None:
    ask = ["propose", "--previous", life.keyring(), "--out", life.root / "draft"]
    assert "valid to 2026-11-29" in life.ceremony(*ask, "--bundle-key", "11" * 32)
    assert "valid to 2026-11-28" in life.ceremony(
        *(*ask[:3], "--out", life.root / "other", "--expires", "2026-11-28")
    )
    with pytest.raises(Misuse, match="expire before it is issued"):
        life.ceremony(*ask[:3], "--out", life.root / "past", "--expires", "2026-11-15")
    with pytest.raises(Misuse, match="first keyring needs --expires"):
        life.ceremony(
            *("propose", "--out", life.root / "first", "--threshold", 2),
            *("--roots", *life.cards(*ROOTS)),
        )


def test_two_must_be_present_and_nobody_else(life: Life) -> None:
    with pytest.raises(Misuse, match="2 reviewers must be present"):
        life.rotate(2, who=["alice"])
    with pytest.raises(Misuse, match="dave is no reviewer"):
        life.rotate(2, who=["alice", "dave"])


def test_a_period_begins_13_weeks_ahead_at_most(life: Life) -> None:
    life.rotate(2, "--from", "2027-02-15", "--weeks", 1)
    with pytest.raises(Misuse, match="begins more than 13 weeks after"):
        life.ceremony(
            *("rotate", "--previous", life.keyring(1), "--out", life.root / "far"),
            *(*life.here("alice", "bob"), "--from", "2027-02-16", "--weeks", 2),
        )
    with pytest.raises(Misuse, match="past"):
        life.rotate(2, "--from", "2026-11-15")


def test_a_new_key_from_today_takes_the_place_of_a_stolen_one(life: Life) -> None:
    life.send(ACCOUNT)
    life.day = date(2026, 11, 18)
    life.rotate(2, "--from", life.day, "--weeks", 2)
    life.install(2)
    names = [f"{W47}-k2", f"{W48}-k2"]
    made = life.read(2)
    assert [period.name for period in made.periods] == names
    assert made.periods[0].first == life.day
    assert {p.recipient for p in made.periods}.isdisjoint(p.recipient for p in life.read().periods)
    life.send(ACCOUNT)
    old, new = life.export("--all")  # what came under the old key is read with the old package
    assert "1 opened" in life.bring(old, life.root / "made" / W47)
    assert "1 opened" in life.bring(new, life.root / "made-2" / names[0])
    # And this key dies as others do, though the keyring in force does not name it.
    life.admin("acknowledge", life.acknowledge(1))
    (closing,) = life.export("--period", W47, "--empty")
    life.bring(closing)
    back = life.acknowledge(2)
    retire = ["retire", life.root / "made" / W47, "--closing", closing, "--return", back, "--yes"]
    with pytest.raises(Misuse, match="not packages of one period"):
        life.ceremony(*retire, "--keyring", life.keyring(2))
    life.ceremony(*retire, "--keyring", life.keyring(1), life.keyring(2))
    assert not (life.root / "made" / W47).exists()


def test_a_rotation_names_a_new_server_too(life: Life) -> None:
    (life.root / "data" / "bundle.key").unlink()
    key = life.admin("init").split("public half: ")[1][:64]
    with pytest.raises(BadKeyring, match="another bundle key"):
        life.export()
    life.rotate(2, "--bundle-key", key)
    life.install(2)
    assert life.read(2).bundle_key.hex() == key
    life.send(ACCOUNT)
    said = life.bring(life.export()[0], life.root / "made" / W47)
    assert "1 opened, it is the first bundle" in said


def test_a_server_that_only_got_another_key_counts_on(life: Life) -> None:
    life.send(ACCOUNT)
    life.bring(life.export()[0], life.root / "made" / W47)
    (life.root / "data" / "bundle.key").unlink()
    life.rotate(2, "--bundle-key", life.admin("init").split("public half: ")[1][:64])
    life.install(2)
    said = life.bring(life.export()[0], life.root / "made" / W47)
    assert "1 in the bundle, 1 opened, the one before is here" in said


def test_what_cannot_be_dropped_is_named(life: Life) -> None:
    with pytest.raises(Misuse, match=r"has no period 2026-w01\."):
        life.rotate(2, "--drop", "2026-w01")
    life.rotate(2, "--drop", W47)
    life.install(2)
    assert [period.name for period in life.read(2).periods] == [W48, *NEXT]


# Quarters.


def test_a_quarter_is_added_to_folder_and_card(life: Life) -> None:
    before = (life.root / "alice" / "2026q4.age").read_bytes()
    said = life.rotate(2, "--from", "2026-12-28")
    assert said.count("has no key of 2027q1") == 3
    for name in FOUNDERS:
        life.ceremony("quarter", life.root / name)
    assert (life.root / "alice" / "2026q4.age").read_bytes() == before
    shutil.rmtree(life.root / "made-2")
    more = ["--reviewers", *life.cards(*FOUNDERS), "--yes"]
    assert "has no key" not in life.rotate(2, "--from", "2026-12-28", *more)
    life.install(2)
    alice = life.read(2).reviewer("alice")
    assert alice is not None
    assert [*alice.quarters] == ["2026q4", "2027q1"]
    words = Passphrase("demo-words-of-alice", 10)
    own = locked.identity(life.root / "alice" / "2027q1.age", words)
    assert str(own.recipient()) == alice.quarters["2027q1"]


def test_a_quarter_interrupted_before_the_card_keeps_its_identity(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(card, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            life.ceremony("quarter", life.root / "alice")
    made = (life.root / "alice" / "2027q1.age").read_bytes()
    life.ceremony("quarter", life.root / "alice")
    assert (life.root / "alice" / "2027q1.age").read_bytes() == made
    assert "2027q1 is there" in life.ceremony("quarter", life.root / "alice", "--quarter", "2027q1")


@pytest.mark.parametrize(("quarter", "after"), [("2026q3", "2026q4"), ("2026q4", "2027q1")])
def test_the_quarter_after(quarter: str, after: str) -> None:
    assert holder.after(quarter) == after


# Removal.


def removed(life: Life, day: date, *more: object) -> None:
    """Remove alice on that day."""
    life.day = day
    ends = life.stick / "alice.ends"
    life.desk("ends", "alice", "--out", ends)
    life.ceremony(
        *("remove", "alice", "--previous", life.keyring(1), "--ends", ends, "--yes"),
        *("--out", life.root / "made-2", *life.here("bob", "carol"), *more),
    )
    life.install(2)


def test_a_removed_reviewer_opens_nothing_that_is_made_after(life: Life) -> None:
    life.send(ACCOUNT)
    (bundle,) = life.export()
    life.bring(bundle, life.root / "made" / W47)
    removed(life, date(2026, 11, 18))
    made = life.read(2)
    alice = made.reviewer("alice")
    assert alice is not None
    chain = life.root / "casebook" / "chains" / "alice.desk-a"
    assert alice.removed is not None
    assert [*alice.removed] == [chain.name]
    assert alice.removed[chain.name][0] > 0
    assert [one.name for one in made.active] == ["bob", "carol"]
    assert made.archive != life.read(1).archive
    for folder in (life.root / "made-2").iterdir():
        if folder.is_dir():
            assert quorum.read_package(folder).reviewers == ("bob", "carol")
            assert opens(life, folder, "bob", "carol")
            assert not opens(life, folder, "alice", "bob")
            assert not opens(life, folder, "alice", "carol")
    life.send(ACCOUNT)
    old, new = life.export("--all")
    life.bring(old, life.root / "made" / W47, who=["bob", "carol"])
    with pytest.raises(Misuse, match="alice"):
        life.bring(new, life.root / "made-2" / f"{W47}-k2", who=["alice", "bob"])
    said = life.bring(new, life.root / "made-2" / f"{W47}-k2", who=["bob", "carol"])
    assert "1 opened" in said
    assert "refused" not in life.desk("list", *life.here("bob"))


def test_what_a_removed_reviewer_adds_after_their_end_is_refused(life: Life) -> None:
    life.send(ACCOUNT)
    (bundle,) = life.export()
    life.bring(bundle, life.root / "made" / W47)
    ends = life.stick / "early.ends"
    life.desk("ends", "alice", "--out", ends)
    life.send(ACCOUNT)  # a thief with alice's keys writes on, in her copy
    life.bring(life.export()[0], life.root / "made" / W47)
    life.day = date(2026, 11, 18)
    life.ceremony(
        *("remove", "alice", "--previous", life.keyring(1), "--ends", ends, "--yes"),
        *("--out", life.root / "made-2", *life.here("bob", "carol")),
    )
    life.install(2)
    assert "the author was removed" in life.desk("list", *life.here("bob"))


def test_the_last_two_are_told_to_bring_somebody(life: Life) -> None:
    removed(life, date(2026, 11, 18))
    life.desk("ends", "bob", "--out", life.stick / "bob.ends")
    ask = ["remove", "bob", "--previous", life.keyring(2), "--ends", life.stick / "bob.ends"]
    ask += ["--out", life.root / "made-3", *life.here("carol"), "--yes"]
    with pytest.raises(Misuse, match="1 reviewers would be left") as told:
        life.ceremony(*ask)
    assert "--reviewers CARD" in told.value.hint
    assert not (life.root / "made-3").exists()


def test_a_replacement_comes_with_the_removal(life: Life) -> None:
    removed(life, date(2026, 11, 18), "--reviewers", *life.cards("dave"))
    made = life.read(2)
    assert [one.name for one in made.active] == ["bob", "carol", "dave"]
    assert opens(life, life.root / "made-2" / "archive", "carol", "dave")
    assert not opens(life, life.root / "made-2" / "archive", "dave")


def test_an_attestation_by_who_was_removed_is_none(life: Life) -> None:
    removed(life, date(2026, 11, 18))
    life.rotate(3, who=["bob", "carol"])
    week = min(path.parent for path in (life.root / "made-3").glob("*/package.json"))
    key = locked.signing_key(
        life.root / "alice" / "signing.age", Passphrase("demo-words-of-alice", 10)
    )
    signature = key.sign(package.statement(quorum.read_package(week)))
    (week / "attestation-alice").write_bytes(signature_line("alice", signature))
    (week / "attestation-carol").unlink()
    ask = ["propose", "--previous", life.keyring(2), "--out", life.root / "draft"]
    with pytest.raises(BadFile, match="is no signature of this"):
        life.ceremony(*ask, "--periods", week)


def test_removals_that_make_no_sense_are_refused(life: Life) -> None:
    ends = life.stick / "ends"
    ends.write_bytes(b'{"bob.desk-a":[1,"00"]}')
    start = ["remove", "alice", "--previous", life.keyring(1), "--out", life.root / "made-2"]
    given = [*start, *life.here("bob", "carol"), "--yes", "--ends", ends]
    with pytest.raises(BadFile, match="does not say where the chains of alice end"):
        life.ceremony(*given)
    ends.write_bytes(b"{}")
    with pytest.raises(Misuse, match="is no reviewer of this keyring"):  # a slip of the finger
        life.desk("ends", "alicee", "--out", life.stick / "slip")
    assert not (life.stick / "slip").exists()
    with pytest.raises(Misuse, match="alice is to go"):
        life.ceremony(*start, *life.here("alice", "bob"), "--yes", "--ends", ends)
    with pytest.raises(Misuse, match="dave is no active reviewer"):
        life.ceremony("remove", "dave", *given[2:])
    others = canonical.dump({"bob.desk-a": [1, "11" * 32]})
    for bad in (others, b'{"alice.desk-a":[1,"00"]}', b'{"alice.desk-a":1}', b"[]", b"{}\n"):
        ends.write_bytes(bad)
        with pytest.raises(BadFile):
            life.ceremony(*given)
    assert not (life.root / "made-2" / "draft").exists()


# Retirement.


@pytest.fixture
def over(life: Life) -> Life:
    """Return a life whose first week is over, read, acknowledged and said to be empty."""
    life.send(ACCOUNT)
    (bundle,) = life.export()
    life.bring(bundle, life.root / "made" / W47)
    life.admin("acknowledge", life.acknowledge(1))
    life.day = date(2026, 11, 23)
    (closing,) = life.export("--period", W47, "--empty")
    assert "0 in the bundle" in life.bring(closing)
    life.acknowledge(2)
    said = life.admin("acknowledge", life.stick / "2.return")
    done = "Return 2: 0 deleted, 0 already gone, 0 replies put into mailboxes"
    assert f"{done}\n  1 of the ended periods may die" in said
    return life


def retire(life: Life, *packages: Path, closing: int = 2, back: int = 2) -> str:
    """Retire the first week; by default everything is as it should be."""
    bundle = sorted(life.stick.glob("*.bundle"))[closing - 1]
    return life.ceremony(
        *("retire", *(packages or [life.root / "made" / W47]), "--keyring", life.keyring()),
        *("--closing", bundle, "--return", life.stick / f"{back}.return", "--yes"),
    )


def test_a_period_that_is_over_is_destroyed_in_every_copy(over: Life) -> None:
    shutil.copytree(over.root / "made" / W47, over.stick / W47)
    copies = [over.root / "made" / W47, over.stick / W47]
    sealed = copies[0] / "alice+bob.age"
    again = over.root / "same-blocks"
    again.hardlink_to(sealed)
    before = again.read_bytes()
    said = retire(over, *copies)
    assert said.count("is destroyed.") == 2
    assert "A stick, SSD or card may keep old blocks" in said
    assert not any(path.exists() for path in copies)
    assert len(again.read_bytes()) == len(before)
    assert not any(before[n : n + 16] in again.read_bytes() for n in range(0, len(before), 16))
    for folder in over.root.rglob(W47):
        assert not opens(over, folder, *PEOPLE)
    with pytest.raises(Misuse, match="None of these packages is there"):
        retire(over, *copies)


def test_a_destruction_stopped_anywhere_goes_on(
    over: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, count = over.root / "made" / W47, itertools.count(1)
    unlink = Path.unlink

    def stopping(path: Path, missing_ok: bool = False) -> None:
        if path.parent == folder and next(count) in stops:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", stopping)
    stops = {1, 3, 5, 8}
    while folder.exists():
        with contextlib.suppress(KeyboardInterrupt):
            retire(over)
    assert next(count) > max(stops)


def test_status_asks_for_the_death_of_a_key_whose_week_is_over(life: Life) -> None:
    life.send(ACCOUNT)
    life.day = date(2026, 11, 23)
    assert "its key lives" not in life.admin("status")  # the row comes first
    life.bring(life.export()[0], life.root / "made" / W47)
    life.admin("acknowledge", life.acknowledge(1))
    said = life.admin("status")
    assert "by 2026-12-06: Period 2026-w47 is over and empty, and its key lives." in said
    assert "export FOLDER --period 2026-w47 --empty" in said
    life.rotate(2, "--drop", W47)
    life.install(2)
    assert "its key lives" not in life.admin("status")


def test_a_period_that_is_not_over_lives(life: Life) -> None:
    life.day = date(2026, 11, 23)
    (closing,) = life.export("--period", W47, "--empty")
    life.bring(closing)
    life.acknowledge(2)
    life.day = FIRST  # the ceremony's machine has a day of its own
    with pytest.raises(Misuse, match="is not over"):
        retire(life, closing=1)


def test_without_the_servers_and_two_reviewers_words_nothing_dies(over: Life) -> None:
    with pytest.raises(BadFile, match="does not say that nothing of period 2026-w47 is left"):
        retire(over, closing=1)  # the bundle with rows
    with pytest.raises(BadFile, match="does not acknowledge"):
        retire(over, back=1)  # the return of the rows
    with pytest.raises(Misuse, match="2026-w48 is not over"):
        retire(over, over.root / "made" / W48)
    over.day = MONDAY
    with pytest.raises(BadFile, match="does not say that nothing of period 2026-w48 is left"):
        retire(over, over.root / "made" / W48)
    with pytest.raises(Misuse, match="not packages of one period"):
        retire(over, over.root / "made" / W47, over.root / "made" / W48)
    with pytest.raises(Misuse, match="not packages of one period"):
        retire(over, over.root / "made" / "archive")
    path = over.stick / "2.return"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], *lines[2:]]))  # one signature of the two
    with pytest.raises(BadFile, match="fewer than 2 reviewers"):
        retire(over)
    bundle = sorted(over.stick.glob("*.bundle"))[1]
    with open_bundle(bundle, over.read().bundle_key, over.read().deployment) as opened:
        header = replace(opened.header, left=1)  # as where rows have another size than an envelope
    bundle.unlink()
    write_bundle(bundle, header, [], [], setup.bundle_key(over.settings).sign)
    with pytest.raises(BadFile, match="does not say that nothing of period 2026-w47 is left"):
        retire(over)
    bundle.write_bytes(bundle.read_bytes().replace(b'"left":1', b'"left":0'))
    with pytest.raises(BadFile, match="signature"):
        retire(over)
    assert opens(over, over.root / "made" / W47, "alice", "bob")


def test_a_period_of_which_something_waits_is_not_acknowledged_as_empty(life: Life) -> None:
    for number in range(12):  # of three pairs of reviewers; that none has alice: 3^-12
        life.send(f"{ACCOUNT} {number}")
    life.bring(life.export()[0], life.root / "made" / W47)
    # A server that lies: it drops the rows, and says that nothing is left.
    (life.root / "data" / "intake.db").unlink()
    life.admin("init")
    life.day = date(2026, 11, 23)
    life.bring(life.export("--period", W47, "--empty")[0])
    listed = {name: life.desk("list", *life.here(name)) for name in FOUNDERS}
    alice, bob, carol = (int(re.findall(r"(\d+) cases are", said)[0]) for said in listed.values())
    other = "carol" if alice + bob > carol else "bob"  # whose cases are fewer beside alice's
    life.desk("copy", "--to", life.root / "copy")
    out = [life.stick / "1.return", life.stick / "2.return"]
    copy = ["--second-copy", life.root / "copy", "--out"]
    with pytest.raises(Incomplete, match="cannot vouch for"):  # alice recorded them herself
        life.desk("acknowledge", *copy, out[0], *life.here("alice", other))
    if out[0].exists():
        with open_return(out[0], life.read()) as opened:
            assert not any(entry.closing for entry in opened.acknowledged)
    life.desk("copy", "--to", life.root / "copy")
    life.desk("acknowledge", *copy, out[1], *life.here("bob", "carol"))
    with open_return(out[1], life.read()) as opened:
        assert sum(entry.closing for entry in opened.acknowledged) == 1


def test_a_bundle_without_rows_that_leaves_some_is_not_acknowledged(life: Life) -> None:
    made = life.read()
    header = BundleHeader(
        deployment=made.deployment,
        number=1,
        previous=bytes(32),
        period=W47,
        keyring=(made.version, made.sha256),
        size=SEALED,
        left=1,
    )
    path = life.stick / header.name
    write_bundle(path, header, [], [], setup.bundle_key(life.settings).sign)
    life.bring(path)
    with pytest.raises(Misuse, match="nothing to acknowledge"):
        life.acknowledge(1)


# Recovery.


def test_a_secret_is_written_anew_for_others(life: Life) -> None:
    before = quorum.read_package(life.root / "made" / "archive")
    shutil.rmtree(life.root / "alice")  # her stick burned
    more = ["--reviewers", *life.cards("bob", "carol", "dave"), "--out", life.root / "anew"]
    more += ["--keyring", life.keyring()]
    said = life.ceremony(
        "recover", life.root / "made" / "archive", *more, *life.here("bob", "carol"), "--yes"
    )
    folder = life.root / "anew" / "archive"
    made = quorum.read_package(folder)
    assert (made.recipient, made.secret) == (before.recipient, quorum.ARCHIVE)
    assert made.reviewers == ("bob", "carol", "dave")
    assert "attest" in said
    assert opens(life, folder, "carol", "dave")
    assert not any(opens(life, folder, name) for name in ("bob", "carol", "dave"))
    life.ceremony("attest", folder, *life.here("bob", "dave"))
    assert not [p for p in life.root.rglob("*") if p.is_file() and b"KEY-PQ-" in p.read_bytes()]


def test_a_period_is_written_anew_with_its_days(life: Life) -> None:
    more = ["--reviewers", *life.cards("bob", "carol", "dave"), "--out", life.root / "anew"]
    more += ["--keyring", life.keyring()]
    life.ceremony("recover", life.root / "made" / W48, *more, *life.here("alice", "bob"), "--yes")
    before = quorum.read_package(life.root / "made" / W48)
    made = quorum.read_package(life.root / "anew" / W48)
    assert (made.recipient, made.days) == (before.recipient, before.days)
    assert package.statement(made) == package.statement(before)


def test_too_few_recover_nothing(life: Life) -> None:
    more = ["--reviewers", *life.cards("bob", "carol", "dave"), "--out", life.root / "anew"]
    more += ["--keyring", life.keyring()]
    with pytest.raises(NoMatchingKey, match="1 of them are here"):
        life.ceremony("recover", life.root / "made" / "archive", *more, *life.here("bob"), "--yes")
    assert not (life.root / "anew").exists()


def test_a_secret_that_no_keyring_names_is_not_written_anew(life: Life) -> None:
    made = ["--quorum", 2, "--out", life.root / "other", "--yes"]
    life.ceremony("archive", *made, "--reviewers", *life.cards(*FOUNDERS))
    more = ["--reviewers", *life.cards("bob", "carol"), "--out", life.root / "anew"]
    more += ["--keyring", life.keyring(), *life.here("bob", "carol"), "--yes"]
    with pytest.raises(BadFile, match="No keyring names the key"):
        life.ceremony("recover", life.root / "other" / "archive", *more)


# Reading keyrings.


def test_what_changes_is_said_to_anyone(life: Life) -> None:
    life.rotate(2, "--drop", W47)
    life.install(2)
    said = life.ceremony("diff", life.keyring(1), life.keyring(2))
    assert said == life.admin("keyring", "diff", life.keyring(1), life.keyring(2))
    assert "+   Period 2026-w49, 2026-11-30 to 2026-12-06" in said.replace("+ Per", "+   Per")
    assert "Keyring 2 follows keyring 1" in said
    assert "It does NOT follow keyring 2" in life.ceremony("diff", life.keyring(2), life.keyring(1))


def test_a_demo_and_a_real_keyring_never_meet(life: Life) -> None:
    given = ["rotate", "--previous", life.keyring(1), "--out", life.root / "x", *life.here("alice")]
    arguments = build().parse_args([*map(str, given)])
    with pytest.raises(Unsafe, match="never meet"):
        arguments.do(arguments)


def test_ends_are_those_of_the_casebook(life: Life) -> None:
    life.desk("ends", "alice", "--out", life.stick / "none")
    assert canonical.load((life.stick / "none").read_bytes()) == {}
    life.send(ACCOUNT)
    life.bring(life.export()[0], life.root / "made" / W47)
    life.desk("ends", "alice", "--out", life.stick / "ends")
    last, digest = chain.read(life.root / "casebook/chains/alice.desk-a", [], [life.read()]).head
    ends = canonical.load((life.stick / "ends").read_bytes())
    assert ends == {"alice.desk-a": [last, digest.hex()]}
