"""What a reviewer was told holds, wherever the power is cut; and the same command again ends well.

Rules:
- A promise is a fact that a person could see: words that open, a decision, an empty blob, a copy.
- What held before a command and after it holds at each cut within it.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from intake import days
from intake.desk import casebook, reading
from intake.desk.state import fold
from intake.errors import Refused
from intake.keyring import quarter_of
from intake.settings import ROOT
from tests import desks
from tests.desk_maker import ANSWERS, Desk, Sealed, sealed_row
from tests.durability.cuts import Played, Run, Shown
from tests.durability.rooms import desk as command
from tests.makers import Deployment, make_deployment

pytestmark = pytest.mark.durability
Facts = frozenset[tuple[object, ...]]
Words = Callable[[Path], Sequence[object]]  # a command, for a root
WHO = ("alice", "bob")


@cache
def deployment() -> Deployment:
    """Return a deployment of this week, so that the commands' own clock fits it."""
    today = days.clock()
    monday = today - timedelta(days=today.weekday())
    return make_deployment(first=monday, label="durable", quarters=(quarter_of(today),))


def made_row(number: int) -> Sealed:
    """Return a testimony of this week: Burmese, Zawgyi, emoji, nothing, or much of it."""
    made, text = deployment(), desks.TYPED[number % len(desks.TYPED)]
    period = made.keyring.periods[0]
    answers = {**ANSWERS, "account": text}
    return sealed_row(f"durable {number}", answers, made=made, period=period.name, day=period.first)


def facts(root: Path) -> Facts:
    """Return all that people at this desk could see."""
    found: set[tuple[object, ...]] = set()
    if (root / "casebook/casebook.json").exists():
        book = casebook.load(root / "casebook")
        keys = [deployment().reviewers[name].quarters for name in WHO]
        identities = [key for own in keys for key in own.values()]
        state = fold(book.chains(identities))
        found |= {("keyring", book.keyring.version), ("number", state.number)}
        for case in state.cases.values():
            for item in case.received:
                with contextlib.suppress(Refused):  # not here yet, and named to whoever reads
                    words = reading.open_words(book.folder, item, identities)
                    found.add(("words", item.id, hashlib.sha256(words.plaintext()).digest()))
            told = [(d.author, d.kind) for d in case.decisions]
            found |= {("decision", case.tag, *one) for one in told}
            found |= {("gone", case.tag)} if case.erased else set()
        if not (book.folder / "appending").exists():  # else whoever writes next takes it back
            assert not state.faults, f"half: {min(state.faults)}"
    for part in ("second", "stick"):
        for path in (root / part).rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                name = str(path.relative_to(root))
                found.add(("file", name, hashlib.sha256(path.read_bytes()).digest()))
    return frozenset(found)


def play(root: Path, checkout: Path, steps: Sequence[Words]) -> Played:
    """Trace the commands one after the other, and cut the power everywhere."""
    run, text, ends, seen = Run(root, checkout), "", [], [facts(root)]
    for step in steps:
        given = ("--demo-passphrases", root / "demo", *step(root), "--casebook", root / "casebook")
        text += run.command("intake.desk", *given)
        ends.append(len(text.rstrip()))
        seen.append(facts(root))

    def judge(folder: Path, shown: Shown) -> None:
        done = sum(len(shown.text.rstrip()) >= end for end in ends)
        said, ahead = seen[done], seen[min(done + 1, len(steps))]
        there = facts(folder)
        if shown.anew:  # what is sealed again has other bytes, and so other names
            said, ahead = (frozenset(x for x in of if x[0] != "file") for of in (said, ahead))
        if gone := sorted({str(one[0]) for one in (said & ahead) - there}):
            raise AssertionError(f"lost: {' and '.join(gone)} that the desk had said")
        if done < len(steps) and not ahead <= there:
            command(folder, folder / "casebook", *step_again(steps[done], folder))
            again = {one[:2] for one in facts(folder)}
            missing = {one[:2] for one in ahead} - again
            assert not missing, f"half: the command again does not bring {min(missing)[0]}"

    return run, judge


