"""A browser without a screen: asks a served desk over loopback, and keeps its cookie.

Rule: it sends exactly what a test says, also what no browser would.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from intake.desk import casebook
from intake.desk.pages.serving import Server
from intake.desk.pages.session import Session
from intake.settings import Settings
from tests.desk_maker import Desk

WAIT = 20  # seconds until a test gives up
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def links(self) -> list[str]:
        """Return where the page and the answer lead."""
        found = re.findall(r'<[a-z][^>]*\s(?:href|action|src)="([^"]*)"', self.text)
        return [*map(unescape, found), *filter(None, [self.headers.get("Location")])]


@dataclass(slots=True)
class Browser:
    """One browser. ``host`` is what it connects to and names as Host."""

    host: str
    cookie: str = ""
    seen: list[Answer] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str | None
    ) -> Answer:
        """Send one request; a header that is None is left out, and ``_`` in a name is a hyphen."""
        sent = {"Host": self.host, "Cookie": self.cookie or None}
        if body is not None:
            sent |= {"Origin": f"http://{self.host}", "Content-Type": FORM}
            sent["Content-Length"] = str(len(body))
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        line = http.client.HTTPConnection(self.host, timeout=WAIT)
        try:
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value is not None:
                    line.putheader(name, value)
            line.endheaders(body)
            got = line.getresponse()
            answer = Answer(got.status, dict(got.getheaders()), got.read().decode())
        finally:
            line.close()
        given = answer.headers.get("Set-Cookie", "").partition(";")[0]
        jar = dict(pair.partition("=")[::2] for pair in [*self.cookie.split("; "), given] if pair)
        self.cookie = "; ".join(f"{name}={value}" for name, value in jar.items())
        self.seen.append(answer)
        return answer

    def get(self, path: str, **headers: str | None) -> Answer:
        """GET, and follow where it leads."""
        return self._follow(self.ask("GET", path, None, **headers))

    def post(self, path: str, fields: Mapping[str, str | Sequence[str]] | None = None) -> Answer:
        """POST from our own page, and follow where it leads."""
        return self._follow(self.ask("POST", path, urlencode(fields or {}, doseq=True).encode()))

    def unlock(self, passphrase: str = "demo-alice") -> Answer:
        """Type the passphrase, and wait until the cases are open."""
        answer = self.post("/unlock", {"passphrase": passphrase})
        end = time.monotonic() + WAIT
        while 'http-equiv="refresh" content="1"' in answer.text:
            assert time.monotonic() < end
            time.sleep(0.02)
            answer = self.get("/")
        return answer

    def _follow(self, answer: Answer) -> Answer:
        while answer.status == 303:
            answer = self.ask("GET", answer.headers["Location"])
        return answer


def session(desk: Desk, name: str = "alice", **options: Any) -> Session:  # noqa: ANN401 - as given
    """Return a demo's session of a reviewer."""
    book = casebook.load(desk.casebook)
    reviewer = book.keyring.reviewer(name)
    assert reviewer is not None
    made = Session(
        book, desk.keys(name), reviewer, Settings.from_environment(), demo=True, **options
    )
    made.language = "en"
    return made


@contextmanager
def served(made: Session) -> Iterator[Server]:
    """Serve the pages until the block ends."""
    server = Server(made)
    server.serve_forever = partial(server.serve_forever, 0.01)  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(WAIT)


def entered(server: Server) -> Browser:
    """Return a browser that came in by the one-time address."""
    host, path = server.address.removeprefix("http://").split("/", 1)
    browser = Browser(host)
    assert browser.get(f"/{path}").status == 200
    return browser


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
