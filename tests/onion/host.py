"""The host and everybody around it: what the tests of this folder are played on.

Rules:
- :class:`Host` is the machine with its chain, and a network with visitors. Its admin types the
  commands that a host has; what is carried goes through `/srv/intake`.
- The desk is the one of the spine, in its own folder, on the checkout.
- What a test wants otherwise it puts back: the next one has the same host.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

from intake import keyring
from intake.settings import ROOT, Settings
from tests import spine
from tests.host.booted import Booted
from tests.onion.chain import Chain
from tests.onion.circuits import BROKEN, Circuit
from tests.onion.network import Network
from tests.site_maker import Site
from tests.spine import Machines

WAIT = 300  # seconds
REACH = 120  # seconds until everybody is back
CARRIED = "/srv/intake"
STORED = "/var/lib/intake"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Hosted(Machines):
    """The spine's machines, of which the server is a host: its tool is the host's command."""

    machine: Booted

    @classmethod
    def make(cls, folder: Path, machine: Booted) -> Hosted:
        """Make everybody's folders and keys; the server's are those of the machine."""
        made = spine.set_up(ROOT, folder)
        for name, place in (("server", STORED), ("stick", CARRIED)):
            for path in (folder / name).glob("*"):
                path.rmdir()
            (folder / name).rmdir()
            (folder / name).symlink_to(machine.root.at(place))
        return cls(made.root, made.folder, made.made, made.online, machine)

    def run(self, tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a tool to its end."""
        if tool == "admin":
            self.machine.run("chown", "-R", "intake:intake", CARRIED)
            given = (str(each).replace(str(self["stick"]), CARRIED) for each in arguments)
            return _run(self.machine.entered("intake-admin", *given))
        words = ["--demo-passphrases", self["passphrases"], *arguments]
        return _run([sys.executable, "-m", f"intake.{tool}", *map(str, words)])


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT,
    )


@dataclasses.dataclass(slots=True)
class Host:
    """The host, its visitors, and what is on its disk."""

    machines: Hosted
    net: Network
    chain: Chain

    @property
    def onion(self) -> str:
        """The site's address."""
        return self.chain.onion

    @property
    def site(self) -> Site:
        """What is on the disk, with everybody's keys."""
        stored = self.machines["server"]
        settings = Settings(stored / "data", stored / "keys")
        raw, made = settings.keyring.read_bytes(), self.machines.made
        found = keyring.parse(raw)
        draft = {**made.draft, "bundle_key": found.bundle_key.hex()}
        return Site(dataclasses.replace(made, draft=draft, raw=raw, keyring=found), settings)

    def circuit(self, client: str = "c0", timeout: float = 90) -> Circuit:
        """Return a fresh circuit of a client."""
        return Circuit(self.net.clients[client], self.onion, timeout=timeout)

    def reach(self, *names: str) -> None:
        """Have clients, all if none is named, ask for a page until it comes."""
        for name in names or self.net.clients:
            deadline = time.monotonic() + REACH
            while True:
                try:
                    self.circuit(name, timeout=20).get()
                    break
                except BROKEN:
                    assert time.monotonic() < deadline, f"{name} reaches nobody for {REACH} s"
                    time.sleep(0.2)

    def empty(self) -> None:
        """Delete every row."""
        store = self.site.store
        for period in store.counts():
            store.remove(row for row, _ in store.page(period, b"", 10**6))
