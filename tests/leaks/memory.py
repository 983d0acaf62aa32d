"""Copies of a source's words in the memory of a served site: who sends, who looks, and what counts.

Procedure of :func:`look`:
1. Serve the site behind a unix socket, as tor finds it, with its two workers.
2. Many sources send: words, files, more words, their receipts; some stop half-way, send what is
   refused, or what cannot be read. All of one kind of place have one mark, which nobody else has.
3. When all have been answered, read whatever each process of the site can read of its own memory,
   and count each mark in every spelling that it could have taken.

Rules:
- A mark is drawn anew for each run. This process has it, and the site is never told it otherwise.
- Who asks must be root: the memory of a site behind tor is out of reach for anyone else.
- What the kernel holds for no process (a socket's queue, pages that were freed) is not looked at.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

from intake import receipt
from intake.settings import ROOT
from tests import upload_maker
from tests.door import Door, line, settings
from tests.site_maker import LEAST, Site, make_site, receipt_in
from tests.spine import WAIT
from tests.test_one_size import measured

ROUNDS = 50  # of each way of sending
LETTERS = "ကခဂဃငစဆဇဈညတထဒဓန"
URLENCODED = "application/x-www-form-urlencoded"
STEP = 1 << 22  # bytes of memory that are read at once
OVERLAP = 1 << 12  # bytes, more than the longest spelling


class Marks(NamedTuple):
    """What is looked for: each in all that one kind of thing holds."""

    words: str
    latin: str
    file: str
    name: str
    refused: str

    @classmethod
    def draw(cls) -> Marks:
        """Return new ones."""
        burmese = ["".join(secrets.choice(LETTERS) for _ in range(12)) for _ in range(3)]
        return cls(
            burmese[0],
            f"Z{secrets.token_hex(8)}",
            burmese[1],
            f"n{secrets.token_hex(8)}",
            burmese[2],
        )


def spellings(text: str) -> set[bytes]:
    """Return how a text can stand in memory."""
    plain = text.encode()
    wide = {text.encode("utf-16-le"), text.encode("utf-32-le")}  # as Python keeps text, too
    escaped = {quote(text), quote(text).lower(), json.dumps(text)[1:-1], repr(plain)[2:-1]}
    escaped.add("".join(f"&#{ord(letter)};" for letter in text))
    # Wherever it begins, but for the letters that its neighbours have a part in.
    packed = {base64.b64encode(bytes(n) + plain)[4 * (n > 0) : -4] for n in range(3)}
    return {plain, *wide, *packed, *(each.encode() for each in escaped)}


class Process(NamedTuple):
    """A process of the site, and what it is."""

    pid: int
    what: str


def family(root: int) -> list[Process]:
    """Return a server's first process and all that came of it, in the order of their begin."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    kinds = ("first process", "worker", "stem", "child")
    found, deep = [Process(root, kinds[0])], {root: 0}
    for process in found:
        for pid in sorted(pid for pid, parent in parents.items() if parent == process.pid):
            deep[pid] = deep[process.pid] + 1
            found.append(Process(pid, kinds[deep[pid]]))
    return found


def copies(pid: int, texts: Iterable[str]) -> int:
    """Count the spellings of texts in all that a process can read of its own memory."""
    sought = {each for text in texts for each in spellings(text)}
    found = 0
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for entry in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place = re.match(r"(\w+)-(\w+) r", entry)
            if place and "[v" not in entry:  # vvar, vsyscall: the kernel's
                found += _count(memory.fileno(), int(place[1], 16), int(place[2], 16), sought)
    return found


def _count(memory: int, start: int, end: int, sought: set[bytes]) -> int:
    """Count in one range; what a piece shares with the one before it is counted once."""
    found, kept = 0, b""
    for at in range(start, end, STEP):
        try:
            data = kept + os.pread(memory, min(STEP, end - at), at)
        except OSError:  # a guard, or a file that is shorter than its place
            kept = b""
            continue
        found += sum(data.count(each) - kept.count(each) for each in sought)
        kept = data[-OVERLAP:]
    return found


