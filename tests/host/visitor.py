"""A source at the door of a host: what tor would hand over, with tor's line before it."""

from __future__ import annotations

import contextlib
import gzip
import re
import secrets
import socket
from collections.abc import Iterator
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from tests.host.services import below

ORIGIN = "http://localhost"
PATIENCE = 60  # seconds
FORM = "application/x-www-form-urlencoded"
WORDS = "တပ်ရင်းမှူးက ရွာကို မီးရှို့ခိုင်းတယ်။ ကျွန်တော် ငြင်းခဲ့တယ်။"


class Line(HTTPConnection):
    """A connection to a unix socket, which begins as tor's do."""

    def __init__(self, door: Path, circuit: int) -> None:
        """Name the socket, and the circuit."""
        super().__init__("localhost", timeout=PATIENCE)
        self.door, self.circuit = door, circuit

    def connect(self) -> None:
        """Connect, and say which circuit this is."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        with below(self.door.parent) as folder:
            self.sock.connect(f"{folder}/{self.door.name}")
        address = f"fc00:dead:beef:4dad::{self.circuit >> 16:x}:{self.circuit & 0xFFFF:x}"
        self.sock.sendall(f"PROXY TCP6 {address} ::1 65535 80\r\n".encode())


class Visitor:
    """A browser without JavaScript, on a circuit of its own."""

    def __init__(self, door: Path) -> None:
        """Come to the socket ``door``."""
        self.door, self.circuit = door, secrets.randbelow(1 << 32)

    @contextlib.contextmanager
    def line(self) -> Iterator[Line]:
        """Yield a connection."""
        with contextlib.closing(Line(self.door, self.circuit)) as line:
            yield line

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, str]:
        """Ask for a page; return status and text."""
        headers = {"Origin": ORIGIN, "Content-Type": kind} if method == "POST" else {}
        with self.line() as line:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            return answer.status, unescape(gzip.decompress(answer.read()).decode())

    def form(self, words: str = WORDS) -> dict[str, str]:
        """Return a form that is filled in."""
        status, page = self.ask("GET", "/en")
        assert status == 200, page
        (seed,) = set(re.findall(r'name="_seed" value="([0-9a-f]{64})"', page))
        least = {"consent_store": "yes", "intent": "certify", "urgency": "skip", "force": "army"}
        return {"_seed": seed, **least, "account": words}

    def send(self, words: str = WORDS) -> str:
        """Send a testimony; return the digits of its receipt."""
        status, page = self.post(self.form(words))
        digits = "".join(re.findall(r"<li>(\d{4})</li>", page))
        assert status == 200, page
        assert len(digits) == 24, page
        return digits

    def post(self, fields: dict[str, str], path: str = "/en") -> tuple[int, str]:
        """Send a form; return status and text."""
        return self.ask("POST", path, urlencode(fields).encode(), FORM)

    def file(self, receipt: str, data: bytes) -> None:
        """Send a file under a receipt."""
        mark = b"--" + secrets.token_hex(16).encode()
        part = b'\r\nContent-Disposition: form-data; name="'
        body = mark + part + b'receipt"\r\n\r\n' + receipt.encode() + b"\r\n" + mark + part
        body += b'file"; filename="x.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        body += data + b"\r\n" + mark + b"--\r\n"
        kind = f"multipart/form-data; boundary={mark[2:].decode()}"
        status, page = self.ask("POST", "/en/file", body, kind)
        assert status == 200, page
