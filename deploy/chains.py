"""Chains that take a testimony, and what stands beside them: what is started, and what it is told.

Rules:
- A chain is what stands behind tor. It is told what tor would tell it: first the line of a circuit,
  then the request that a browser sends for our page, all of its fields and the filler included.
- Whoever asks without tor's line must get nothing; else :meth:`Chain.begin` ends the run.
- ``Discarding`` is the same app, whose letterbox does nothing. It must have stored nothing.
- haproxy is a candidate, where it is installed. Its configuration is here and nowhere else.
"""

from __future__ import annotations

import gzip
import re
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from deploy.group import Group
from deploy.receivers import GUNICORN, WAIT, OnionShare, Server, form, settings
from intake import receipt
from intake.form import Form
from intake.settings import FORM
from tests.site_maker import LEAST, make_site, receipt_in

ONION = f"{'a' * 56}.onion"
SIZE = 1024  # bytes of the account, in UTF-8
FILLERS = 16  # lengths of filler, evenly from none to all that the page may ask for
SENTENCE = "ကျွန်တော် တပ်ရင်း ၁၁၂ က ထွက်လာပါတယ်။ ရွာကို မီးရှို့ခိုင်းတာ မြင်ခဲ့ရတယ်။ "
SEED = b"5" * 64  # stands in a prepared body until the seed takes its place
EMPTY = {"text", "number", "date"}  # kinds of fields that a browser sends though nothing is typed
HAPROXY = shutil.which("haproxy") or ""

Visit = tuple[bytes, Callable[[bytes], bool]]  # a request; whether its answer is the right one


class Target(Protocol):
    """What the visitors need to know of a server."""

    name: str

    def connect(self) -> socket.socket:
        """Open a connection."""

    def opening(self) -> bytes:
        """Return what comes first on a connection."""

    def visit(self) -> Visit:
        """Return a submission that nobody made before."""


