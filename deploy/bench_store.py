"""How a large store behaves: an insert, an export, a night, and how long a post waits meanwhile.

    python deploy/bench_store.py                     100,000 envelopes
    python deploy/bench_store.py --rows 10000        for a first look
    python deploy/bench_store.py --rows 1000000 --folder /srv/large

Rules:
- Rows have the real size and random ids. Many are filled in at a time; each that is measured is a
  transaction of its own, durable when it returns, as the site's are.
- Inserts go by turns into a store of 1,000 rows and into the large one, in the same minutes: what
  else the machine does then meets both, and the ratio of the two medians is what counts.
- Export and maintenance are run at a tenth of the rows and at all of them, each in a process of its
  own, so that its memory is its own; beside each a poster stores rows and notes how long each took.
  The same poster beside nothing, before and after, is what that is compared with.
- It needs three times the room of the rows, asks for it first, and removes all of it at the end.

Run it as `make bench-store ARGS="--rows 10000"`. It ends with 1 if a bound is passed (`BOUNDS`).
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Event
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from intake.admin import exporting, maintaining, status  # noqa: E402 - after the path is set
from intake.envelope import SEALED  # noqa: E402
from intake.rows import Rows  # noqa: E402
from intake.settings import Settings  # noqa: E402
from intake.terminal import progress  # noqa: E402
from tests.site_maker import make_site  # noqa: E402

SMALL = 1_000  # rows of the store that the large one is compared with
MEASURED = 400  # inserts into each
TURN = 10  # inserts into one before the other's turn
BATCH = 500  # rows of a transaction that only fills
ROW = 38_000  # bytes of a row in the store
BARE = 5.0  # seconds that the poster posts beside nothing, before and after
PAUSE = 0.02  # seconds between two posts
BOUNDS = {"insert": 1.3, "memory": 1.5}  # at most so many times the small one's
WORKS = ("export", "maintain")
BLOB = random.Random(9).randbytes(SEALED + (1 << 20))  # noqa: S311 - rows that look sealed


class Took(NamedTuple):
    """Seconds, peak memory in MiB, the posts' waits beside it and beside nothing, in seconds."""

    seconds: float
    memory: float
    waits: list[float]
    bare: list[float]


class Found(NamedTuple):
    """What was measured: ``inserts`` by rows, ``works`` and ``looks`` by name and rows, in seconds.

    ``size`` is how many bytes a row takes in the large store.
    """

    inserts: dict[int, list[float]]
    works: dict[tuple[str, int], Took]
    looks: dict[tuple[str, int], float]
    size: int

    def ratios(self) -> dict[str, float]:
        """Return each figure that has a bound, as the large store's by the small one's."""
        few, many = (statistics.median(each) for each in self.inserts.values())
        found = {"insert": many / few}
        for work in WORKS:
            less, more = (took.memory for (name, _), took in self.works.items() if name == work)
            found[f"memory of {work}"] = more / less
        return found


def row(number: int) -> tuple[bytes, bytes]:
    """Return a row that looks as random as a sealed one."""
    chance = random.Random(number)  # noqa: S311
    at = chance.randrange(len(BLOB) - SEALED)
    return chance.randbytes(16), BLOB[at : at + SEALED]


def fill(store: Rows, period: str, numbers: range) -> None:
    """Store these rows, many in each transaction."""
    starts = range(numbers.start, numbers.stop, BATCH)
    for start in progress(f"Filling to {numbers.stop:,}", starts, len(starts)):
        store.add(map(row, range(start, min(start + BATCH, numbers.stop))), period)


