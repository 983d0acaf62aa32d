"""A newer checkout, and back: by the same command, on a host that runs and takes testimonies.

The tests of this file are one story of a copy of the host; at its end all that came opens at the
desk. A release is told from another by a line of comment.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.host import roots
from tests.host.booted import Booted
from tests.host.hosts import INSTALL, WORDS, Host
from tests.host.test_install import changes
from tests.host.visitor import Visitor

pytestmark = pytest.mark.host

IN_FORCE = "/opt/intake/current"
BEFORE = "/opt/intake/previous"
NAME = re.compile(r"releases/([0-9a-f]{12})")


@pytest.fixture(scope="module")
def upgraded(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Yield a copy of the host that runs, with a keyring in force and one testimony."""
    with host.running(tmp_path_factory.mktemp("upgraded") / "host") as copy:
        copy.visitor.send(f"{WORDS} 0")
        yield copy


@pytest.fixture
def there(upgraded: Host) -> Booted:
    """Return the machine, with the checkout of its installation."""
    upgraded.root.bring(roots.checkout(), ROOT)
    return upgraded.on()


def change(host: Host, number: int, name: str = "app.py", text: str = "") -> None:
    """Let the checkout on the host be another one."""
    path = host.root.at("/checkout") / name
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{text}# {number}\n", encoding="utf-8")


def named(host: Host, link: str = IN_FORCE) -> str:
    """Return the name of a release."""
    path = host.root.at(link)
    found = NAME.search(str(path.readlink())) if path.is_symlink() else None
    return found[1] if found else ""


def opens(visitor: Visitor) -> bool:
    """Return whether the site gives its form."""
    return visitor.ask("GET", "/en")[0] == 200


class Asking(threading.Thread):
    """A source who asks for the page again and again, from `start` to `end`."""

    def __init__(self, visitor: Visitor) -> None:
        """Begin with no answer."""
        super().__init__()
        self.visitor, self.answers, self.over = visitor, list[int](), threading.Event()

    def run(self) -> None:
        """Ask, each time on another circuit."""
        while not self.over.is_set():
            self.visitor.circuit += 1
            try:
                self.answers.append(self.visitor.ask("GET", "/en")[0])
            except OSError:
                self.answers.append(0)
            time.sleep(0.2)

    def end(self) -> list[int]:
        """Stop, and return how each was answered."""
        self.over.set()
        self.join()
        return self.answers


def test_a_newer_checkout_is_put_in_force_and_no_visitor_notices(
    upgraded: Host, there: Booted
) -> None:
    old, before = named(upgraded), upgraded.root.tree("var/lib/intake", "etc")
    tor = there.show("tor@default.service", "MainPID")
    change(upgraded, 1)
    asking = Asking(upgraded.visitor)
    asking.start()
    try:
        said = there.run(*INSTALL, network=True)
    finally:
        answers = asking.end()
    assert "it answers 200" in said
    assert (named(upgraded, BEFORE), named(upgraded) != old) == (old, True)
    assert set(answers) == {200}
    assert changes(before, upgraded.root.tree("var/lib/intake", "etc")) == []
    assert tor == there.show("tor@default.service", "MainPID")
    upgraded.visitor.send(f"{WORDS} 1")


def test_back_and_forward(upgraded: Host, there: Booted) -> None:
    new, old = named(upgraded), named(upgraded, BEFORE)
    assert f"Release {old} is in force" in there.run("intake-host", "rollback")
    assert (named(upgraded), named(upgraded, BEFORE)) == (old, new)
    assert opens(upgraded.visitor)
    assert f"Release {new} is in force" in there.run("intake-host", "rollback")
    assert (named(upgraded), named(upgraded, BEFORE)) == (new, old)
    upgraded.visitor.send(f"{WORDS} 2")


def test_a_release_that_cannot_load_never_comes_in_force(upgraded: Host, there: Booted) -> None:
    before = (named(upgraded), named(upgraded, BEFORE))
    change(upgraded, 3, text="import nowhere_to_be_found\n")
    said = there.run(*INSTALL, network=True, code=7)
    assert "nowhere_to_be_found" in said
    assert (named(upgraded), named(upgraded, BEFORE)) == before
    assert opens(upgraded.visitor)


