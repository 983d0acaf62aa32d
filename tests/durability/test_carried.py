"""Keys that a ceremony made, a backup, a server that was put back, wherever the power is cut."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from deploy.host import backup, restoring
from deploy.host.machine import FOLDERS, Machine
from intake import days, files, installed
from intake.errors import BadKeyring
from intake.settings import ROOT, Settings
from tests.durability.cuts import Played, Run, Shown
from tests.site_maker import make_site

pytestmark = pytest.mark.durability
DATA = "var/lib/intake/data"
# What is typed at a terminal is not of these tests, and so neither is the seal.
AGE = f"""#!{sys.executable} -I
import sys
if sys.argv[1] == "-d":
    sys.stdout.buffer.write(open(sys.argv[2], "rb").read())
else:
    with open(sys.argv[3], "wb") as file:
        file.write(sys.stdin.buffer.read())
"""


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder but those that are on their way to a name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def keys(place: Path, checkout: Path = ROOT) -> Played:
    """Make a root, two reviewers, the archive and a period."""
    root = place / "disk"
    root.mkdir(mode=0o700)
    words = "".join(f"{name} demo-words-of-{name}\n" for name in ("rosa", "alice", "bob"))
    files.write(root / "words", words.encode())
    monday = days.clock() - timedelta(days=days.clock().weekday())
    quorum = ["--quorum", 2, "--out", root / "made", "--yes", "--reviewers"]
    quorum += [root / name / "card.json" for name in ("alice", "bob")]
    steps: Sequence[Sequence[object]] = (
        ("root", "rosa", "--out", root),
        ("reviewer", "alice", "--body", "အဖွဲ့", "--out", root),
        ("reviewer", "bob", "--body", "B", "--out", root),
        ("archive", *quorum),
        ("periods", "--from", monday, "--weeks", 1, *quorum),
    )
    run, text, ends, seen = Run(root, checkout), "", [], [set(tree(root))]
    for step in steps:
        text += run.command("intake.ceremony", "--demo-passphrases", root / "words", *step)
        ends.append(len(text.rstrip()))
        seen.append(set(tree(root)))
    final = tree(root)

    def judge(folder: Path, shown: Shown) -> None:
        done = sum(len(shown.text.rstrip()) >= end for end in ends)
        there = tree(folder)
        assert seen[done] <= set(there), "lost: keys that were said to be made"
        for name, data in there.items():
            # A step that is run again draws other keys: a file of it is as long, and has no hole.
            drawn = len(data) == len(final[name]) and bytes(64) not in data
            anew = name not in seen[done] and shown.anew and drawn
            assert anew or data == final[name], "half: a file of a ceremony"
        for made in {Path(name).parent for name in there}:
            of = {name for name in final if Path(name).parent == made}
            assert of <= set(there) or made == Path(), "half: a folder of a ceremony"

    return run, judge


def machine(folder: Path) -> Machine:
    """Return a server as its installation leaves it, without a release."""
    made = Machine(folder)
    for name, mode, owner in FOLDERS:
        made.folder(name, mode, owner)
    return made


def in_use(place: Path) -> tuple[Machine, dict[str, bytes]]:
    """Return a server with a keyring in force and an onion, and what a backup has of it."""
    root = place / "disk"
    root.mkdir(mode=0o700)
    made = machine(root / "old")
    (place / "site").mkdir()
    make_site(place / "site")
    for name in ("data", "keys"):
        for path in (place / "site" / name).iterdir():
            shutil.move(path, made.at(f"/var/lib/intake/{name}/{path.name}"))
    tor = made.at("/var/lib/tor/intake")
    (tor / "authorized_clients").mkdir(mode=0o700, parents=True)
    tor.chmod(0o700)
    (tor / "hs_ed25519_secret_key").write_bytes(b"s" * 96)
    (tor / "authorized_clients" / "laptop.auth").write_bytes(b"descriptor:x25519:A\n")
    made.at("/etc/intake/about.toml").write_bytes('[organisation]\nmy = "အဖွဲ့"\n'.encode())
    return made, backup.here(made)


def terminal(run: Run, root: Path, *words: object) -> None:
    """Run a command of the host on a terminal, with a stand-in for age."""
    stand_in = run.folder.parent / "bin" / "age"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.write_text(AGE)
    stand_in.chmod(0o755)
    run.command("deploy.host", "--root", root, *words, terminal=True)


def saved(place: Path, checkout: Path = ROOT) -> Played:
    """Make a backup."""
    made, content = in_use(place)
    run = Run(place / "disk", checkout)
    terminal(run, made.root, "backup", place / "disk" / "one.age")

    def judge(folder: Path, shown: Shown) -> None:
        path = folder / "one.age"
        assert path.exists() or "one.age is there" not in shown.text, "lost: a backup"
        if path.exists():
            assert backup.unpack(path.read_bytes()) == content, "half: a backup"

    return run, judge


def put_back(place: Path, checkout: Path = ROOT) -> Played:
    """Put a backup back on a new server, and on one that was another."""
    _, content = in_use(place)
    root = place / "disk"
    (root / "one.age").write_bytes(backup.pack(content))
    new, other = machine(root / "new"), machine(root / "other")
    (place / "another").mkdir()
    make_site(place / "another")
    for made in (new, other):
        made.at(f"{DATA}/bundle.key").write_bytes(b"0" * 64)
        made.at("/etc/intake/form.toml").write_bytes(b"another")
        made.at("/etc/tor/intake.d/mine.conf").write_bytes(b"# of another server\n")
    files.write(other.at("var/lib/intake/keys/keyring"), content["var/lib/intake/keys/keyring"])
    files.write(other.at(f"{DATA}/installed"), content[f"{DATA}/installed"])
    run = Run(root, checkout)
    terminal(run, new.root, "restore", root / "one.age")
    terminal(run, other.root, "restore", root / "one.age", "--replace")

    def judge(folder: Path, shown: Shown) -> None:
        for number, name in enumerate(("new", "other"), 1):
            there = Machine(folder / name)
            now = backup.here(there)
            if shown.text.count("All is put back.") >= number:
                assert now == content, "lost: what was put back"
            own = Settings(there.at(DATA), there.at("var/lib/intake/keys"))
            try:
                installed.load(own)
            except BadKeyring:
                pass  # closed
            else:
                old = name == "other" and now[f"{DATA}/bundle.key"] == b"0" * 64
                assert old or now == content, "half: a server that is open between two"
            aside = there.at("var/lib/intake/replaced-1") / DATA / "bundle.key"
            first = now.get(f"{DATA}/bundle.key") == b"0" * 64
            assert first or aside.read_bytes() == b"0" * 64, "lost: what gave way"
            with mock.patch.object(backup, "read", return_value=dict(content)):
                restoring.restore(there, Path(), replace=True)
            assert backup.here(there) == content, "half: restore does not end"

    return run, judge


PARTS = {
    "keys that a ceremony made": keys,
    "a backup": saved,
    "a server that was put back": put_back,
}


@pytest.mark.parametrize("name", PARTS)
def test_what_is_carried_holds_after_a_power_cut(name: str, place: Path) -> None:
    run, judge = PARTS[name](place)
    run.cut(judge).hold(name)
