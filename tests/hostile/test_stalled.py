"""200 who stall, and who floods: neither delays, nor locks out, a letter by another circuit.

The deployed chain, with its own patience. No time is asserted, but ratios of medians of this
machine in this minute.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import socket
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.door.circuits import BURST, OPEN, PACE
from deploy.gunicorn_conf import workers
from tests.door import line
from tests.hostile.bodies import BACK, FILE, MULTIPART, RIGHT, part
from tests.hostile.cases import LETTER, head, letter
from tests.hostile.served import CIRCUITS, PLAIN, Attacked, Watch, under_attack
from tests.site_maker import make_site
from tests.spine import WAIT

pytestmark = pytest.mark.hostile

STALLED = 200
EACH = 8  # of them by one circuit; it may have twice as many, in each worker
LETTERS = 9
PATIENT = ("--keep-alive", "900")  # so that they stall as long as a busy machine measures
BOUND = 8.0  # a letter may take so many times as long as before; by our measurements 1 to 2
LARGER = 3.0  # and the processes so many times the memory
FIRST = 1 << 20  # circuit of those who stall
BUSY = b"HTTP/1.1 429"  # kept ready, and given at once to who has too many connections
UNREAD = 16  # pages that each of those who do not read has asked for: more than a socket holds
FILES = {"kind": MULTIPART, "target": "/en/file", "length": 10**6}
BEGUN: dict[str, tuple[bytes, bytes]] = {  # what is sent at once, and what drips
    "not even tor's line": (b"", b""),
    "idle": (b"", b""),
    "after a visit": (head(close=False), b""),
    "slow head": (head()[:-2] + b"X: ", b"a"),
    "slow lines": (head()[:-2], b"X: a\r\n"),
    "slow body": (letter(body=b"account=", length=60_000), b"a"),
    "slow file": (letter(body=RIGHT + part(FILE.format("a"))[:-2], **FILES), b"a" * 100),
    "not reading": (head(target="/exit", close=False) * UNREAD, b""),
}


@pytest.fixture
def attacked(tmp_path: Path) -> Iterator[Attacked]:
    with under_attack(make_site(tmp_path), tmp_path, options=PATIENT) as found:
        yield found


def told(capsys: pytest.CaptureFixture[str], words: str) -> None:
    """Print a figure."""
    with capsys.disabled():
        sys.stdout.write(f"\n  {words}\n")


def unread(link: socket.socket) -> int:
    """Return how many bytes wait on a line."""
    return int(struct.unpack("i", fcntl.ioctl(link, termios.FIONREAD, bytes(4)))[0])


def settled(links: list[socket.socket]) -> None:
    """Return when nothing more comes to those who do not read."""
    before, end = -1, time.monotonic() + 4 * WAIT
    while (now := sum(map(unread, links))) != before and time.monotonic() < end:
        before = now
        time.sleep(1)


def waits(link: socket.socket) -> bool:
    """Return whether a line is still open."""
    try:
        return bool(link.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False


@pytest.mark.parametrize("kind", BEGUN)
def test_200_who_stall_do_not_delay_the_next(
    attacked: Attacked, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sent, drop = BEGUN[kind]
    before, stop = attacked.measure(PLAIN, LETTERS), threading.Event()
    with contextlib.ExitStack() as held, Watch(attacked.door.process.pid).watching() as watch:
        links, each = [], 1 if kind == "not reading" else EACH
        for number in range(STALLED):
            circuit = FIRST + number // each
            first = [] if kind.startswith("not even") else [line(circuit)]
            links.append(held.enter_context(attacked.door.connect(*first, sent)))
            links[-1].setblocking(False)

        def drip() -> None:
            while drop and not stop.wait(0.5):
                for link in links:
                    with contextlib.suppress(OSError):
                        link.send(drop)

        dripping = threading.Thread(target=drip)
        dripping.start()
        settled(links)
        during = attacked.measure(PLAIN, LETTERS)
        there = sum(map(waits, links))
        stop.set()
        dripping.join()
    ratio, memory = during / before, watch.peak / attacked.peak
    told(capsys, f"{STALLED} stalled ({kind}): {ratio:.2f} times as long, {memory:.2f} the memory")
    assert there == STALLED, f"only {there} were there"
    assert ratio < BOUND, f"delay: {during:.3f} s beside them, {before:.3f} before"
    assert memory < LARGER


def unlike(number: int) -> bytes:
    """Return a letter that is like no other."""
    return letter(body=LETTER.replace(b"7" * 64, b"%064x" % number), close=False)


FLOODS: dict[str, Callable[[int], bytes]] = {
    "letters": unlike,
    "receipts": lambda _: letter(body=BACK, target="/en/back", close=False),
    "garbage": lambda _: b"c4n4ry\r\n\r\n",
    "what is too large": lambda _: letter(body=bytes(10**6), close=False),
    "chunks": lambda _: letter(["Transfer-Encoding: chunked"], length=None, body=b"0\r\n\r\n"),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_by_one_circuit_locks_nobody_out(
    attacked: Attacked, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It gets no more answers than a circuit may; everybody else is served as before."""
    before, stop = attacked.measure(PLAIN, LETTERS), threading.Event()
    circuit, numbers = line(next(CIRCUITS)), itertools.count()
    taken: list[bytes] = []

    def hammer() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError), attacked.door.connect(circuit) as link:
                link.settimeout(1)
                while not stop.is_set():
                    link.sendall(FLOODS[kind](next(numbers)))
                    if not (answer := link.recv(1 << 16)):
                        break
                    taken.append(answer[:12])

    running = [threading.Thread(target=hammer) for _ in range(OPEN)]
    start = time.monotonic()
    for one in running:
        one.start()
    while len(taken) < BURST and time.monotonic() - start < WAIT:
        time.sleep(0.1)
    spent = []
    for _ in range(LETTERS):
        seconds, raw = attacked.ask(PLAIN)
        spent.append(seconds)
        assert raw.startswith(b"HTTP/1.1 200 "), "lockout: a visitor was not served"
    length = time.monotonic() - start
    stop.set()
    for one in running:
        one.join()
    during = sorted(spent)[LETTERS // 2]
    allowed = workers * (BURST + length / PACE) * 1.2
    ratio = during / before
    answers = sum(one.startswith(b"HTTP/1.1 ") and one != BUSY for one in taken)
    told(
        capsys,
        f"flood ({kind}): {ratio:.2f} times as long; {answers} answers, of {allowed:.0f}",
    )
    assert len(taken) >= BURST, "there was no flood"
    assert ratio < BOUND, f"delay: {during:.3f} s in the flood, {before:.3f} before"
    assert answers <= allowed, f"pace: {answers} answers, of {allowed:.0f}"
    attacked.empty()
    attacked.alive()
