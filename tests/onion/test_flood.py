"""Whoever floods, or stalls, harms themselves: a visitor on another circuit does not notice.

Rules:
- No time is asserted, but the ratio of two medians of this machine in this minute, and that nobody
  is refused.
- The flood's own answers are counted, too: a circuit gets no more of them than it may. So the test
  notices if nothing bounds it, even where the machine is quick enough for all.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.gunicorn_conf import BURST, PACE, workers
from tests.onion import figures
from tests.onion.circuits import BROKEN, Circuit
from tests.onion.host import Host

pytestmark = pytest.mark.onion

VISITS = 12
BOUND = 5.0  # a visit may take so many times as long as before; by our measurements it takes 1 to 2
LINES = 40  # connections of the flood, at once; tor ends a circuit that has more than 64
STALLED = 200
CIRCUITS = 16  # that the stalled ones come by, so that none of them has too many connections
HEAD = "POST /en HTTP/1.1\r\nHost: {onion}\r\nOrigin: http://{onion}\r\n"
BODY = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n"


def visits(host: Host) -> float:
    """Return the median seconds of visits that bring a letter, each on a fresh circuit."""
    spent = []
    for number in range(VISITS):
        start = time.monotonic()
        host.circuit().letter(f"visit {number} ကျွန်တော် မလုပ်ခဲ့ဘူး။")
        spent.append(time.monotonic() - start)
    return statistics.median(spent)


def flood(host: Host) -> tuple[float, float, int, float]:
    """Flood by one circuit; return seconds of a visit before and during, answers, and seconds."""
    before = visits(host)
    circuit, stop = host.circuit("c1"), threading.Event()
    taken: list[int] = []

    def hammer(number: int) -> None:
        while not stop.is_set():
            with contextlib.suppress(*BROKEN):
                if number % 4:
                    status, _ = circuit.ask("GET", "/en")
                else:  # a receipt costs the server more than a page
                    status, _ = circuit.post({"receipt": "1234 " * 6}, "/en/back")
                taken.append(status)

    with ThreadPoolExecutor(LINES) as pool:
        start = time.monotonic()
        running = [pool.submit(hammer, number) for number in range(LINES)]
        try:
            during = visits(host)
        finally:
            stop.set()
            spent = time.monotonic() - start
        served = sum(status == 200 for status in list(taken))
        for one in running:
            one.result(300)
    return before, during, served, spent


def bounded(host: Host) -> tuple[float, int]:
    """See that a flood is bounded; return the ratio and the answers that it got."""
    before, during, served, spent = flood(host)
    allowed = workers * (BURST + spent / PACE)
    assert served <= allowed * 1.1, f"{served} answers in {spent:.0f} s, of {allowed:.0f} allowed"
    assert during / before < BOUND, f"a visit took {before:.2f} s, and {during:.2f} s in the flood"
    return during / before, served


def test_a_flood_from_one_circuit_does_not_slow_another(host: Host) -> None:
    ratio, served = bounded(host)
    figures.note("flood of one circuit: a visit by another takes", ratio, "times as long")
    figures.note("flood of one circuit: answers that it got", served, "")


@contextlib.contextmanager
def idle(circuit: Circuit) -> Iterator[socket.socket]:
    """Connect, and say nothing."""
    with circuit.connect() as line:
        yield line


@contextlib.contextmanager
def slow_head(circuit: Circuit) -> Iterator[socket.socket]:
    """Begin a head, and go on by one byte now and then."""
    with circuit.connect() as line:
        line.sendall(HEAD.format(onion=circuit.onion).encode()[:-10])
        yield line


@contextlib.contextmanager
def slow_body(circuit: Circuit) -> Iterator[socket.socket]:
    """Send a head, and a body of 60,000 bytes byte by byte."""
    with circuit.connect() as line:
        line.sendall((HEAD.format(onion=circuit.onion) + BODY).encode())
        yield line


@contextlib.contextmanager
def not_reading(circuit: Circuit) -> Iterator[socket.socket]:
    """Ask for many pages in one go, and read none."""
    with circuit.connect() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(f"GET /en HTTP/1.1\r\nHost: {circuit.onion}\r\n\r\n".encode() * 40)
        yield line


KINDS: dict[str, Callable[[Circuit], contextlib.AbstractContextManager[socket.socket]]] = {
    "idle": idle,
    "slow head": slow_head,
    "slow body": slow_body,
    "not reading": not_reading,
}


@pytest.mark.parametrize("kind", KINDS)
def test_stalled_visitors_do_not_delay_a_new_one(host: Host, kind: str) -> None:
    """200 of them, by a few circuits, still there when the new visitors have been served."""
    before = visits(host)
    circuits = [host.circuit(("c1", "c2")[n % 2]) for n in range(CIRCUITS)]
    stop = threading.Event()
    with contextlib.ExitStack() as held, ThreadPoolExecutor(CIRCUITS) as pool:
        enter = [pool.submit(KINDS[kind](circuits[n % CIRCUITS]).__enter__) for n in range(STALLED)]
        lines = [one.result(300) for one in enter]
        for line in lines:
            held.callback(line.close)

        def trickle() -> None:
            while not stop.wait(5):
                for line in lines:
                    with contextlib.suppress(OSError):
                        line.send(b"a")

        slow = pool.submit(trickle) if kind.startswith("slow") else None
        try:
            during = visits(host)
        finally:
            stop.set()
        if slow:
            slow.result(300)
        there = sum(waits(line) for line in lines)
    figures.note(f"200 stalled ({kind}): a visit takes", during / before, "times as long")
    assert during / before < BOUND, f"{before:.2f} s before, {during:.2f} s beside them"
    assert there >= STALLED * 0.9, f"only {there} of {STALLED} were there"


def waits(line: socket.socket) -> bool:
    """Return whether a line is still open."""
    line.setblocking(False)
    try:
        return bool(line.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False