def test_a_release_that_does_not_answer_is_taken_back(upgraded: Host, there: Booted) -> None:
    """It loads, and systemd starts it; but it gives no page, for it would speak to the network."""
    before = (named(upgraded), named(upgraded, BEFORE))
    text = "import socket as sockets\nsockets.socket(sockets.AF_INET).close()\n"
    change(upgraded, 4, "deploy/gunicorn_conf.py", text)
    said = there.run(*INSTALL, network=True, code=7)
    assert f"Release {before[0]} is in force again" in said
    assert (named(upgraded), named(upgraded, BEFORE)) == before
    assert opens(upgraded.visitor)


@pytest.mark.parametrize(("line", "number"), [("making its Python", 5), ("/9  the switch", 6)])
def test_an_upgrade_that_is_killed_leaves_a_site_that_works(
    upgraded: Host, there: Booted, line: str, number: int
) -> None:
    """And the same command again does it."""
    old = named(upgraded)
    change(upgraded, number)
    cut(there, line, *INSTALL)
    assert opens(upgraded.visitor)
    assert named(upgraded) == old or number == 6
    there.run(*INSTALL, network=True)
    assert (named(upgraded) != old, named(upgraded, BEFORE)) == (True, old)
    releases = {path.name for path in upgraded.root.at("/opt/intake/releases").iterdir()}
    assert releases == {old, named(upgraded)}
    upgraded.visitor.send(f"{WORDS} {number}")


@pytest.mark.parametrize(
    ("line", "number"), [("starting intake.service", 7), ("asking the site", 8)]
)
def test_a_switch_that_is_killed_leaves_a_site_that_works(
    upgraded: Host, there: Booted, line: str, number: int
) -> None:
    before = {named(upgraded), named(upgraded, BEFORE)}
    cut(there, line, "intake-host", "rollback")
    assert opens(upgraded.visitor)
    there.run("intake-host", "rollback")
    assert {named(upgraded), named(upgraded, BEFORE)} == before
    upgraded.visitor.send(f"{WORDS} {number}")


def test_the_power_is_cut_in_the_middle_of_a_switch(upgraded: Host, there: Booted) -> None:
    before = {named(upgraded), named(upgraded, BEFORE)}
    cut(there, "starting intake.service", "intake-host", "rollback", power=True)
    there.start()
    assert opens(upgraded.visitor)
    there.run("intake-host", "rollback")
    assert {named(upgraded), named(upgraded, BEFORE)} == before
    upgraded.visitor.send(f"{WORDS} 9")


def test_of_two_admins_at_once_one_is_told_to_wait(upgraded: Host, there: Booted) -> None:
    with there.running("intake-host", "rollback") as first:
        assert first.stdout is not None
        assert first.stdout.readline()
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        for child in children:  # the first one reads what stands there; nsenter stops with it
            os.kill(int(child), signal.SIGSTOP)
        for command in (INSTALL, ("intake-host", "rollback")):
            assert "Somebody else is installing" in there.run(*command, code=7)
        os.kill(first.pid, signal.SIGCONT)
        assert "is in force" in first.stdout.read()
        assert first.wait() == 0
    assert opens(upgraded.visitor)


def cut(machine: Booted, line: str, *command: str, power: bool = False) -> None:
    """Kill a command, or cut the power, as soon as it has said ``line``."""
    with machine.running(*command, network=True) as running:
        assert running.stdout is not None
        assert any(line in said for said in running.stdout), line
        if power:
            machine.crash()


def test_all_that_came_meanwhile_opens_at_the_desk(upgraded: Host) -> None:
    read = upgraded.read()
    for number in (0, 1, 2, 5, 6, 7, 8, 9):
        assert f"{WORDS} {number}" in read


def test_what_is_left_is_as_after_a_first_installation(upgraded: Host) -> None:
    """No note of a switch, no half release, nothing else's rights changed."""
    names = {path.name for path in upgraded.root.at("/opt/intake").iterdir()}
    assert names == {"current", "previous", "releases"}
    wrong = [
        path
        for path in upgraded.root.paths("opt/intake")
        if path.lstat().st_uid or (not path.is_symlink() and path.lstat().st_mode & 0o022)
    ]
    assert wrong == []
    assert not Path(upgraded.root.at("/opt/intake/unproved")).exists()
