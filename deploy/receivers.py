"""Servers that take a file: Intake, and OnionShare's receive mode; with the client of both.

Rules:
- Loopback only. A server finds no settings but its own, and no folder: home, temporary files, data.
- The client is a plain socket. To each it sends what a browser without JavaScript would.
- A peer is the real program, installed by ``make bench-files``.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

from deploy.group import Group
from tests import spine, upload_maker
from tests.site_maker import Site, make_site

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
ONION = ROOT / ".peers" / "onionshare" / "bin" / "onionshare-cli"
NAME = "evidence.bin"
BOUNDARY = f"----{secrets.token_hex(16)}"
STEP = 64 * 1024  # bytes that the client hands over at a time
WAIT = 60  # seconds for a server to begin; for any one step of an upload
WARM = 40  # uploads of one byte


class Took(NamedTuple):
    """An upload: seconds on the wall and of processors; bytes of memory, and written to files."""

    seconds: float
    processor: float
    memory: float
    written: float


class Server(Group, ABC):
    """A server in a folder of its own, its temporary files and its settings included."""

    name: str

    def __init__(self, folder: Path, command: list[str], more: Mapping[str, str]) -> None:
        """Start it. It finds no settings but these; it is ready after :meth:`begin`."""
        self.folder = folder
        private = dict.fromkeys(("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), folder)
        own = {name: str(path) for name, path in private.items()}
        super().__init__(command, {"PATH": os.environ["PATH"], **own, **more}, ROOT)

    def begin(self) -> None:
        """Wait until it is ready, and have every worker answer: a first request costs more."""
        deadline = time.monotonic() + WAIT
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not start.\n{self.said()}")
            time.sleep(0.1)
        for _ in range(WARM):
            self.send(b"x", lambda: None)
        self.check(b"x")
        self.rested = self.memory()

    def ready(self) -> bool:
        """Say whether it takes connections."""
        with contextlib.suppress(OSError), socket.create_connection(self.address, WAIT):
            return True
        return False

    @property
    @abstractmethod
    def address(self) -> tuple[str, int]:
        """Host and port; port 0, where nobody listens, as long as it is not known."""

    @abstractmethod
    def send(self, data: bytes, pause: Callable[[], None]) -> None:
        """Upload ``data``; ``pause`` is called before its last byte goes."""

    @abstractmethod
    def take(self) -> set[bytes]:
        """Return the contents of what was stored, and remove it."""

    def check(self, data: bytes) -> None:
        """Take what was stored. Raises if it is anything but ``data``."""
        if self.take() != {data}:
            raise SystemExit(f"{self.name} stored something else than was sent.")

    def measure(self, data: bytes, pause: Callable[[], None]) -> Took:
        """Upload ``data`` and measure it. Memory counts from where it was after :meth:`begin`."""
        self.forget_peak()
        written, processor = self.written(), self.processor()
        before = time.perf_counter()
        self.send(data, pause)
        took = time.perf_counter() - before
        grown, written = self.memory("VmHWM") - self.rested, self.written() - written
        return Took(took, self.processor() - processor, grown, written)

    def holds(self, samples: Iterable[bytes]) -> bool:
        """Say whether any of these bytes stand in a file that it has, or holds open."""
        files = [*self.held(), *(path for path in self.folder.rglob("*") if path.is_file())]
        return any(found(path, samples) for path in files)


class OnionShare(Server):
    """OnionShare's receive mode, without Tor: it prints the address where it listens."""

    name = "OnionShare, receive"

    def __init__(self, folder: Path) -> None:
        """Start it."""
        # It asks whether there is a tor even where it starts none. This one says no.
        tor = folder / "bin" / "tor"
        tor.parent.mkdir(parents=True)
        tor.write_text("#!/bin/sh\nexit 1\n")
        tor.chmod(0o700)
        self.received = folder / "received"
        command = [str(ONION), "--receive", "--local-only", "--public"]
        command += ["--data-dir", str(self.received)]
        more = {"PATH": f"{tor.parent}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        super().__init__(folder, command, more)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as it printed them."""
        said = re.search(rf"http://{HOST}:(\d+)", self.said())
        return HOST, int(said[1]) if said else 0

    def send(self, data: bytes, pause: Callable[[], None]) -> None:
        """Upload as the page does without JavaScript."""
        post(self.address, "/upload", {"text": ""}, ("file[]", data), pause, b"302 ")

    def take(self) -> set[bytes]:
        """Return the files in its folder, and remove them."""
        data = {path.read_bytes() for path in self.received.rglob("*") if path.is_file()}
        shutil.rmtree(self.received)
        return data


class Intake(Server):
    """Intake as deploy/gunicorn_conf.py serves it."""

    name = "Intake"

    def __init__(self, limit: int, folder: Path) -> None:
        """Make a deployment, and start it; files have up to ``limit`` MiB."""
        folder.mkdir()
        self.site = make_site(folder)
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self._address: tuple[str, int] = probe.getsockname()
        command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn_conf.py"]
        settings = self.site.settings
        more = {"INTAKE_DATA": str(settings.data), "INTAKE_KEYS": str(settings.keys)}
        more |= {"INTAKE_BIND": f"{HOST}:{self.address[1]}", "INTAKE_FILE_MB": f"{limit}"}
        super().__init__(folder, command, more)

    @cached_property
    def digits(self) -> str:
        """The receipt of a testimony, under which the files come."""
        return spine.submit(f"{HOST}:{self.address[1]}")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self._address

    def send(self, data: bytes, pause: Callable[[], None]) -> None:
        """Upload as the page does."""
        post(self.address, "/en/file", {"receipt": self.digits}, ("file", data), pause, b"200 ")

    def take(self) -> set[bytes]:
        """Open what is in the store, and remove it."""
        data = {content for _, content in upload_maker.files(self.site)}
        empty(self.site)
        return data


def post(  # noqa: PLR0913, PLR0917 - all that a request has
    address: tuple[str, int],
    path: str,
    fields: Mapping[str, str],
    file: tuple[str, bytes],
    pause: Callable[[], None],
    good: bytes,
) -> None:
    """Send a form with a file over a plain socket, and read all of the answer."""
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
    head = "".join(f'{start}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    head += (
        f'{start}{file[0]}"; filename="{NAME}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    tail = f"\r\n--{BOUNDARY}--\r\n"
    host = f"{address[0]}:{address[1]}"
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"Origin: http://{host}",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        f"Content-Length: {len(head) + len(file[1]) + len(tail)}",
        "Connection: close\r\n\r\n",
    )
    data, answer = memoryview(file[1]), b""
    with socket.create_connection(address, WAIT) as link:
        link.sendall(("\r\n".join(lines) + head).encode())
        for place in range(0, len(data) - 1, STEP):
            link.sendall(data[place : min(place + STEP, len(data) - 1)])
        pause()
        link.sendall(data[-1:])
        link.sendall(tail.encode())
        while part := link.recv(STEP):
            answer += part
    if not answer.startswith(b"HTTP/1.1 " + good):
        raise SystemExit(f"{path} answered {answer[:40]!r} to an upload.")


def found(path: Path, samples: Iterable[bytes]) -> bool:
    """Say whether any of these bytes stand in a file."""
    with (
        contextlib.suppress(OSError, ValueError),  # gone, or empty
        path.open("rb") as file,
        mmap(file.fileno(), 0, access=ACCESS_READ) as content,
    ):
        return any(content.find(sample) >= 0 for sample in samples)
    return False


def empty(site: Site) -> None:
    """Remove every row of the store."""
    site.store.remove([row for row, _ in upload_maker.sealed_rows(site)])
