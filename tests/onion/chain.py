"""The chain of a host, part by part: tor, the socket that systemd holds, and the site.

Rule: what is restarted is restarted by systemd, as an admin or an upgrade does; what is killed is
killed from outside, and systemd alone brings it back.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from tests.host.booted import Booted

WAIT = 60  # seconds
TOR, SITE, SOCKET = "tor@default.service", "intake.service", "intake.socket"
DOOR = "/run/intake/web.sock"
ONION = "/var/lib/tor/intake/hostname"


class Chain:
    """The parts, on a machine that runs."""

    def __init__(self, machine: Booted) -> None:
        """Start what is not started yet: tor."""
        self.machine = machine
        self.systemctl("start", "tor.service")
        until(machine.root.at(ONION).exists, "an address")
        self.onion = machine.root.at(ONION).read_text().strip()

    def systemctl(self, *words: str) -> None:
        """Ask systemd."""
        self.machine.run("systemctl", *words)

    def knock(self, data: bytes = b"") -> bytes:
        """Connect to the socket, not through tor; send ``data``, and return what comes back."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(WAIT)
            line.connect(str(self.machine.at(DOOR)))
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):  # hung up before it had read all
                return b"".join(iter(lambda: line.recv(65536), b""))
        return b""

    def master(self) -> int:
        """Return the site's first process."""
        return self.machine.number(SITE)

    def workers(self) -> list[int]:
        """Return the processes that serve visitors."""
        return children(self.master())

    def kill_worker(self) -> None:
        """Kill one of them."""
        os.kill(self.workers()[0], signal.SIGKILL)

    def restart_site(self) -> None:
        """Restart the site; its socket stays."""
        self.systemctl("restart", SITE)

    def kill_site(self) -> None:
        """Kill the site, but for its workers, which notice."""
        os.kill(self.master(), signal.SIGKILL)

    def restart_socket(self) -> None:
        """Restart the socket, and with it the site."""
        self.systemctl("restart", SOCKET)

    def restart_tor(self) -> None:
        """Restart tor."""
        self.systemctl("restart", TOR)

    def kill_tor(self) -> None:
        """Kill tor."""
        os.kill(self.machine.number(TOR), signal.SIGKILL)

    def restarts(self, unit: str) -> int:
        """Return how often systemd has started a unit again by itself."""
        return int(self.machine.show(unit, "NRestarts")["NRestarts"])

    def journal(self) -> str:
        """Return all that was told to the journal by anybody."""
        return self.machine.run("journalctl", "--no-pager", "--output=cat")


def children(pid: int) -> list[int]:
    """Return the processes that came from one."""
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def until(done: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT
    while not done():
        assert time.monotonic() < deadline, f"{what}: not after {WAIT} s"
        time.sleep(0.05)
