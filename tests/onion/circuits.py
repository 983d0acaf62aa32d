"""Visitors with circuits of their own: sockets through a client's SOCKS port (RFC 1928, 1929).

Rule: one user name is one circuit; tor keeps those apart by it.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode

from tests.onion import figures
from tests.onion.network import Client
from tests.site_maker import LEAST, receipt_in, seed_in

WAIT = 90  # seconds
PATIENCE = 20  # seconds for tor to lead to the onion; on a small network it hangs now and then
TRIES = 4
PORT = 80
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_NUMBERS = itertools.count()


class NoCircuitError(OSError):
    """Tor could not connect to the onion; it says why by a number."""


def connect(
    socks: int, onion: str, user: str, timeout: float = WAIT, *, port: int = PORT
) -> socket.socket:
    """Return a line to an onion, on the circuit of ``user``."""
    line = socket.create_connection(("127.0.0.1", socks), timeout)
    try:
        name, host = user.encode(), onion.encode()
        # One at a time: of two that come together, tor answers the second only.
        for said, length in (
            (b"\x05\x01\x02", 2),
            (b"\x01" + bytes([len(name)]) + name + b"\x01x", 2),
            (b"\x05\x01\x00\x03" + bytes([len(host)]) + host + struct.pack(">H", port), 10),
        ):
            line.sendall(said)
            got = b""
            while len(got) < length:
                if not (more := line.recv(length - len(got))):
                    raise NoCircuitError("tor hung up")
                got += more
        if got[1]:
            raise NoCircuitError(f"SOCKS {got[1]}")
    except OSError:
        line.close()
        raise
    return line


class Link(HTTPConnection):
    """An HTTP connection on a circuit."""

    def __init__(self, circuit: Circuit) -> None:
        """Prepare."""
        super().__init__(circuit.onion, PORT, timeout=circuit.timeout)
        self.circuit = circuit

    def connect(self) -> None:
        """Connect through tor."""
        self.sock = self.circuit.connect()


@dataclass(frozen=True, slots=True)
class Circuit:
    """A visitor's circuit to an onion; :meth:`fresh` has another."""

    client: Client
    onion: str
    user: str = field(default_factory=lambda: f"visitor {next(_NUMBERS)}")
    timeout: float = WAIT

    def fresh(self) -> Circuit:
        """Return another circuit of the same client to the same onion."""
        return Circuit(self.client, self.onion, timeout=self.timeout)

    def connect(self) -> socket.socket:
        """Return a new line on this circuit; where tor hangs, on another, as people try again.

        So far nothing was said to the site: how quickly it answers is measured as before. How often
        that happens is printed with the other figures.
        """
        user, patience = self.user, min(PATIENCE, self.timeout)
        for _ in range(TRIES - 1):
            start = time.monotonic()
            with contextlib.suppress(TimeoutError, NoCircuitError):
                line = connect(self.client.listening(), self.onion, user, patience)
                line.settimeout(self.timeout)
                return line
            figures.note(
                "tor did not lead to the onion: tried again after", time.monotonic() - start
            )
            user = self.fresh().user
        return connect(self.client.listening(), self.onion, user, self.timeout)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Ask for a page on a new line; return status and text."""
        with contextlib.closing(Link(self)) as link:
            link.request(method, path, body or None, dict(headers or {}))
            answer = link.getresponse()
            return answer.status, unescape(gzip.decompress(answer.read()).decode())

    def get(self, path: str = "/en") -> str:
        """Return a page."""
        status, page = self.ask("GET", path)
        assert status == 200, f"status {status}"
        return page

    def post(self, fields: Mapping[str, object], path: str = "/en") -> tuple[int, str]:
        """Send a form as a browser does; return status and page."""
        body = urlencode(fields, doseq=True).encode()
        return self.ask("POST", path, body, {**FORM, "Origin": f"http://{self.onion}"})

    def letter(self, words: str) -> str:
        """Fill in a form and send it; return the receipt."""
        fields = {"_seed": seed_in(self.get()), **LEAST, "account": words}
        status, page = self.post(fields)
        assert status == 200, f"status {status}"
        return receipt_in(page)


BROKEN = (OSError, HTTPException, EOFError)  # what a browser calls a page that cannot be shown
