"""An upload to Intake beside the same upload to OnionShare's receive mode, measured in one run.

    python deploy/bench_files.py [--size 50] [--rounds 5] [--folder FOLDER]

Both serve as they are deployed, on loopback; beside Intake stands the same whose workers read files
themselves (INTAKE_DISPOSABLE=0). One plain client sends all the same random file.

Rules:
- Ratios, not times: rounds of one upload each, in an order that changes; medians. Times are printed
  to be read; nothing asserts them.
- Memory is the most that all processes of a server had, beyond what they had when each worker had
  answered uploads of one byte: what a first request costs is not the file's, what an earlier file
  left behind is.
- Who reads a file for Intake ends with it, and cannot be asked afterwards what it took: it is
  looked at while it works, fifty times a second, which costs it a little and misses its last
  moment. The others are asked afterwards. What its process takes for a small file is said apart,
  and is no part of what a large one adds.
- Round 0 counts only where memory grew at worst. In it the client stops before the last byte, and
  the file is looked for in every file that the server holds open, or has in its folder; afterwards
  again.
- After each upload what was stored is opened, compared and removed: what is measured did its work.
- OnionShare answers when the bytes are with the kernel, in the clear; Intake, when all of it is
  sealed and on the disk. What each of its steps takes is measured apart, without a server.
- Seconds of processors stand beside those on the wall: other work on the machine slows the latter
  only. The client's are in neither's.
- All is in a folder that goes at the end, also after Ctrl-C. Only what was started here is ended.

Run it as `make bench-files ARGS="--rounds 9"`. Needs Linux, which tells memory in /proc.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from deploy.receivers import NAME, ONION, Intake, OnionShare, Receiver, Shared, Took, empty
from intake.envelope import CONTENT, SLICE
from intake.server.letterbox import Letterbox, Source
from intake.server.spool import Spool
from intake.server.uploads import PIECE
from tests.site_maker import Site, make_site
from tests.upload_maker import DIGITS

MB, MIB = 1_000_000, 1 << 20
GOAL = 8 * MB  # by how much the memory of Intake's processes may grow
STEPS = ("sealing", "SHA-256, spool", "transaction", "all else")
TICK = 0.01  # seconds; the system counts the time of processors in no finer ones
SETTLE = 0.5  # seconds in which a server takes what the kernel has for it
SAMPLES, SAMPLE = 16, 32  # places of the file to look for, and their bytes

Times = tuple[float, float]  # seconds on the wall, of processors


def steps(site: Site, data: bytes) -> list[Times]:
    """Do the steps of Intake's upload, one after the other; return what each took."""
    letterbox = Letterbox(site.settings)
    today = letterbox.today()
    source = Source(secrets.token_bytes(32), DIGITS, "en")
    pieces = [data[place : place + CONTENT] for place in range(0, len(data), CONTENT)]
    marks = [now()]
    made = (
        letterbox.row(today, source, SLICE, {"number": number}, piece)
        for number, piece in enumerate([*pieces, b""])
    )
    sealed = iter([*made])
    marks.append(now())
    with Spool.within(site.settings.data, lambda *_: next(sealed), lambda: None) as spool:
        for place in range(0, len(data), PIECE):
            spool.take(data[place : place + PIECE])
        spool.end(NAME)
        marks.append(now())
        letterbox.store.add(spool.rows(), today.period)
    marks.append(now())
    empty(site)
    return [(end[0] - start[0], end[1] - start[1]) for start, end in itertools.pairwise(marks)]


def now() -> Times:
    """Return the seconds that passed, and those that processors spent for this process."""
    return time.perf_counter(), time.process_time()


