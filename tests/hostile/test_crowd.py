"""More than there is room for: bodies that never come whole, connections that only wait.

The deployed chain, with its own patience. A body that has not come whole waits in a file that is in
memory and has no name; no process has it mapped, so no process's own figures tell of it.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from deploy.door.disposable import WHOLE
from deploy.door.worker import ROOM
from deploy.gunicorn_conf import worker_connections, workers
from intake.settings import ROOT
from tests.door import line, rest
from tests.hostile.bodies import FILE, MULTIPART, RIGHT, part
from tests.hostile.cases import LETTER, head, letter
from tests.hostile.served import CIRCUITS, PLAIN, Attacked, family, nameless, under_attack
from tests.hostile.test_stalled import FIRST, settled
from tests.mutants import Mutant
from tests.mutants.hostile import CROWDED, HELD_BODIES
from tests.site_maker import make_site
from tests.spine import WAIT
from tests.test_end_to_end import checkout

pytestmark = pytest.mark.hostile

LONG = ("--keep-alive", "900")  # so that they wait as long as a busy machine takes
TOGETHER = 16  # connections of one circuit; it may have as many in each worker
MORE = workers * (worker_connections + 50)  # than are served at a time, by all
BEGUN = {
    "idle": b"",
    "after a visit": head(close=False),
    "a head without an end": head()[:-2],
    "a body without an end": letter(body=b"account=", length=60_000),
    "too often": b"c4n4ry\r\n\r\n",  # most of them are held back before they are refused
    "a file without an end": letter(
        body=RIGHT + part(FILE.format("a"))[:-2], kind=MULTIPART, target="/en/file", length=10**6
    ),
}
GREATEST = bytes(WHOLE - 1)  # as much of a letter as is taken before a process is there
FLOOD = workers * ROOM // WHOLE * 2  # twice as many as there is room for
PAGE = 4096  # bytes; the last of each file is not full
BUSY, SILENT = b"HTTP/1.1 429 ", b"HTTP/1.1 408 "  # the latter where a machine takes a minute


def flood(attacked: Attacked, held: contextlib.ExitStack) -> Iterator[socket.socket]:
    """Begin great letters, none of which comes whole, each by a circuit of its own."""
    begun = letter(body=GREATEST, length=WHOLE)
    for _ in range(FLOOD):
        link = held.enter_context(come(attacked, line(next(CIRCUITS))))
        with contextlib.suppress(OSError):  # it was sent away meanwhile
            link.sendall(begun)
        yield link


def answered(links: list[socket.socket]) -> list[bytes]:
    """Return how the answers begin that have come."""
    with selectors.DefaultSelector() as ready:
        for link in links:
            ready.register(link, selectors.EVENT_READ)
        return [key.fileobj.recv(len(BUSY)) for key, _ in ready.select(0)]  # type: ignore[union-attr]


def stop_half_way(root: Path, folder: Path) -> str:
    """Flood a checkout; return what was seen. Raises AssertionError, with what was broken first."""
    sent, peak, links = len(LETTER) // 2, 0, list[socket.socket]()
    with under_attack(make_site(folder), folder, root) as attacked, contextlib.ExitStack() as held:
        small = held.enter_context(attacked.door.connect(line(next(CIRCUITS))))
        small.sendall(letter(body=LETTER[:sent], length=len(LETTER)))
        for number, link in enumerate(flood(attacked, held)):
            links.append(link)
            if number % 20 == 0:
                peak = max(peak, nameless(family(attacked.door.process.pid)))
                with contextlib.suppress(OSError):  # so slow that its silence is not what ends it
                    sent += small.send(LETTER[sent : sent + 1])
        deadline = time.monotonic() + WAIT
        while not (told := answered(links)) and time.monotonic() < deadline:
            time.sleep(0.1)
        peak = max(peak, nameless(family(attacked.door.process.pid)))
        with contextlib.suppress(OSError):
            small.sendall(LETTER[sent:])
        receipt = rest(small)
        assert peak <= workers * ROOM + FLOOD * PAGE, f"memory: {peak >> 20} MiB at the peak"
        assert BUSY in told, f"answer: {set(told)}"
        assert set(told) <= {BUSY, SILENT}, f"answer: {set(told)}"
        assert receipt.startswith(b"HTTP/1.1 200 "), "lockout: a small letter was sent away"
        assert attacked.empty() == 1, "stored: not that letter alone"
        attacked.alive()
    return (
        f"{FLOOD} great bodies that stop: {peak >> 20} MiB at the peak, of {workers * ROOM >> 20} "
        f"and a page for each; {len(told)} were told to come again"
    )


def test_bodies_that_never_come_whole_take_so_much_and_small_ones_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stop_half_way(ROOT, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\n  {told}\n")


def come(attacked: Attacked, *pieces: bytes) -> socket.socket:
    """Open a connection, when so many come that tor, too, has to wait."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            return attacked.door.connect(*pieces)
        time.sleep(0.1)
    raise AssertionError("lockout: nobody comes in")


def crowd(root: Path, folder: Path, begun: bytes) -> float:
    """Fill the site with who waits; return how many times as long a letter takes then.

    Raises AssertionError, with what was broken first.
    """
    site = make_site(folder)
    with under_attack(site, folder, root, LONG) as attacked, contextlib.ExitStack() as held:
        alone = [held.enter_context(come(attacked, line(next(CIRCUITS)))) for _ in range(6)]
        links = []
        for number in range(MORE):
            links.append(come(attacked, line(FIRST + number // TOGETHER), begun))
            held.callback(links[-1].close)
        settled(links)
        try:
            seconds, raw = attacked.ask(PLAIN)
            attacked.check(PLAIN, raw)
        except (AssertionError, OSError) as error:
            raise AssertionError(f"lockout: {error}") from None
        for one in alone:
            raw = b""
            with contextlib.suppress(OSError):
                one.sendall(head())
                raw = rest(one)
            assert raw.startswith(b"HTTP/1.1 200 "), "alone: who came alone was sent away"
    return seconds / attacked.letter


@pytest.mark.parametrize("kind", BEGUN)
def test_who_waits_makes_room(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next letter is taken, and who came alone before them stays."""
    times = crowd(ROOT, tmp_path, BEGUN[kind])
    with capsys.disabled():
        sys.stdout.write(f"\n  {MORE} connections that wait ({kind}): {times:.1f} times as long\n")


BROKEN = {
    **{name: (mutant, stop_half_way) for name, mutant in HELD_BODIES.items()},
    **{name: (mutant, partial(crowd, begun=BEGUN["idle"])) for name, mutant in CROWDED.items()},
}


@pytest.mark.parametrize(("mutant", "guard"), BROKEN.values(), ids=BROKEN.keys())
def test_a_breakage_is_caught(
    mutant: Mutant, guard: Callable[[Path, Path], object], tmp_path: Path
) -> None:
    root = checkout(tmp_path / "checkout")
    mutant.apply(root)
    with pytest.raises(AssertionError) as caught:
        guard(root, tmp_path)
    assert str(caught.value).startswith(mutant.caught_by)
