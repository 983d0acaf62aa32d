"""What an admin was told holds, wherever the power is cut; and the same command again ends well."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from intake import installed, reply
from intake.admin import chain
from intake.bundle import Entry
from intake.errors import BadKeyring
from intake.replies import Replies
from intake.reply import Reply
from intake.settings import ROOT
from tests.durability.cuts import Played, Run, Shown
from tests.durability.rooms import admin, fill, make_server, signed, stored, whole
from tests.durability.source import server
from tests.makers import FIRST, identity
from tests.test_maintaining import row

pytestmark = pytest.mark.durability
ROWS = 6


def beginnings(place: Path, checkout: Path = ROOT) -> Played:
    """Make the data folder, the store and the bundle key."""
    root = place / "disk"
    root.mkdir(mode=0o700)
    run = Run(root, checkout)
    run.command("intake.admin", "init")

    def judge(folder: Path, shown: Shown) -> None:
        own = server(folder)
        if "Bundle key, public half" in shown.text:
            assert own.bundle_key.exists(), "lost: the bundle key that was shown"
        again = admin(folder, "init")
        if "Bundle key, public half" in shown.text:
            (key,) = (line for line in shown.text.splitlines() if line.startswith("Bundle key"))
            assert key in again, "lost: the bundle key that was shown"
        assert stored(folder) == {}

    return run, judge


def installations(place: Path, checkout: Path = ROOT) -> Played:
    """Install the first keyring, and then the next."""
    site = make_server(place, install=False)
    root, second = place / "disk", site.made.follow()
    (root / "keys").rmdir()
    for number, data in ((1, site.made.raw), (2, second.raw)):
        (root / "stick" / str(number)).write_bytes(data)
    run = Run(root, checkout)
    for number in (1, 2):
        run.command("intake.admin", "keyring", "install", root / "stick" / str(number), "--yes")

    def judge(folder: Path, shown: Shown) -> None:
        own = server(folder)
        told = max(
            [0, *map(int, re.findall(r"Keyring (\d), valid to [\d-]+, is in force", shown.text))]
        )
        record = installed.read_record(own)
        try:
            version = installed.load(own).version
        except BadKeyring:  # closed, until the command that was cut off is run again
            version = record["version"] - 1 if record else 0
        assert version >= told, "lost: a keyring that was said to be in force"
        for number in range(told or 1, 3):
            if number > told:
                admin(folder, "keyring", "install", folder / "stick" / str(number), "--yes")
        assert installed.load(own).version == 2, "half: a keyring cannot be installed again"

    return run, judge


def exports(place: Path, checkout: Path = ROOT) -> Played:
    """Export twice, with a row between; after the cut to another stick."""
    site = make_server(place, ROWS)
    root = place / "disk"
    run = Run(root, checkout)
    run.command("intake.admin", "export", root / "stick")
    run.command("intake.admin", "export", root / "stick")
    every = set(stored(root))

    def judge(folder: Path, shown: Shown) -> None:
        own, first = server(folder), {p.name: p for p in (folder / "stick").glob("*.bundle")}
        for number in (1, 2):
            if f"Bundle {number}: " in shown.text:
                (path,) = (p for name, p in first.items() if name.endswith(f"{number}.bundle"))
                assert whole(path, site.made) == every, "lost: a bundle that was said to be there"
        for path in first.values():
            whole(path, site.made)
        fill(site.__class__(site.made, own), [ROWS + 1])
        (folder / "other").mkdir()
        for _ in range(2):  # the first may only finish what was begun
            admin(folder, "export", folder / "other")
        second = {p.name: p for p in (folder / "other").glob("*.bundle")}
        for name in first.keys() & second.keys():
            same = first[name].read_bytes() == second[name].read_bytes()
            assert same, "lost: a number of a bundle was given twice"
        numbers = sorted(int(name[-13:-7]) for name in first | second)
        assert numbers == list(range(1, len(numbers) + 1)), "half: a number of a bundle is left out"
        assert whole(second[max(second)], site.made) == {*every, row(ROWS + 1)[0]}

    return run, judge


def returns(place: Path, checkout: Path = ROOT) -> Played:
    """Acknowledge rows, and put replies."""
    site = make_server(place, ROWS)
    root = place / "disk"
    kept = dict(sorted(stored(root).items())[:2])
    gone = [
        Entry(name, hashlib.sha256(sealed).digest())
        for name, sealed in sorted(stored(root).items())[2:]
    ]
    bodies = [
        reply.seal(Reply(reply.REPLY, FIRST, n + 1, "ဖြေကြားချက်"), identity(f"{n}").recipient())
        for n in range(3)
    ]
    names = [
        Entry(bytes([n]) * 16, hashlib.sha256(body).digest(), mailbox=bytes([9]) * 16)
        for n, body in enumerate(bodies)
    ]
    path = root / "stick" / "1.return"
    signed(site.made, path, gone, (names, bodies))
    run = Run(root, checkout)
    run.command("intake.admin", "acknowledge", path)

    def judge(folder: Path, shown: Shown) -> None:
        own = server(folder)
        boxes = Replies(own.url, own.data)

        def complete() -> bool:
            done = chain.last(own, chain.RETURNS).number == 1
            there = dict(boxes.waiting(bytes([9]) * 16))
            full = there == dict(zip((one.id for one in names), bodies, strict=True))
            return done and full and stored(folder) == kept

        there = stored(folder)
        assert kept.items() <= there.items(), "lost: a row that nobody acknowledged"
        whole_rows = {entry.id: entry.sha256 for entry in gone}
        for name, sealed in there.items() - kept.items():
            assert hashlib.sha256(sealed).digest() == whole_rows[name], "half: a row is not whole"
        if "Return 1: " in shown.text:
            assert complete(), "lost: a return that was said to be done"
        admin(folder, "acknowledge", folder / "stick" / "1.return")
        assert complete(), "half: a return does not end when it is run again"

    return run, judge


def nights(place: Path, checkout: Path = ROOT) -> Played:
    """Maintain, store a row, maintain."""
    make_server(place, 12)
    root = place / "disk"
    before, run = stored(root), Run(root, checkout)
    run.command("intake.admin", "maintain")
    run.command("intake.admin", "maintain")

    def judge(folder: Path, shown: Shown) -> None:
        assert stored(folder) == before, "lost: a row, by maintenance"
        if "fresh file" in shown.text:
            assert (folder / "data" / "maintained").read_bytes(), "lost: the day of maintenance"
        admin(folder, "maintain")
        assert stored(folder) == before, "lost: a row, by maintenance that is run again"
        left = list((folder / "data").glob(".intake.db.*"))
        assert not left, "half: maintenance leaves something for good"

    return run, judge


def resumptions(place: Path, checkout: Path = ROOT) -> Played:
    """Go on after the last bundle and return, on a server that was put back."""
    site = make_server(place, ROWS)
    root = place / "disk"
    admin(root, "export", root / "stick")
    (bundle,) = (root / "stick").glob("*.bundle")
    signed(site.made, root / "stick" / "4.return", [], ([], []), 4)
    (root / "data" / chain.BUNDLES).unlink()
    run = Run(root, checkout)
    run.command("intake.admin", "resume", "--bundle", bundle, "--return", root / "stick/4.return")

    def judge(folder: Path, shown: Shown) -> None:
        own, stick = server(folder), folder / "stick"
        last = [chain.last(own, what).number for what in (chain.BUNDLES, chain.RETURNS)]
        assert last[0] in {0, 1}
        assert last[1] in {0, 4}
        if "The last bundle is 1" in shown.text:
            assert last == [1, 4], "lost: a number that was resumed"
        words = ("--bundle", stick / bundle.name, "--return", stick / "4.return")
        said = admin(folder, "resume", *words)
        assert "The last bundle is 1, the last return 4." in said, "half: resume does not end"

    return run, judge


PARTS = {
    "the data folder, the store and the bundle key": beginnings,
    "a keyring in force (data/ and keys/)": installations,
    "bundles and their numbers": exports,
    "acknowledged rows, and replies in mailboxes": returns,
    "maintenance": nights,
    "numbers that were resumed": resumptions,
}


@pytest.mark.parametrize("name", PARTS)
def test_what_an_admin_was_told_holds_after_a_power_cut(name: str, place: Path) -> None:
    run, judge = PARTS[name](place)
    run.cut(judge).hold(name)
