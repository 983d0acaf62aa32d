"""Bodies that were nearly sent: what they take of the memory is bounded, and small ones stay.

The deployed chain, with its own patience. A body that has not come whole waits in a file that is in
memory and has no name; no process has it mapped, so no process's own figures tell of it.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.door.disposable import HELD, WHOLE
from deploy.gunicorn_conf import workers
from intake.settings import ROOT
from tests.door import line, rest
from tests.hostile.cases import LETTER, letter
from tests.hostile.served import CIRCUITS, Attacked, family, under_attack
from tests.mutants import Mutant
from tests.mutants.hostile import HELD_BODIES
from tests.site_maker import make_site
from tests.spine import WAIT
from tests.test_end_to_end import checkout

pytestmark = pytest.mark.hostile

GREATEST = bytes(WHOLE - 1)  # as much of a letter as is taken before a process is there
FLOOD = workers * HELD // WHOLE * 2  # twice as many as there is room for
PAGE = 4096  # bytes; the last of each file is not full
BUSY = b"HTTP/1.1 429 "


def nameless(pid: int) -> int:
    """Return the bytes in files that are in memory and have no name, of a process and its own."""
    found = {}
    for path in (p for one in family(pid) for p in _open(one)):
        with contextlib.suppress(OSError):
            if str(path.readlink()).startswith("/memfd:"):
                facts = path.stat()
                found[facts.st_ino] = facts.st_blocks * 512
    return sum(found.values())


def _open(pid: int) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{pid}/fd").iterdir())
    return []


def flood(attacked: Attacked, held: contextlib.ExitStack) -> Iterator[socket.socket]:
    """Begin great letters, none of which comes whole, each by a circuit of its own."""
    begun = letter(body=GREATEST, length=WHOLE)
    for _ in range(FLOOD):
        link = held.enter_context(attacked.door.connect(line(next(CIRCUITS))))
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
    half, peak, links = len(LETTER) // 2, 0, list[socket.socket]()
    with under_attack(make_site(folder), folder, root) as attacked, contextlib.ExitStack() as held:
        small = held.enter_context(attacked.door.connect(line(next(CIRCUITS))))
        small.sendall(letter(body=LETTER[:half], length=len(LETTER)))
        for number, link in enumerate(flood(attacked, held)):
            links.append(link)
            if number % 20 == 0:
                peak = max(peak, nameless(attacked.door.process.pid))
        deadline = time.monotonic() + WAIT
        while not (told := answered(links)) and time.monotonic() < deadline:
            time.sleep(0.1)
        peak = max(peak, nameless(attacked.door.process.pid))
        with contextlib.suppress(OSError):
            small.sendall(LETTER[half:])
        receipt = rest(small)
        assert peak <= workers * HELD + FLOOD * PAGE, f"memory: {peak >> 20} MiB at the peak"
        assert set(told) == {BUSY}, f"answer: {set(told)}"
        assert receipt.startswith(b"HTTP/1.1 200 "), "lockout: a small letter was sent away"
        assert attacked.empty() == 1, "stored: not that letter alone"
        attacked.alive()
    return (
        f"{FLOOD} great bodies that stop: {peak >> 20} MiB at the peak, of {workers * HELD >> 20} "
        f"and a page for each; {len(told)} were told to come again"
    )


def test_bodies_that_never_come_whole_take_so_much_and_small_ones_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = stop_half_way(ROOT, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\n  {told}\n")


@pytest.mark.parametrize("mutant", HELD_BODIES.values(), ids=HELD_BODIES.keys())
def test_a_breakage_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    root = checkout(tmp_path / "checkout")
    mutant.apply(root)
    with pytest.raises(AssertionError) as caught:
        stop_half_way(root, tmp_path)
    assert str(caught.value).startswith(mutant.caught_by)
