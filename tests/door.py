"""The site as tor finds it: a unix socket, tor's line first; for a real server in tests."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from intake.settings import ROOT
from tests.site_maker import Site
from tests.spine import WAIT

GET = b"GET /en HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /en HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def line(circuit: int) -> bytes:
    """Return what tor sends first for a circuit."""
    number = f"{circuit >> 16:x}:{circuit & 0xFFFF:x}"
    return f"PROXY TCP6 fc00:dead:beef:4dad::{number} ::1 {circuit & 0xFFFF} 80\r\n".encode()


@dataclass(frozen=True, slots=True)
class Door:
    """A served site's unix socket."""

    path: Path
    process: subprocess.Popen[bytes]

    def connect(self, *pieces: bytes) -> socket.socket:
        """Open a connection, and send these."""
        with contextlib.ExitStack() as failed:
            link = failed.enter_context(socket.socket(socket.AF_UNIX))
            link.settimeout(WAIT)
            link.connect(str(self.path))
            for piece in pieces:
                link.sendall(piece)
            failed.pop_all()
        return link

    def ask(self, *pieces: bytes, half: bool = True) -> bytes:
        """Send these on a new connection; return all that comes back until it is closed."""
        with self.connect() as link:
            with contextlib.suppress(OSError):  # it may have hung up already
                for piece in pieces:
                    link.sendall(piece)
                if half:
                    link.shutdown(socket.SHUT_WR)
            return rest(link)


def rest(link: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := link.recv(1 << 16):
            found += piece
    return found


def settings(site: Site) -> dict[str, str]:
    """Return the site's settings: it makes no decoys, so that every row is one that was sent."""
    own = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    quiet = {"PYTHONDONTWRITEBYTECODE": "1", "INTAKE_DECOYS": "0"}
    return {"PATH": os.environ["PATH"], **quiet, **own}


@contextlib.contextmanager
def behind(  # noqa: PLR0913 - whatever a test wants otherwise
    site: Site,
    path: Path,
    *before: str,
    options: Sequence[str] = ("--workers", "1", "tests.shown_site:app()"),
    more: Mapping[str, str] | None = None,
    stdin: socket.socket | None = None,
    root: Path = ROOT,
    log: Path | None = None,
) -> Iterator[Door]:
    """Serve it on a unix socket at ``path``, with the configuration of the deployment.

    ``before`` is a command that starts another, with ``stdin`` if given; ``root`` is its checkout,
    and what it prints goes to ``log``.
    """
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn_conf.py"]
    with contextlib.ExitStack() as stack:
        out = subprocess.PIPE if log is None else stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            [*before, *command, *options],
            cwd=root,
            env=settings(site) | ({"INTAKE_BIND": f"unix:{path}"} if more is None else dict(more)),
            stdin=stdin.fileno() if stdin else subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    door = Door(path, process)
    try:
        deadline = time.monotonic() + 4 * WAIT  # traced, on a busy machine
        while time.monotonic() < deadline and process.poll() is None and not path.exists():
            time.sleep(0.05)
        assert path.exists(), process.poll()
        yield door
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=WAIT)
        said = said if log is None else log.read_bytes()
        assert b"fc00" not in said
        assert b"Traceback" not in said