class Bench:
    """All rounds of one file; :meth:`show` prints the table."""

    def __init__(self, data: bytes, apart: Site, servers: Sequence[Receiver]) -> None:
        """Prepare. ``apart`` is where Intake's steps are done without a server."""
        self.data, self.apart, self.servers = data, apart, servers
        self.chance = random.Random(1)  # noqa: S311 - places and an order, no secret
        places = (self.chance.randrange(len(data)) for _ in range(SAMPLES))
        self.samples = [data[place : place + SAMPLE] for place in places]
        self.took: dict[Receiver, list[Took]] = {server: [] for server in servers}
        self.seen: dict[Receiver, list[str]] = {server: [] for server in servers}
        self.parts: list[list[Times]] = []

    def run(self, rounds: int) -> None:
        """Upload to each, in this many rounds after one that is not measured."""
        works: list[Callable[[int], None]] = [self.once]
        works += [partial(self.upload, server) for server in self.servers]
        for number in range(rounds + 1):
            self.chance.shuffle(works)  # what ran before leaves caches and disk as it likes
            for work in works:
                work(number)

    def once(self, _: int) -> None:
        """Do the steps without a server."""
        self.parts.append(steps(self.apart, self.data))

    def upload(self, server: Receiver, number: int) -> None:
        """Upload to one server; in round 0 look for the file in files."""
        pause = (lambda: None) if number else partial(self.look, server, "while it came")
        self.took[server].append(server.measure(self.data, pause))
        if not number:
            self.look(server, "afterwards")
        server.check(self.data)

    def look(self, server: Receiver, when: str) -> None:
        """Note if the file is in a file of the server's."""
        time.sleep(SETTLE)
        if server.holds(self.samples):
            self.seen[server].append(when)

    def show(self) -> None:
        """Print the table, and which goals were met."""
        size, rounds = len(self.data), len(self.parts)
        print(f"{size / MB:g} MB, {rounds} times, and each time all stored it whole.\n")
        print(
            f"{'':<21}{'on the wall':>17}{'of processors':>18}{'memory':>12}{'at worst':>13}"
            f"{'written':>10}   in the clear in a file"
        )
        bases = middle(self.took[self.servers[0]])
        for server, took in self.took.items():
            found = middle(took)
            times = "".join(
                f"{time:8.2f} s{time / max(base, TICK):6.2f} x"
                for time, base in zip(found[:2], bases, strict=False)
            )
            memory = f"{found.memory / MB:+9.1f} MB{worst(took) / MB:+10.1f} MB"
            seen = " and ".join(self.seen[server]) or "never"
            print(f"{server.name:<20}{times}{memory}{found.written / size:8.2f} x   {seen}")
        intake = self.took[self.servers[-1]]
        whole = middle(intake)[:2]
        steps = [medians(each) for each in zip(*self.parts[1:], strict=True)]
        steps.append([all_ - sum(some) for all_, *some in zip(whole, *steps, strict=True)])
        for name, step in zip(STEPS, steps, strict=True):
            times = "".join(
                f"{time:8.2f} s{time / all_:6.0%}  " for time, all_ in zip(step, whole, strict=True)
            )
            print(f"  {name:<18}{times.rstrip()}")
        own = self.servers[-1].own / MB
        print(f"\nThe process of a small file takes {own:.1f} MB, for as long as it lives.")
        print(f"Memory grows by less than {GOAL // MB} MB: {verdict(worst(intake) < GOAL)}")
        print(f"Nothing in the clear in a file: {verdict(not self.seen[self.servers[-1]])}")


def medians(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return the median of each column."""
    return [float(statistics.median(column)) for column in zip(*rows, strict=True)]


def middle(took: Sequence[Took]) -> Took:
    """Return the medians of the rounds that are measured."""
    return Took(*medians(took[1:]))


def worst(took: Sequence[Took]) -> float:
    """Return by how much memory grew at worst, in all rounds."""
    return max(one.memory for one in took)


def verdict(met: bool) -> str:
    """Say whether a goal was met."""
    return "met" if met else "MISSED"


def run(folder: Path, size: int, rounds: int) -> None:
    """Start the servers, measure, end them, and print."""
    (folder / "apart").mkdir()
    apart = make_site(folder / "apart")
    with contextlib.ExitStack() as stack:
        servers: list[Receiver] = []
        limit = size // MIB + 1
        for make in (OnionShare, partial(Shared, limit), partial(Intake, limit)):
            servers.append(make(folder / f"server-{len(servers)}"))
            stack.callback(servers[-1].stop)
        for server in servers:
            server.begin()
        bench = Bench(os.urandom(size), apart, servers)
        bench.run(rounds)
    bench.show()


def main() -> None:
    """Read the options, and measure in a folder that goes at the end."""
    parser = argparse.ArgumentParser(
        description="An upload to Intake beside the same one to OnionShare's receive mode.",
        epilog='example: make bench-files ARGS="--size 200 --rounds 3"',
    )
    parser.add_argument(
        "--size", type=int, default=50, choices=range(1, 1001), metavar="MB", help="default 50"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="that count, after one more; default 5"
    )
    parser.add_argument("--folder", type=Path, help="where to work: on the disk that is meant")
    given = parser.parse_args()
    if not ONION.exists() or not Path("/proc/self/clear_refs").exists():
        sys.exit("This needs Linux, and OnionShare in .peers. Run: make bench-files")
    with tempfile.TemporaryDirectory(prefix="bench-files-", dir=given.folder) as folder:
        run(Path(folder), given.size * MB, max(1, given.rounds))


if __name__ == "__main__":
    main()
