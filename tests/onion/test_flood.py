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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.door.circuits import BURST, PACE
from deploy.gunicorn_conf import worker_connections, workers
from tests.onion import figures
from tests.onion.circuits import BROKEN, Circuit
from tests.onion.host import Host

pytestmark = pytest.mark.onion

VISITS = 8
BOUND = 8.0  # a visit may take so many times as long as before; by our measurements it takes 1 to 2
LINES = 40  # connections of the flood, at once; tor ends a circuit that has more than 64
STALLED = 200
CIRCUITS = 16  # that the stalled ones come by, so that none of them has too many connections
SERVED = workers * worker_connections  # at a time, by all
SOME = 26  # connections of a circuit that waits with others: few enough in each worker
MANY = SERVED * 5 // 4
TOGETHER = 32  # circuits that come at the same time
UNREAD = 4  # pages that each of those who do not read has asked for
HEAD = "POST /en HTTP/1.1\r\nHost: {onion}\r\nOrigin: http://{onion}\r\n"
BODY = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n"


def visits(host: Host) -> float:
    """Return the median seconds of visits that bring a letter, each on a fresh circuit."""
    spent = []
    for number in range(VISITS):
        start = time.monotonic()
        try:
            host.circuit().letter(f"visit {number} ကျွန်တော် မလုပ်ခဲ့ဘူး။")
        except BROKEN as broken:
            raise AssertionError(f"a visitor was not served: {broken!r}") from broken
        spent.append(time.monotonic() - start)
    return statistics.median(spent)


def flood(host: Host) -> tuple[float, float, int, float]:
    """Flood by one circuit; return seconds of a visit before and during, answers, and seconds."""
    before = visits(host)
    circuit, stop = host.circuit("c1", timeout=20), threading.Event()
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


def idle(_: str) -> bytes:
    """Say nothing."""
    return b""


def slow_head(onion: str) -> bytes:
    """Begin a head, that goes on by one byte now and then."""
    return HEAD.format(onion=onion).encode()[:-10]


def slow_body(onion: str) -> bytes:
    """Send a head, before a body of 60,000 bytes that comes byte by byte."""
    return (HEAD.format(onion=onion) + BODY).encode()


def not_reading(onion: str) -> bytes:
    """Ask for pages in one go; none is read."""
    return f"GET /en HTTP/1.1\r\nHost: {onion}\r\n\r\n".encode() * UNREAD


def stalled(circuit: Circuit, begun: bytes) -> socket.socket:
    """Return a line on which no more is read, and little is sent."""
    line = circuit.connect()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.sendall(begun)
    line.setblocking(False)
    return line


KINDS: dict[str, Callable[[str], bytes]] = {
    "idle": idle,
    "slow head": slow_head,
    "slow body": slow_body,
    "not reading": not_reading,
}


@pytest.mark.parametrize("kind", KINDS)
def test_stalled_visitors_do_not_delay_a_new_one(host: Host, kind: str) -> None:
    """200 of them, by a few circuits, each with a line of its own, when new visitors come."""
    before = visits(host)
    circuits = [host.circuit(("c1", "c2")[n % 2]) for n in range(CIRCUITS)]
    stop = threading.Event()
    with contextlib.ExitStack() as held, ThreadPoolExecutor(CIRCUITS) as pool:
        begun = KINDS[kind](host.onion)
        coming = [pool.submit(stalled, circuits[n % CIRCUITS], begun) for n in range(STALLED)]
        lines = [one.result(300) for one in coming]
        for line in lines:
            held.callback(line.close)

        def trickle() -> None:
            while not stop.wait(5):
                for line in lines:
                    with contextlib.suppress(OSError):
                        line.send(b"a")

        slow = pool.submit(trickle) if kind.startswith("slow") else None
        there = sum(waits(line) for line in lines)
        try:
            during = visits(host)
        finally:
            stop.set()
        if slow:
            slow.result(300)
    figures.note(f"200 stalled ({kind}): a visit takes", during / before, "times as long")
    assert during / before < BOUND, f"{before:.2f} s before, {during:.2f} s beside them"
    assert there >= STALLED * 0.9, f"only {there} of {STALLED} were there"


def test_more_who_wait_than_are_served_lock_nobody_out(host: Host) -> None:
    """They say nothing, on many circuits; each that comes too many takes the place of another."""
    before = visits(host)
    circuits = [host.circuit(("c1", "c2")[n % 2]) for n in range(MANY // SOME)]
    with contextlib.ExitStack() as held, ThreadPoolExecutor(TOGETHER) as pool:

        def come(circuit: Circuit) -> list[socket.socket]:
            lines = []
            for _ in range(SOME):
                with contextlib.suppress(*BROKEN):
                    lines.append(stalled(circuit, b""))
            return lines

        lines = [line for some in pool.map(come, circuits) for line in some]
        for line in lines:
            held.callback(line.close)
        there = sum(waits(line) for line in lines)
        assert len(lines) > SERVED, f"only {len(lines)} came"
        assert there < SERVED, f"nobody made room: {there} are there"
        during = visits(host)
    figures.note(f"{SERVED} who wait, and more: a visit takes", during / before, "times as long")
    figures.note("the same: connections that came", len(lines), "")
    figures.note("the same: those that were there afterwards", there, "")
    assert during / before < BOUND, f"{before:.2f} s before, {during:.2f} s beside them"


def waits(line: socket.socket) -> bool:
    """Return whether a line is still open."""
    try:
        return bool(line.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False
