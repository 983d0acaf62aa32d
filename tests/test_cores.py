"""Work on all cores: its order, its failures, and that no worker is left behind.

Rule: workers find what they are to do by its name in this module.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from intake.desk import cores
from intake.errors import BadFile, MachineTrouble

ROOT = Path(__file__).resolve().parent.parent
SECRET = "AGE-SECRET-KEY-PQ-1" + "Q" * 40


class Work:
    """Says of each number its double and who did it."""

    def __init__(self, secret: str = "", bad: int = -1) -> None:
        self.secret, self.bad = secret, bad

    def __call__(self, numbers: list[int]) -> list[tuple[int, int]]:
        if self.bad in numbers:
            raise BadFile("A bad number.", "Take another.")
        assert not self.secret or self.secret == SECRET
        return [(2 * number, os.getpid()) for number in numbers]


@pytest.fixture(autouse=True)
def _two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    yield
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    found = list(cores.each(Work, (), range(count)))
    assert [double for double, _ in found] == [2 * number for number in range(count)]
    others = {process for _, process in found} - {os.getpid()}
    assert bool(others) == (count >= cores.PIECE)


def test_one_core_does_it_all_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert {process for _, process in cores.each(Work, (), range(200))} == {os.getpid()}


@pytest.mark.parametrize("count", [10, 1000])
def test_what_a_worker_refuses_is_refused_here(count: int) -> None:
    with pytest.raises(BadFile, match="A bad number") as refused:
        list(cores.each(Work, ("", count - 1), range(count)))
    assert refused.value.hint == "Take another."


def test_items_are_read_as_they_are_needed() -> None:
    items = iter(range(100_000))
    results = cores.each(Work, (), items)
    next(results)
    assert next(items) < 20 * cores.PIECE
    results.close()


def test_what_the_source_of_items_raises_is_raised() -> None:
    def items() -> Iterator[int]:
        yield from range(500)
        raise BadFile("The stick is gone.")

    with pytest.raises(BadFile, match="stick"):
        list(cores.each(Work, (), items()))


def test_a_worker_that_the_system_ends_is_said_in_words() -> None:
    results = cores.each(Work, (), range(100_000))
    next(results)
    for worker in multiprocessing.active_children():
        os.kill(worker.pid or 0, signal.SIGKILL)
    with pytest.raises(MachineTrouble, match="memory") as refused:
        list(results)
    assert "run it again" in refused.value.hint


def test_a_secret_is_on_no_command_line_and_in_no_environment() -> None:
    results = cores.each(Work, (SECRET,), range(10_000))
    next(results)
    workers = [worker.pid for worker in multiprocessing.active_children()]
    assert len(workers) == 2
    for worker in workers:
        for name in ("cmdline", "environ"):
            assert SECRET.encode() not in Path(f"/proc/{worker}/{name}").read_bytes()
    results.close()


ALONE = """
import multiprocessing, os, signal, sys, time
from intake.desk import cores
from tests.test_cores import Work
if __name__ == "__main__":
    results = cores.each(Work, (), iter(int, 1))
    next(results)
    print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
    for _ in results:
        pass
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_us(how: signal.Signals) -> None:
    """Ctrl-C comes to all of them, as from a terminal; what kills us comes to us alone."""
    with subprocess.Popen(
        [sys.executable, "-c", ALONE],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        workers = [int(worker) for worker in process.stdout.readline().split()]
        (os.killpg if how is signal.SIGINT else os.kill)(process.pid, how)
        try:
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()  # or, if it lives on, the test waits for ever
    assert workers
    assert said.count("Traceback") == (how is signal.SIGINT)  # ours; a worker says nothing
    deadline = time.monotonic() + 30
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text("ascii")
    except OSError:
        return False