def inserts(stores: Sequence[Rows], period: str, first: int) -> list[list[float]]:
    """Return the seconds of single inserts into each store, taken by turns."""
    took: list[list[float]] = [[] for _ in stores]
    for turn in progress("Inserting by turns", range(MEASURED // TURN), MEASURED // TURN):
        pairs = [*zip(stores, took, strict=True)]
        for store, times in pairs if turn % 2 else reversed(pairs):
            for number in range(first + turn * TURN, first + (turn + 1) * TURN):
                times.append(timed(partial(store.add, [row(number)], period)))
    return took


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that ``work`` takes."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def post(settings: Settings, period: str, first: int, begun: Event, ended: Event) -> list[float]:
    """Store a row after the other until told to end; return how long each took."""
    store, waits = Rows(settings.url, settings.data), list[float]()
    while not ended.is_set():
        waits.append(timed(partial(store.add, [row(first + len(waits))], period)))
        begun.set()
        time.sleep(PAUSE)
    return waits


def work(name: str, settings: Settings, stick: Path) -> tuple[float, float]:
    """Export all to ``stick``, or maintain; return seconds, and the peak of memory in MiB."""
    if name == "export":
        run = exporting.Export(settings, stick, progress)
        took = timed(lambda: sum(1 for _ in run.run(everything=True)))
    else:
        took = timed(lambda: maintaining.maintain(settings))
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Bench:
    """One run in ``folder``, which must be empty."""

    def __init__(self, folder: Path, rows: int) -> None:
        """Make two sites, with empty stores."""
        self.rows = rows
        for name in ("few", "many", "stick"):
            (folder / name).mkdir()
        self._few, self._many = (make_site(folder / name) for name in ("few", "many"))
        self._period = self._many.made.keyring.periods[0].name
        self._stick = folder / "stick"
        self._next = rows  # the number of the next row that is posted
        self._context = get_context("spawn")

    def run(self) -> Found:
        """Measure all."""
        few, many = self._few.store, self._many.store
        works, looks, steps = {}, {}, (self.rows // 10, self.rows)
        fill(few, self._period, range(SMALL))
        took: list[list[float]] = []
        for start, rows in zip((0, *steps), steps, strict=False):
            fill(many, self._period, range(start, rows))
            if rows == self.rows:
                took = inserts([few, many], self._period, self._ahead(MEASURED))
                size = (self._many.settings.data / "intake.db").stat().st_size
                size //= many.counts().total()
            looks["counts", rows] = timed(many.counts)
            looks["status", rows] = timed(lambda: status.look(self._many.settings))
            for name in WORKS:
                works[name, rows] = self._beside(name)
        return Found(dict(zip((SMALL, self.rows), took, strict=True)), works, looks, size)

    def _ahead(self, count: int) -> int:
        self._next += count
        return self._next - count

    def _beside(self, name: str) -> Took:
        """Run ``name`` in a process, with a poster in another, and that beside nothing, too."""
        settings = self._many.settings
        bare = self._posts(lambda: time.sleep(BARE))
        print(f"{name}, with posts beside it", file=sys.stderr)
        with self._process() as process:
            result: list[tuple[float, float]] = []
            waits = self._posts(
                lambda: result.append(process.submit(work, name, settings, self._stick).result())
            )
        bare += self._posts(lambda: time.sleep(BARE))
        for bundle in self._stick.iterdir():
            bundle.unlink()
        return Took(*result[0], waits, bare)

    def _posts(self, meanwhile: Callable[[], object]) -> list[float]:
        with multiprocessing.Manager() as manager, self._process() as process:
            begun, ended = manager.Event(), manager.Event()
            first = self._ahead(1_000_000)
            posted = process.submit(
                post,
                self._many.settings,
                self._period,
                first,
                begun,
                ended,
            )
            begun.wait()
            try:
                meanwhile()
            finally:
                ended.set()
            return posted.result()

    def _process(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=self._context)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of all are not greater than."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def show(found: Found) -> None:
    """Print all that was measured."""
    print(f"\na row in the store {found.size:10,} bytes")
    print("\none insert, ms         median      p99")
    for rows, times in found.inserts.items():
        middle, late = statistics.median(times), percentile(times, 0.99)
        print(f"  {rows:9,} rows {middle * 1e3:14.2f} {late * 1e3:8.2f}")
    print("\n                         seconds  MiB   posts beside it: n, median, p99, longest (s)")
    for (name, rows), took in found.works.items():
        print(f"  {name:8} {rows:9,} rows {took.seconds:7.1f} {took.memory:5.0f}", end="")
        for kind, waits in (("beside it", took.waits), ("beside nothing", took.bare)):
            middle, late = statistics.median(waits), percentile(waits, 0.99)
            print(f"  {kind}: {len(waits)} {middle:.3f} {late:.3f} {max(waits):.3f}", end="")
        print()
    for (name, rows), seconds in found.looks.items():
        print(f"  {name:8} {rows:9,} rows {seconds:9.2f} s")
    print()
    for name, ratio in found.ratios().items():
        bound = BOUNDS[name.split()[0]]
        print(f"  {name:20} {ratio:5.2f} times, at most {bound}: {'holds' * (ratio <= bound)}")


@contextlib.contextmanager
def room(parent: Path, rows: int) -> Iterator[Path]:
    """Have a folder with three times the room of the rows, for as long as the block runs."""
    need = 3 * rows * ROW + (2 << 30)
    if shutil.disk_usage(parent).free < need:
        sys.exit(f"{parent} has less than the {need >> 30} GiB that this takes: --folder PATH.")
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


def main() -> int:
    """Measure, and print; return 1 if a bound is passed."""
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=how)
    parser.add_argument("--rows", type=int, default=100_000, help="of the large store, from 10,000")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="for all")
    given = parser.parse_args()
    with room(given.folder, given.rows) as folder:
        found = Bench(folder, given.rows).run()
    show(found)
    return int(any(ratio > BOUNDS[name.split()[0]] for name, ratio in found.ratios().items()))


if __name__ == "__main__":
    sys.exit(main())