class Sources:
    """Who sends: each from a circuit of their own."""

    def __init__(self, door: Door, marks: Marks) -> None:
        """Prepare; the site is served."""
        self.door, self.marks = door, marks
        self.circuit = secrets.randbits(20) << 8
        self.receipts: list[str] = []

    def head(self, path: str, kind: str, length: int | None, *more: str) -> bytes:
        """Return a circuit that nobody had, and the head of a POST from our own page."""
        self.circuit += 1
        own = ["Host: localhost", "Origin: http://localhost", f"Content-Type: {kind}", *more]
        own += [] if length is None else [f"Content-Length: {length}"]
        request = "\r\n".join([f"POST /en{path} HTTP/1.1", *own, "", ""])
        return line(self.circuit) + request.encode()

    def post(self, path: str, fields: Mapping[str, object], status: int = 200, *more: str) -> str:
        """Send a form; return the page."""
        body = urlencode(fields, doseq=True).encode()
        head = self.head(path, URLENCODED, len(body), "Connection: close", *more)
        page = measured(self.door.ask(head, body, half=False))
        assert page.status == status
        return page.text

    def letter(self) -> None:
        """Send words, and keep the receipt."""
        account = f"{self.marks.words} {self.marks.latin} {self.marks.words}"
        sent = {**LEAST, "_seed": secrets.token_hex(32), "account": account}
        self.receipts.append(receipt_in(self.post("", sent)))

    def add(self) -> None:
        """Come back, and send more words."""
        sent = {"receipt": self.receipts[0], "_seed": secrets.token_hex(32)}
        self.post("/words", {**sent, "words": self.marks.words})

    def visit(self) -> None:
        """Come back, and look for replies."""
        self.post("/back", {"receipt": self.receipts[0]})

    def files(self, size: int = 100_000) -> None:
        """Send a file."""
        body = self.upload(size)
        head = self.head("/file", upload_maker.KIND, len(body), "Connection: close")
        assert measured(self.door.ask(head, body, half=False)).status == 200

    def upload(self, size: int) -> bytes:
        """Return the body of an upload of about so many bytes."""
        data = (self.marks.file.encode() + secrets.token_bytes(1000)) * (size // 1000)
        named = upload_maker.file(f"{self.marks.name} {self.marks.words}.jpg", data)
        return upload_maker.body(upload_maker.first(self.receipts[0]), named)

    def trouble(self) -> None:
        """Send what is refused, what is cut off, and what is in no form that is read."""
        mark = self.marks.refused
        form = {"_seed": secrets.token_hex(32), "account": mark, "vet_hint": mark}
        assert mark in self.post("", form, 400)  # what was typed comes back
        body = urlencode(form).encode()
        refused = [
            (self.head("", "text/plain", len(body)), body),
            (self.head("", URLENCODED, len(body) + 100), body),  # cut off
            (self.head("", URLENCODED, 600_000), body * 600),
            (self.head("", URLENCODED, None, "Transfer-Encoding: chunked"), b"fff\r\n" + body),
            (self.head("", URLENCODED, None), body),  # without a length
            (self.head("", URLENCODED, 1, "Content-Length: 2"), body),
            (self.head("", URLENCODED, len(body)).replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"), body),
        ]
        for head, data in refused:
            assert not self.door.ask(head, data).startswith(b"HTTP/1.1 200 ")

    def all(self, rounds: int = ROUNDS) -> None:
        """Send everything, each so often."""
        for number in range(rounds):
            self.letter()
            self.add()
            if number % 5 == 0:
                self.files()
                self.visit()
                self.trouble()
        self.files(1_000_000)


@contextlib.contextmanager
def served(site: Site, path: Path, root: Path = ROOT, **more: str) -> Iterator[Door]:
    """Serve it from a checkout, as the deployment does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn_conf.py"],
        cwd=root,
        env=settings(site) | {"INTAKE_BIND": f"unix:{path}", **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + WAIT
        while not path.exists():
            assert time.monotonic() < deadline, process.poll()
            time.sleep(0.05)
        yield Door(path, process)
    finally:
        process.terminate()
        process.wait(WAIT)


class Found(NamedTuple):
    """Copies in each process after all was answered, and in each while an upload was under way."""

    after: list[tuple[str, int]]
    during: list[tuple[str, int]]

    def most(self, what: str, *, during: bool = False) -> int:
        """Return the copies in that of a kind of process which has most."""
        return max(count for name, count in (self.during if during else self.after) if name == what)

    @property
    def lines(self) -> list[str]:
        """Return a line for each process."""
        return [f"{name}: {count}" for name, count in self.after]


def look(folder: Path, root: Path = ROOT, rounds: int = ROUNDS, **more: str) -> Found:
    """Serve a site from a checkout, have sources send, and count what is left of it."""
    assert os.geteuid() == 0, "only root can look into the site's memory"
    site, marks = make_site(folder), Marks.draw()
    with served(site, folder / "s", root, **more) as door:  # (1)
        sources = Sources(door, marks)
        sources.all(rounds)  # (2)
        first = sources.receipts[0]
        sought = [*marks, first, " ".join(receipt.groups(first))]
        after = count_all(door.process.pid, sought)  # (3)
        body = sources.upload(1_000_000)
        head = sources.head("/file", upload_maker.KIND, len(body), "Connection: close")
        with door.connect(head, body[:-1000]) as link:
            wait_until_read(link)
            during = count_all(door.process.pid, sought)
            link.sendall(body[-1000:])
            assert link.recv(12) == b"HTTP/1.1 200"
    return Found(after, during)


def wait_until_read(link: socket.socket) -> None:
    """Return when the site has taken all that was sent."""
    deadline = time.monotonic() + WAIT
    while int.from_bytes(_queued(link), sys.byteorder):
        assert time.monotonic() < deadline, "it does not read"
        time.sleep(0.05)
    time.sleep(0.5)


def _queued(link: socket.socket) -> bytes:
    return fcntl.ioctl(link, termios.TIOCOUTQ, bytes(4))


def count_all(first: int, sought: Iterable[str]) -> list[tuple[str, int]]:
    """Count in every process of the site; anew, if one that had answered ended meanwhile."""
    deadline, sought = time.monotonic() + WAIT, list(sought)
    while True:
        try:
            return [(what, copies(pid, sought)) for pid, what in family(first)]
        except (FileNotFoundError, ProcessLookupError):
            assert time.monotonic() < deadline, "processes come and go"
