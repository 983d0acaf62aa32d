"""What the desk costs at the real scale: made-up testimonies through a real import, measured.

    python deploy/scale.py                     15,000 cases: all who came by 2023
    python deploy/scale.py --count 100000      what the desk is built for

Rules:
- The import stands against the bare work on the same envelopes, on all cores, in the same run:
  each is read, unsealed, sealed to three and signed, and nothing more. A second baseline writes
  what it sealed, too, which no import can do without. Rounds of one each, in an order that changes;
  medians. Times are printed to be read; nothing asserts them.
- Seconds of cores stand beside those on the wall: other work on the machine slows the latter only.
- Nothing is deleted between rounds: ext4 looks long for a place where a file was a minute ago.
- Each phase has a process of its own, so that its memory is its own, and its workers'.
- All is in a folder that goes at the end, also after Ctrl-C. It begins only if the disk has room.

Run it as `make scale ARGS="--count 100000"`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import random
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from deploy import at_day  # noqa: E402 - the calendar hangs before anything asks for the day
from tests.makers import FIRST  # noqa: E402

CALENDAR = at_day.hang(FIRST)  # in every process: each imports this file

from deploy.population import Person, people  # noqa: E402
from deploy.suggested import table  # noqa: E402
from deploy.zawgyi import zawgyi  # noqa: E402
from intake.age.sealing import seal  # noqa: E402
from intake.age.unsealing import unseal  # noqa: E402
from intake.bundle import BundleHeader, Entry  # noqa: E402
from intake.bundle.writing import write_bundle  # noqa: E402
from intake.desk import casebook, caseload, cores, importing, searching, staging, state  # noqa: E402
from intake.desk.present import arrive  # noqa: E402
from intake.desk.similar import Similar  # noqa: E402
from intake.envelope import SEALED  # noqa: E402
from intake.form import Form  # noqa: E402
from intake.settings import Settings  # noqa: E402
from intake.terminal import Passphrases, progress  # noqa: E402
from tests.desk_maker import PERIOD, Desk, deployment, sealed_row  # noqa: E402

PART = 50_000  # envelopes of one bundle
ROW = 40_000  # bytes of an envelope on the disk, sealed to one or to three
SPAN = 50  # envelopes of a job of the bare work
READERS = ("alice", "bob")
BARE, WRITTEN, IMPORT = "bare work", "bare work, written", "import"


class Took(NamedTuple):
    """Seconds on the wall and of all cores, and the most memory in MiB: its own, and a worker's."""

    wall: float
    cores: float
    own: int = 0
    worker: int = 0

    def memory(self) -> str:
        """Return it in words."""
        return f"    memory, its own and a worker's{self.own:9} MiB, {self.worker} MiB"


class Site:
    """Seals testimonies as the site would."""

    def __call__(self, found: Sequence[Person]) -> list[tuple[Entry, bytes]]:
        """Return the row of each."""
        rows = [sealed_row(f"scale {one.number}", one.answers) for one in found]
        return [(row.entry, row.sealed) for row in rows]