def step_again(step: Words, folder: Path) -> list[object]:
    """Return the command for this disk; a return that was not recorded is left, for another."""
    words = list(step(folder))
    if "--out" in words and (folder / "stick/1.return").exists():
        (folder / "stick/1.return").unlink()
    return words


def present(root: Path, *names: str) -> list[object]:
    return [x for name in names for x in ("--reviewer", root / "keys" / name)]


def make_desk(root: Path, count: int = 5) -> tuple[Desk, Path]:
    """Return a desk, and a bundle of which alice and bob read every case."""
    made = Desk(root, deployment())
    period = deployment().keyring.periods[0].name
    book = casebook.load(made.casebook)
    for left in range(5000):
        path, manifest = made.bundle(
            rows := [made_row(n) for n in range(count)], left=left, period=period
        )
        if {book.assign(row.case, manifest) for row in rows} == {WHO}:
            return made, path
    raise AssertionError


def days_work(place: Path, checkout: Path = ROOT) -> Played:
    """Begin a casebook, import, copy, decide, answer, acknowledge, copy again."""
    root = place / "disk"
    made, bundle = make_desk(root)
    period = deployment().keyring.periods[0].name
    shutil.rmtree(made.casebook)
    (root / "stick").mkdir()
    (root / "reply.txt").write_text("သင့်စာ ရောက်ပါပြီ။", encoding="utf-8")
    number = made_row(0).case.hex()[:8]
    steps: list[Words] = [
        lambda at: ["init", "--keyring", at / "keyring", "--desk", "desk-a", "--yes"],
        lambda at: ["import", at / bundle.name, "--package", at / period, *present(at, *WHO)],
        lambda at: ["copy", "--to", at / "second"],
        lambda at: [
            "decide",
            number,
            "--as",
            "verified",
            "--ground",
            "course_fits",
            *present(at, "alice"),
        ],
        lambda at: ["reply", number, "--text", at / "reply.txt", *present(at, "alice")],
        lambda at: ["copy", "--to", at / "second"],
        lambda at: [
            *("acknowledge", "--second-copy", at / "second", "--out", at / "stick/1.return"),
            *("--yes", *present(at, *WHO)),
        ],
        lambda at: ["copy", "--to", at / "second"],
    ]
    return play(root, checkout, steps)


def two_desks(place: Path, checkout: Path = ROOT) -> Played:
    """Take what another desk has: its words, its decision, its keyring, and a withdrawal."""
    root = place / "disk"
    _, bundle = make_desk(root)
    other, _ = make_desk(place / "other")
    other.name = "desk-b"
    shutil.rmtree(other.casebook)
    other.run("init", "--keyring", other.root / "keyring", "--desk", "desk-b", "--yes")
    period = deployment().keyring.periods[0].name
    other.bring(bundle, *WHO, period=period)
    desks.decide(other, "bob", made_row(1).case, state="verified", grounds=("course_fits",))
    desks.withdraw(other, "bob", made_row(2).case)
    casebook.load(other.casebook).add_keyring(deployment().follow().raw)
    shutil.copytree(other.casebook, root / "other")
    number = made_row(2).case.hex()[:8]
    steps: list[Words] = [
        lambda at: ["merge", "--from", at / "other", *present(at, "alice")],
        lambda at: ["withdraw", number, "--yes", *present(at, "alice")],
    ]
    return play(root, checkout, steps)


PARTS = {
    "a casebook: import, copies, a decision, a reply, a return": days_work,
    "a merge, and words withdrawn by two": two_desks,
}


@pytest.mark.parametrize("name", PARTS)
def test_what_a_desk_said_holds_after_a_power_cut(name: str, place: Path) -> None:
    run, judge = PARTS[name](place)
    run.cut(judge).hold(name)
