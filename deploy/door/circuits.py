"""Who comes from tor: a client's socket, and what the circuits behind them may do.

Rules:
- On a unix socket only tor speaks. Its first line names the circuit; without that line nobody is
  served. A circuit has so many connections, and asks so often; then it waits, and nobody else does.
- A circuit's number is kept in memory while it lives, and reaches neither the app nor a log.
- Where a process reads heads only, a socket gives it a head, and no byte of what follows. A head
  that goes on is refused before it has ended: a thousand of them at once take some 40 MiB.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterator

import gevent  # type: ignore[import-untyped]
from gevent import socket
from gunicorn.http.errors import LimitRequestHeaders

from deploy.door.pouring import upto

OPEN = 16  # connections of one circuit, in each worker; a browser opens six
BURST = 20  # requests that one circuit may send in each worker without waiting
PACE = 2.0  # seconds between those that come after
# What tor's HiddenServiceExportCircuitID sends first (the PROXY protocol, version 1, section 2.1).
CIRCUIT = re.compile(
    rb"PROXY TCP6 (fc00:dead:beef:4dad::[0-9a-f]{1,4}:[0-9a-f]{1,4}) ::1 \d{1,5} \d{1,5}\r\n"
)
LONGEST = 107  # bytes of such a line
END = b"\r\n\r\n"  # of a head
PIECE = 2052  # bytes of a head that are parsed at once: no more than a line that is too long
MOST = 8 * 1024  # bytes of a head, about; a browser's has 700, and a worker holds all that come


class Line(socket.socket):  # type: ignore[misc]
    """A client's socket; ``begun`` says whether a byte of the next request has come."""

    begun = False
    circuit = b""  # tor's number for the circuit; empty where the client is not behind tor
    head: bytearray | None = None  # so far, where this process reads heads and nothing else

    def recv(self, *size: int) -> bytes:
        """Receive as a socket does, or one head, in pieces, and nothing of what follows it.

        Raises gunicorn's LimitRequestHeaders, which ends in a refusal.
        """
        if self.head is None:
            return self._receive(*size)
        if self.head.endswith(END):
            return b""
        if len(self.head) > MOST:
            raise LimitRequestHeaders("")
        return upto(self._receive, self.head, END, PIECE)

    def _receive(self, *size: int) -> bytes:
        data: bytes = super().recv(*size)
        self.begun = True
        return data

    def greet(self) -> bool:
        """Take tor's line and keep its circuit; return False if there is none."""
        found = CIRCUIT.fullmatch(upto(super().recv, bytearray(), b"\r\n", LONGEST))
        if found:
            self.circuit = found[1]
        return found is not None


class Circuits:
    """How many connections each circuit has, and how often it asks: in memory, by tor's number.

    The rate is counted as in the generic cell rate algorithm (ITU-T I.371): one moment for each
    circuit, up to which its requests are paid for. Soon after that moment it is forgotten.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.connections: Counter[bytes] = Counter()
        self.paid: dict[bytes, float] = {}

    @contextlib.contextmanager
    def connected(self, circuit: bytes) -> Iterator[bool]:
        """Count one more connection; say whether it is within the limit."""
        self.connections[circuit] += 1
        try:
            yield not circuit or self.connections[circuit] <= OPEN
        finally:
            self.connections[circuit] -= 1
            if not self.connections[circuit]:
                del self.connections[circuit]

    def wait(self, circuit: bytes) -> float:
        """Count one more request; return the seconds that it has to wait."""
        if not circuit:
            return 0.0
        if not self.paid:
            gevent.spawn(self.forget)
        now = time.monotonic()
        self.paid[circuit] = max(self.paid.get(circuit, now), now) + PACE
        return max(0.0, self.paid[circuit] - now - BURST * PACE)

    def forget(self) -> None:
        """Drop what is past, again and again, until nothing is left."""
        while self.paid:
            gevent.sleep(PACE)
            now = time.monotonic()
            self.paid = {each: until for each, until in self.paid.items() if until > now}