def make_bundles(root: Path, seed: int, count: int) -> list[Path]:
    """Write bundles of ``count`` rows; return their paths in order."""
    made, paths, previous = deployment(), [], bytes(32)
    crowd = people(seed, count, zawgyi=zawgyi)
    rows = cores.each(Site, (), progress("Sealing", crowd, count))
    spool = root / "spool"
    for number in range(1, -(-count // PART) + 1):
        places: dict[Entry, int] = {}
        with spool.open("wb") as file:
            for entry, sealed in (
                next(rows) for _ in range(min(PART, count - (number - 1) * PART))
            ):
                places[entry] = file.tell()
                file.write(sealed)
        entries = sorted(places, key=lambda entry: entry.id)
        header = BundleHeader(
            deployment=made.deployment,
            number=number,
            previous=previous,
            period=PERIOD,
            keyring=(made.keyring.version, made.keyring.sha256),
            size=SEALED,
            left=max(0, count - number * PART),
        )
        path = root / f"{number}.bundle"
        with spool.open("rb") as file:
            bodies = (os.pread(file.fileno(), SEALED, places[entry]) for entry in entries)
            write_bundle(path, header, entries, bodies, made.bundle_key.sign)
        previous = hashlib.sha256(path.read_bytes().split(b"\n", 1)[0]).digest()
        paths.append(path)
    spool.unlink()
    return paths


def bare_span(path: Path, place: int, into: Path | None) -> float:
    """Do the bare work on envelopes of ``path``, from ``place`` on; return the core's seconds."""
    before = time.process_time()
    made = deployment()
    period, archive = made.periods[PERIOD], made.archive.recipient()
    readers = [
        key.recipient() for name in READERS for key in made.reviewers[name].quarters.values()
    ]
    sign = made.reviewers[READERS[0]].signing.sign
    with path.open("rb") as file:
        file.seek(place)
        data = file.read(SEALED * SPAN)
    blobs = []
    for at in range(0, len(data), SEALED):
        words = unseal(data[at : at + SEALED], [period])
        sealed = seal(words, [*readers, archive])
        sign(sealed[:64])
        blobs.append((os.urandom(32), sealed))
    if into is not None:
        staging.stage(into, blobs)
    return time.process_time() - before


def bare(paths: Sequence[Path], pool: ProcessPoolExecutor, into: Path | None = None) -> Took:
    """Do the bare work on all envelopes, in a pool that is warm; write it if there is where to."""
    jobs = []
    if into is not None:
        into.mkdir()
        staging.clear(into)
    for path in paths:
        with path.open("rb") as file:
            start = file.read(PART * 200).index(b"age-encryption.org/v1\n")
        jobs += [(path, at, into) for at in range(start, path.stat().st_size, SEALED * SPAN)]
    before = time.perf_counter()
    spent = sum(pool.map(bare_span, *zip(*jobs, strict=True)))
    return Took(time.perf_counter() - before, spent)


def bring(root: Path, name: str, paths: Sequence[Path]) -> None:
    """Import bundles into a new casebook of that name."""
    book = casebook.create(root / name, deployment().raw, "desk-a")
    folders = [root / "desk" / "keys" / who for who in READERS]
    present = arrive(folders, book.keyring, Passphrases(root / "desk" / "demo"))
    for path in paths:
        result = importing.run(book, path, root / "desk" / PERIOD, present)
        if not result.complete:
            raise SystemExit(f"{path.name} did not come in whole: {result.counts}")


def look(root: Path, name: str) -> dict[str, float]:
    """Open a casebook as alice does; return the seconds of each step, and how much there is."""
    took: dict[str, float] = {}
    book = casebook.load(root / name)
    keys = list(deployment().reviewers[READERS[0]].quarters.values())
    before = time.perf_counter()
    chains = book.chains(keys)
    took["reading the chains"] = time.perf_counter() - before
    before = time.perf_counter()
    state.fold(chains)
    took["folding them"] = time.perf_counter() - before
    del chains
    before = time.perf_counter()
    found = caseload.load(book, keys, Form.load(Settings.from_environment().form))
    took["the caseload, with both"] = time.perf_counter() - before
    before = time.perf_counter()
    index = searching.Index({tag: facts.text for tag, facts in found.facts.items()})
    took["making the search"] = time.perf_counter() - before
    before = time.perf_counter()
    index.find("ရွာ မီးရှို့")
    took["one search"] = time.perf_counter() - before
    before = time.perf_counter()
    similar = Similar(found.facts, searching.key)
    took["making similar cases"] = time.perf_counter() - before
    before = time.perf_counter()
    similar.of(next(iter(found.facts)))
    took["similar to one case"] = time.perf_counter() - before
    took["cases"] = len(found.facts)
    if any(facts.faults for facts in found.facts.values()) or found.state.faults:
        raise SystemExit("Something that was imported does not open.")
    return took


def alone(work: Callable[..., Any], *given: object) -> tuple[Any, Took]:
    """Run a phase in a process of its own; return what it returned, and what it took."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, work, *given).result()


def _measured(work: Callable[..., Any], *given: object) -> tuple[Any, Took]:
    most: dict[int, int] = {}
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(most, done))
    watcher.start()
    wall, start = time.perf_counter(), os.times()
    try:
        result = work(*given)
    finally:
        wall, end = time.perf_counter() - wall, os.times()
        done.set()
        watcher.join()
    own = most.pop(os.getpid(), 0)
    return result, Took(wall, sum(end[:4]) - sum(start[:4]), own, max(most.values(), default=0))


def _watch(most: dict[int, int], done: threading.Event) -> None:
    """Note the most memory of this process and of its workers, in MiB, until it is done.

    From /proc: what getrusage says of a new process begins with its parent's.
    """
    while not done.wait(0.2):
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
        for process in [os.getpid(), *map(int, children)]:
            with contextlib.suppress(OSError, TypeError):
                status = Path(f"/proc/{process}/status").read_text("ascii")
                most[process] = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) >> 10  # type: ignore[index]


def measure(root: Path, count: int, rounds: int, seed: int) -> None:
    """Make, import, open; print the table."""
    with contextlib.redirect_stdout(io.StringIO()):
        Desk(root / "desk")
    paths = make_bundles(root, seed, count)
    order = random.Random(seed)  # noqa: S311 - an order, not a secret
    took: dict[str, list[Took]] = {BARE: [], WRITTEN: [], IMPORT: []}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        list(pool.map(bare_span, [paths[0]] * 8, [1 << 40] * 8, [None] * 8))
        for n in range(rounds):
            for name in order.sample(sorted(took), 3):
                if name == IMPORT:
                    took[name].append(alone(bring, root, f"casebook {n}", paths)[1])
                else:
                    into = root / f"blobs {n}" if name == WRITTEN else None
                    took[name].append(bare(paths, pool, into))
    last = f"casebook {rounds - 1}"
    steps, opened = alone(look, root, last)
    load, size = os.getloadavg()[0], sum(p.stat().st_size for p in (root / last).rglob("*"))
    told = f"{count:,} testimonies, {os.cpu_count()} cores, medians of {rounds} rounds"
    print(f"\n{told}; load of the machine {load:.1f}")
    print(f"{'':34}seconds   of cores")
    for name, kind in took.items():
        wall, spent = (statistics.median(one[at] for one in kind) for at in (0, 1))
        print(f"  {name:<29}{wall:10.1f} {spent:10.1f}{count / wall:10,.0f} /s")
    for name, goal in ((BARE, "   goal 1.3"), (WRITTEN, "")):
        pairs = list(zip(took[IMPORT], took[name], strict=True))
        ratios = [statistics.median(one[at] / other[at] for one, other in pairs) for at in (0, 1)]
        each = " ".join(f"{one.wall / other.wall:.2f}" for one, other in pairs)
        print(f"  import / {name:<20}{ratios[0]:10.2f} {ratios[1]:10.2f} x{goal}   rounds: {each}")
    print(took[IMPORT][-1].memory())
    cases = steps.pop("cases")
    for step, seconds in steps.items():
        print(f"  {step:<29}{seconds:10.2f}")
    print(f"{opened.memory()}; {cases:,} cases")
    print(f"  the casebook on the disk     {size / 1e9:10.2f} GB")
    print("\nSimilar cases, over all of them, as the archive's quorum would see them:")
    print("\n".join(alone(table, seed, count)[0]))


def main() -> None:
    """Read the command line, look for room, measure."""
    asks = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asks.add_argument("--count", type=int, default=15_000, help="testimonies")
    asks.add_argument("--rounds", type=int, default=3, help="imports, and bare rounds")
    asks.add_argument("--seed", type=int, default=1)
    asks.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where")
    given = asks.parse_args()
    need = given.count * ROW * (1 + 2 * given.rounds) + (1 << 30)
    free = shutil.disk_usage(given.folder).free
    print(f"This needs {need / 1e9:.1f} GB in {given.folder}; {free / 1e9:.1f} GB are free.")
    if need > free:
        sys.exit("Free some, or name another folder with --folder.")
    with tempfile.TemporaryDirectory(prefix="scale-", dir=given.folder) as folder:
        measure(Path(folder), given.count, given.rounds, given.seed)


if __name__ == "__main__":
    main()
