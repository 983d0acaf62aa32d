"""Servers that take a file: Intake, and OnionShare's receive mode; with the client of both.

Rules:
- Loopback only. A server finds no settings but its own, and no folder: home, temporary files, data.
- The client is a plain socket. To each it sends what a browser without JavaScript would.
- A peer is the real program, installed by ``make bench-files``.

``deploy/chains.py`` has more servers, which take words.
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

from deploy.group import Group, Watch
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
SMALL = 300_000  # bytes of a file whose process begins before all of it is there
GUNICORN = (sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn_conf.py")


class Took(NamedTuple):
    """An upload: seconds on the wall and of processors; bytes of memory, and written to files."""

    seconds: float
    processor: float
    memory: float
    written: float


class Server(Group, ABC):
    """A server in a folder of its own, its temporary files and its settings included."""

    name: str

    def __init__(self, folder: Path, command: Sequence[str], more: Mapping[str, str]) -> None:
        """Start it. It finds no settings but these; it is ready after :meth:`wait`."""
        self.folder = folder
        private = dict.fromkeys(("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), folder)
        own = {name: str(path) for name, path in private.items()}
        super().__init__(command, {"PATH": os.environ["PATH"], **own, **more}, ROOT)

    def wait(self) -> None:
        """Return when it takes connections."""
        deadline = time.monotonic() + WAIT
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not start.\n{self.said()}")
            time.sleep(0.1)

    def ready(self) -> bool:
        """Say whether it takes connections."""
        with contextlib.suppress(OSError), self.connect():
            return True
        return False

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(self.address, WAIT)

    @property
    @abstractmethod
    def address(self) -> tuple[str, int]:
        """Host and port; port 0, where nobody listens, as long as it is not known."""


class Receiver(Server):
    """A server that takes files; ``own`` is what a process for a small one takes, in bytes."""

    own = 0

    def begin(self) -> None:
        """Wait until it is ready, and have every worker answer: a first request costs more."""
        self.wait()
        self.warm()
        self.rested = self.memory()

    def warm(self) -> None:
        """Upload one byte, so often that every worker has answered."""
        for _ in range(WARM):
            self.send(b"x", lambda: None)
        self.check(b"x")

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


class OnionShare(Receiver):
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


class Shared(Receiver):
    """Intake with workers that read files themselves: they can be asked afterwards."""

    name = "  words in workers"
    disposable = "0"

    def __init__(self, limit: int, folder: Path) -> None:
        """Make a deployment, and start it; files have up to ``limit`` MiB."""
        folder.mkdir()
        self.site = make_site(folder)
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self._address: tuple[str, int] = probe.getsockname()
        more = {"INTAKE_BIND": f"{HOST}:{self.address[1]}", "INTAKE_FILE_MB": f"{limit}"}
        more["INTAKE_DISPOSABLE"] = self.disposable
        super().__init__(folder, GUNICORN, settings(self.site) | more)

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


class Intake(Shared):
    """Intake as deploy/gunicorn_conf.py serves it: who reads a file ends with it."""

    name = "Intake"
    disposable = "1"

    def begin(self) -> None:
        """Wait until it is ready, and look at its memory while it takes a small file."""
        super().begin()
        idle, small = self.proportional(), bytes(SMALL)
        with Watch(self) as seen:
            self.send(small, lambda: time.sleep(1))
        self.check(small)
        self.rested, self.own = seen.memory, seen.memory - idle

    def measure(self, data: bytes, pause: Callable[[], None]) -> Took:
        """Upload ``data`` while somebody looks on: who ends cannot be asked what it took."""
        with Watch(self) as seen:
            before = time.perf_counter()
            self.send(data, pause)
            took = time.perf_counter() - before
        return Took(took, seen.processor, seen.memory - self.rested, seen.written)


def post(  # noqa: PLR0913, PLR0917 - all that a request has
    address: tuple[str, int],
    path: str,
    fields: Mapping[str, str],
    file: tuple[str, bytes],
    pause: Callable[[], None],
    good: bytes,
) -> None:
    """Send a form with a file over a plain socket, and read all of the answer."""
    head, tail = form(f"{address[0]}:{address[1]}", path, fields, file[0], len(file[1]))
    data, answer = memoryview(file[1]), b""
    with socket.create_connection(address, WAIT) as link:
        link.sendall(head)
        for place in range(0, len(data) - 1, STEP):
            link.sendall(data[place : min(place + STEP, len(data) - 1)])
        pause()
        link.sendall(data[-1:])
        link.sendall(tail)
        while part := link.recv(STEP):
            answer += part
    if not answer.startswith(b"HTTP/1.1 " + good):
        raise SystemExit(f"{path} answered {answer[:40]!r} to an upload.")


def form(  # noqa: PLR0913 - all that a request has
    host: str,
    path: str,
    fields: Mapping[str, str],
    file: str = "",
    size: int = 0,
    *,
    connection: str = "close",
) -> tuple[bytes, bytes]:
    """Return what stands in a request before and after the bytes of its file, the last field."""
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
    body = "".join(f'{start}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    name = f'"; filename="{NAME}' if size else '"; filename="'
    kind = "Content-Type: application/octet-stream"
    before = f'{body}{start}{file}{name}"\r\n{kind}\r\n\r\n'.encode()
    after = f"\r\n--{BOUNDARY}--\r\n".encode()
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"Origin: http://{host}",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        f"Content-Length: {len(before) + size + len(after)}",
        f"Connection: {connection}\r\n\r\n",
    )
    return "\r\n".join(lines).encode() + before, after


def settings(site: Site) -> dict[str, str]:
    """Return a site's settings: no decoys, so that every row is one that was sent."""
    own = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    return {"INTAKE_DECOYS": "0", **own}


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
