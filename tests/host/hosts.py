"""A host: a bare Debian on which the install command was run; and the desk that belongs to it.

Rules:
- The command is the one that an admin types, in a checkout as it would be cloned. Where systemd can
  be the first process (booted.py), it runs while the machine runs; elsewhere in the folder alone.
- A test that changes a host for good takes a copy of it.
- Everybody's keys are on this machine (tests/spine.py); the host has what is carried to it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from intake import canonical
from intake.settings import ROOT
from tests import spine
from tests.host import booted, roots, services
from tests.host.booted import Booted
from tests.host.roots import Root
from tests.host.visitor import WORDS, Visitor
from tests.makers import sign

INSTALL = ("sh", "/checkout/deploy/install.sh")
STICK = "/srv/intake"
DOOR = "/run/intake/web.sock"

Run = Callable[..., str]


@dataclass
class Host:
    """A root with Intake installed; ``said`` is what the command printed."""

    suite: str
    root: Root
    folder: Path
    said: str = ""
    machine: Booted | None = None
    desk: spine.Machines | None = None
    before: dict[str, tuple[object, ...]] = field(default_factory=dict)
    opened: dict[str, str] = field(default_factory=dict)  # accounts, by the numbers of cases

    def on(self) -> Booted:
        """Switch it on, unless it is."""
        if self.machine is None:
            self.machine = Booted(self.root, self.folder)
            self.machine.start()
        return self.machine

    def off(self) -> Root:
        """Switch it off, unless it is; its root can be entered then."""
        if self.machine is not None:
            self.machine.off()
            self.machine = None
            self.root.mount()
        return self.root

    @property
    def run(self) -> Run:
        """What runs a command on it, whether it is on or not."""
        return self.machine.run if self.machine else self.root.run

    @property
    def visitor(self) -> Visitor:
        """A source at its door, on a new circuit."""
        assert self.machine is not None
        return Visitor(self.machine.at(DOOR))

    def copy(self, folder: Path) -> Host:
        """Return another machine that is as this one, which is switched off for it."""
        self.off()
        folder.mkdir()
        other = Host(self.suite, self.root.copy(folder / "root"), folder, self.said)
        if self.desk:
            shutil.copytree(self.desk.folder, folder / "people")
            desk = self.desk
            other.desk = spine.Machines(desk.root, folder / "people", desk.made, desk.online)
            other.opened = dict(self.opened)
        return other

    @contextlib.contextmanager
    def running(self, folder: Path, *, keyring: bool = True) -> Iterator[Host]:
        """Run a copy, with a keyring in force, and remove it after the block."""
        if why := booted.cannot():
            pytest.skip(f"systemd's own sandbox was not executed here: {why}")
        copy = self.copy(folder)
        try:
            copy.on()
            if keyring and copy.desk is None:
                copy.install_keyring()
            yield copy
        finally:
            copy.remove()

    def remove(self) -> None:
        """Switch it off at once, and take it away."""
        if self.machine:
            self.machine.crash()
        self.root.remove()

    # What admins and reviewers do.

    def carry(self, data: bytes, name: str) -> str:
        """Put a file where scp would; return its path there."""
        path = self.root.at(f"{STICK}/{name}")
        path.write_bytes(data)
        path.chmod(0o640)
        os.chown(path, *services.owner(self.root.path, "intake", "intake"))
        return f"{STICK}/{name}"

    def install_keyring(self) -> spine.Machines:
        """Hold the ceremony, put its keyring in force, and begin a casebook."""
        made = spine.set_up(ROOT, self.folder / "people")
        public = re.search(r"public half: ([0-9a-f]{64})$", self.said, re.MULTILINE)
        assert public is not None, self.said
        draft = canonical.dump({**made.made.draft, "bundle_key": public[1]})
        data = sign(draft, made.made.roots)
        stick = made["stick"] / "keyring"
        stick.write_bytes(data)
        path = self.carry(data, "keyring-1")
        self.run("intake-admin", "keyring", "install", path, "--demo", "--yes")
        book = ("--casebook", made["desk"] / "casebook", "--desk", "desk-a", "--yes")
        done = made.run("desk", "init", "--keyring", stick, *book)
        assert done.returncode == 0, done.stderr
        self.desk = made
        return made

    def read(self) -> list[str]:
        """Export, carry, import by quorum, read; return the accounts of all cases that opened."""
        assert self.desk is not None
        self.run("intake-admin", "export", STICK)
        known = {path.name for path in self.desk["stick"].glob("*.bundle")}
        found = sorted(self.root.at(STICK).glob("*.bundle"))
        new = [self.desk["stick"] / path.name for path in found if path.name not in known]
        for path in new:
            path.write_bytes(self.root.at(f"{STICK}/{path.name}").read_bytes())
        desk = self.desk["desk"]
        present = [x for name in ("alice", "bob") for x in ("--reviewer", desk / "keys" / name)]
        book = ("--casebook", desk / "casebook")
        for path in new:
            words = ("import", path, *book, "--package", desk / "package", *present)
            done = self.desk.run("desk", *words)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "0 missing" in done.stdout, done.stdout
        for name in self.desk.made.reviewers:
            who = (*book, "--reviewer", desk / "keys" / name)
            listed = self.desk.run("desk", "list", *who).stdout
            numbers = set(re.findall(r"^\s*([0-9a-f]{8})\b", listed, re.MULTILINE))
            for number in numbers - self.opened.keys():
                shown = self.desk.run("desk", "read", number, *who, "--text").stdout
                self.opened[number] = spine.typed(shown)
        return list(self.opened.values())


def install(suite: str, folder: Path) -> Host:
    """Make a bare Debian, and run the install command on it."""
    host = Host(suite, Root.bare(suite, folder / "root"), folder)
    host.root.bring(roots.checkout(), ROOT)
    host.before = host.root.tree()
    if booted.cannot():
        host.said = host.root.run(*INSTALL)
    else:
        host.root.at("/usr/sbin/policy-rc.d").unlink()  # on a machine that runs, services start
        host.said = host.on().run(*INSTALL, network=True)
    return host


__all__ = ["DOOR", "INSTALL", "STICK", "WORDS", "Host", "install"]
