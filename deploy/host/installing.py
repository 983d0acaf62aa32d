"""From a checkout to a site: ``install``. The same from a newer checkout is the upgrade.

Procedure of :class:`Install`, one at a time:
1. The site's user and its group.
2. The folders, each with its owner and its mode.
3. The settings, once; an upgrade leaves them alone.
4. The release (:mod:`deploy.host.release`), which loads the site before anything else follows it.
5. The store and the key that signs bundles, by the release, as the site's user.
6. The two commands, ``intake-host`` and ``intake-admin``.
7. The switch (:mod:`deploy.host.switching`): links, units, tor; the site answers, or the release
   before is back.
8. Remove the releases that are neither in force nor the one before.
9. The first keyring, if one is given.

What a crash leaves: up to (6), a site that goes on as it was; in (7), what is said there. The same
command again does what is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.host import onion, release, switching
from deploy.host.machine import FOLDERS, Machine, say
from intake import files
from intake.errors import Incomplete

_HERE = Path(__file__).resolve().parent
_LAUNCHER = """\
#!/bin/sh
# Intake, of the release that is in force. Made by its installation.
[ -e {current} ] || {{
  printf 'No release of Intake is in force here.\\n  → sh deploy/install.sh\\n' >&2
  exit 7
}}
exec env PYTHONPATH={current} PYTHONDONTWRITEBYTECODE=1 \\
  {python} -P -m deploy.host {words}"$@"
"""
_KEYRING = "/srv/intake/keyring"
_ADDRESS_WITHIN = 60  # seconds after tor's first start


@dataclass
class Install:
    """One run: the server, the checkout, and what else was given."""

    machine: Machine
    source: Path = release.ROOT
    wheels: Path | None = None
    keyring: Path | None = None
    changed: bool = False
    made: Path = Path()
    new: bool = False
    public: str = ""

    def run(self) -> bool:
        """Do all of it; return whether anything was changed. Raises :class:`Refused`."""
        steps = (
            ("the site's user", self._users),
            ("folders", self._folders),
            ("settings", self._settings),
            ("the release", self._release),
            ("the store and the bundle key", self._init),
            ("commands", self._commands),
            ("the switch", self._switch),
            ("old releases", self._prune),
            ("the keyring", self._keyring),
        )
        with self.machine.alone():
            for number, (what, step) in enumerate(steps, 1):
                say(f"{number}/{len(steps)}  {what}")
                step()
        return self.changed

    def _did(self, what: str, *, done: bool = True) -> None:
        if done:
            say(f"     {what}")
            self.changed = True

    def _users(self) -> None:  # (1)
        for name in self.machine.users():
            self._did(f"user and group {name}")

    def _folders(self) -> None:  # (2)
        for name, mode, owner in FOLDERS:
            self._did(f"{name}", done=self.machine.folder(name, mode, owner))
        for path in self.machine.own_all():
            self._did(f"{path} was another user's, and the site could not use it")

    def _settings(self) -> None:  # (3)
        if not self.machine.at("/etc/intake/site.env").exists():
            text = (_HERE / "site.env").read_text(encoding="utf-8")
            if not self.machine.real:
                text = text.replace("=/", f"={self.machine.root}/")
            self.machine.put("/etc/intake/site.env", text.encode())
            self._did("/etc/intake/site.env")

    def _release(self) -> None:  # (4)
        self.made, self.new = release.build(self.machine, self.source, self.wheels)
        self._did(f"release {self.made.name}", done=self.new)

    def _init(self) -> None:  # (5)
        said = self.machine.as_site(self.made, "-m", "intake.admin", "init")
        found = re.search(r"^Bundle key, public half: ([0-9a-f]{64})$", said, re.MULTILINE)
        self.public = found[1] if found else ""
        self._did(said.splitlines()[0], done=said.startswith("Made "))

    def _commands(self) -> None:  # (6)
        root = "" if self.machine.real else f"--root {self.machine.root} "
        current = self.machine.at("/opt/intake/current")
        for name, words in (("sbin/intake-host", root), ("bin/intake-admin", f"{root}admin ")):
            text = _LAUNCHER.format(current=current, python=self.machine.python, words=words)
            done = self.machine.put(f"/usr/local/{name}", text.encode(), 0o755)
            self._did(f"/usr/local/{name}", done=done)

    def _switch(self) -> None:  # (7)
        if switching.switch(self.machine, self.made.name, anew=self.new):
            self._did(f"release {self.made.name} is in force")

    def _prune(self) -> None:  # (8)
        kept = {switching.named(self.machine, link) or "" for link in ("current", "previous")}
        for name in release.prune(self.machine, kept):
            self._did(f"release {name} is removed: two newer ones are here")

    def _keyring(self) -> None:  # (9)
        if self.keyring is None:
            return
        data = files.read(self.keyring, 1 << 20)
        self.machine.put(_KEYRING, data)
        path = self.machine.at(_KEYRING)
        if self.machine.talk(self.made, "-m", "intake.admin", "keyring", "install", path):
            hint = f"What it said stands above. Then: intake-admin keyring install {path}"
            raise Incomplete("All is installed but the keyring.", hint)
        self.changed = True

    def tell(self) -> None:
        """Say what a person needs now, and the next step."""
        machine = self.machine
        found = onion.address(machine, patience=_ADDRESS_WITHIN if machine.systemd else 0)
        if not self.changed:
            say("Nothing had to be changed: all is there, as this checkout has it.")
        before = switching.named(machine, "previous") or "none"
        say(f"Release   {self.made.name}, and before it: {before}")
        say(f"Address   {found or 'tor makes it when it starts; then: intake-host show'}")
        say(f"Bundle key, public half: {self.public}")
        if not machine.settings().get("INTAKE_DATA"):
            return
        if Path(machine.settings()["INTAKE_DATA"], "installed").exists():
            say("  → intake-admin status; intake-admin doctor")
        else:
            say(f"  → At the key ceremony: propose … --bundle-key {self.public}")
            say("  → Then, here: intake-admin keyring install FILE")