def account(size: int = SIZE) -> str:
    """Return Burmese of so many bytes, the last letters being spaces if it does not come out."""
    text = (SENTENCE * (size // len(SENTENCE) + 1)).encode()[:size].decode(errors="ignore")
    return text + " " * (size - len(text.encode()))


def bodies(text: str, fill: int) -> list[bytes]:
    """Return what a browser sends for the form with this account, by lengths of filler."""
    questions = Form.load(FORM).questions()
    names = [name for each in questions if each.kind in EMPTY for name in each.names()]
    answers = {**dict.fromkeys(names, ""), **LEAST, "account": text, "_seed": SEED.decode()}
    lengths = [fill * number // (FILLERS - 1) for number in range(FILLERS)]
    return [urlencode({**answers, "_fill": "o" * n}, doseq=True).encode() for n in lengths]


def request(method: str, path: str = "/", body: bytes = b"", *, close: bool = False) -> bytes:
    """Return a request as a browser's for our page."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {ONION}", f"Origin: http://{ONION}"]
    lines += ["Accept-Encoding: gzip, deflate"] + ["Connection: close"] * close
    if body:
        lines += ["Content-Type: application/x-www-form-urlencoded"]
        lines += [f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def line(circuit: int) -> bytes:
    """Return what tor sends first for a circuit."""
    number = f"{circuit >> 16:x}:{circuit & 0xFFFF:x}"
    return f"PROXY TCP6 fc00:dead:beef:4dad::{number} ::1 {circuit & 0xFFFF} 80\r\n".encode()


class Chain(Server):
    """The site on a unix socket, as deploy/host serves it: two workers, tor's line required."""

    name = "Intake's chain"
    app: Sequence[str] = ()  # what gunicorn is told beside its configuration
    stores = True
    handed = True  # the socket is another's, as systemd's, and is there while nobody serves

    def __init__(self, folder: Path, text: str = "") -> None:
        """Make a deployment, and start it; sources will write ``text``."""
        self.folder = folder
        folder.mkdir()
        self.site = make_site(folder)
        fill = self.site.settings.fill
        self.prepared = [request("POST", "/", body) for body in bodies(text or account(), fill)]
        self.path = folder / "web.sock"
        if self.handed:
            self.door = socket.socket(socket.AF_UNIX)
            self.door.bind(str(self.path))
            self.door.listen(512)
        self.start()

    def start(self) -> None:
        """Start the site, at first or again."""
        super().__init__(self.folder, self.command(), self.told())

    def pause(self) -> None:
        """End the site, until it is started again."""
        super().stop()
        self.log.close()

    def stop(self) -> float:
        """End it for good."""
        took = super().stop()
        self.log.close()
        if self.door:
            self.door.close()
        return took

    def command(self) -> list[str]:
        """Return how it is started: it is handed the socket as systemd would."""
        give = ("sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null', "sh")
        return [*give, *GUNICORN, *self.app]

    def told(self) -> dict[str, str]:
        """Return its settings."""
        return settings(self.site)

    @property
    def address(self) -> tuple[str, int]:
        """Nowhere: this is no TCP."""
        return "", 0

    def connect(self) -> socket.socket:
        """Open a connection."""
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(WAIT)
        link.connect(str(self.path))
        return link

    def begin(self) -> None:
        """Wait until it serves, and does not serve whom tor did not send."""
        self.wait()
        asked, deadline = request("GET", close=True), time.monotonic() + WAIT
        while not self.ask(self.opening() + asked).startswith(b"HTTP/1.1 200 "):
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.name} does not serve.\n{self.said()}")
            time.sleep(0.1)
        if self.ask(asked) or self.ask(line(1).replace(b"fc00", b"fc01") + asked):
            raise SystemExit(f"{self.name} serves whom tor did not send.")

    def ask(self, data: bytes) -> bytes:
        """Send this on a new connection; return all that comes back."""
        answer = b""
        with self.connect() as link:
            link.sendall(data)
            try:
                while part := link.recv(1 << 16):
                    answer += part
            except ConnectionResetError:
                pass
        return answer

    def opening(self) -> bytes:
        """Return the line of a circuit that nobody had before."""
        return line(secrets.randbits(32))

    def visit(self) -> Visit:
        """Return a testimony; its answer must show the receipt that follows from its seed."""
        seed = secrets.token_bytes(32)
        digits = receipt.receipt(seed)

        def right(answer: bytes) -> bool:
            head, _, page = answer.partition(b"\r\n\r\n")
            good = head.startswith(b"HTTP/1.1 200 ")
            return good and receipt_in(gzip.decompress(page).decode()) == digits

        return secrets.choice(self.prepared).replace(SEED, seed.hex().encode()), right

    def stored(self) -> int:
        """Return how many rows there are."""
        return sum(self.site.store.counts().values())


class Shared(Chain):
    """The same, whose workers read the words themselves."""

    name = "the same, words in workers"

    def told(self) -> dict[str, str]:
        """Return its settings."""
        return super().told() | {"INTAKE_DISPOSABLE": "0"}


class Discarding(Chain):
    """The same, but what was validated is thrown away: neither sealed nor stored."""

    name = "the same app, discarding"
    app: Sequence[str] = ("deploy.discarding:app",)
    stores = False


BEHIND = """
from deploy.gunicorn_conf import *
from deploy.door.worker import Worker
class Behind(Worker):
    def greeted(self, line):
        return True
worker_class = Behind
"""

CONFIGURATION = """
global
    maxconn 4000
    log /dev/null local0
    nbthread 2
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 30m
    timeout http-request 75s
    timeout http-keep-alive 75s
    timeout queue 60s
    retries 3
frontend onion
    bind unix@{path} mode 660 accept-proxy
    # What tor itself wrote: the circuit. Not "connection": that is before the line was read.
    tcp-request session reject if !{{ src fc00:dead:beef:4dad::/64 }}
    stick-table type ipv6 size 100k expire 10m store conn_cur,http_req_rate(80s)
    tcp-request session track-sc0 src
    http-request deny deny_status 429 if {{ sc0_conn_cur gt 32 }}
    http-request deny deny_status 429 if {{ sc0_http_req_rate gt 80 }}
    http-request del-header X-Forwarded-For
    http-request del-header X-Forwarded-Proto
    http-request del-header Forwarded
    default_backend app
backend app
    http-reuse safe
    server site unix@{behind} maxconn 512
"""


class Haproxied(Chain):
    """haproxy on the socket, which bounds circuits, and the site behind it on another one."""

    name = "haproxy in front"
    handed = False

    def __init__(self, folder: Path, text: str = "") -> None:
        """Start both."""
        super().__init__(folder, text)
        file = folder / "haproxy.cfg"
        file.write_text(CONFIGURATION.format(path=self.path, behind=self.behind))
        self.proxy = Group([HAPROXY, "-db", "-f", str(file)], {"PATH": "/usr/bin:/bin"})

    @property
    def behind(self) -> Path:
        """The socket of the site."""
        return self.path.with_name("behind.sock")

    def command(self) -> list[str]:
        """Return how the site is started: it asks for no line."""
        file = self.path.with_name("behind.py")
        file.write_text(BEHIND)
        return [*GUNICORN[:-1], str(file)]

    def told(self) -> dict[str, str]:
        """Return the site's settings."""
        return super().told() | {"INTAKE_BIND": f"unix:{self.behind}"}

    def members(self) -> list[int]:
        """List the processes of both."""
        return [*super().members(), *self.proxy.members()]

    def stop(self) -> float:
        """End both."""
        took = self.proxy.stop()
        self.proxy.log.close()
        return took + super().stop()


class Messages(OnionShare):
    """OnionShare's receive mode, to which the same account is sent as a message."""

    stores = True

    def __init__(self, folder: Path, text: str = "") -> None:
        """Start it."""
        super().__init__(folder)
        self.text = text or account()

    def begin(self) -> None:
        """Wait until it serves."""
        self.wait()
        self.where = self.address  # what it prints is one file, which clients would all seek in
        fields = {"text": self.text}
        host = f"{self.where[0]}:{self.where[1]}"
        self.message = b"".join(form(host, "/upload", fields, "file[]", connection="keep-alive"))

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(getattr(self, "where", self.address), WAIT)

    def opening(self) -> bytes:
        """Return nothing: it does not know circuits."""
        return b""

    def visit(self) -> Visit:
        """Return a message; the answer sends the browser back to the form."""
        return self.message, lambda answer: bool(re.match(rb"HTTP/1.1 302 ", answer))

    def stored(self) -> int:
        """Return how many messages there are, whole."""
        files = [path for path in self.received.rglob("*") if path.is_file()]
        wrong = [path for path in files if path.read_bytes() != self.text.encode()]
        if wrong:
            raise SystemExit(f"{self.name} stored something else than was sent.")
        return len(files)
