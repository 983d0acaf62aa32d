"""A served site under attack: what comes back, what is stored, and what its processes take.

Rules:
- Each connection has a circuit of its own, so that no answer waits for another one.
- Memory is the sum over all processes of the site, looked at many times a second: pages that two of
  them share count twice, so it is an upper bound. Files in memory that no process has mapped count.
- After each case the store is emptied: the same letter twice would be one row.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from intake.settings import ROOT
from tests import door
from tests.door import Door, line
from tests.hostile import answers
from tests.hostile.answers import Answer
from tests.hostile.cases import BURMESE, CANARY, CLOSED, MAYBE, Case, case, head, letter
from tests.site_maker import Site

GLANCE = 0.01  # seconds between two looks at the processes
ROUNDS = 20  # of what is measured to compare with
LARGE = 16 << 20  # bytes of a body that is refused, to compare large ones with
AGAIN = 5  # times that a case is timed which took long
SLOWER = 20  # times as long as a plain request of that size, at most
CIRCUITS = itertools.count(1)
PLAIN = case("plain", letter(), "en receipt")
REFUSED = case("plain", letter(kind="text/plain", body=bytes(LARGE)), "en 415")
VISIT = case("plain", head(), "en form")
SPELLINGS = [
    *(CANARY.encode(), CANARY.upper().encode(), CANARY.encode().hex().encode()),
    *(BURMESE.encode(), BURMESE.encode("utf-16-le"), ascii(BURMESE)[1:-1].encode()),
    *("".join(f"%{byte:02X}" for byte in BURMESE.encode()).encode(),),
    *("".join(f"&#{ord(letter)};" for letter in BURMESE).encode(),),
]


def children(pid: int) -> set[int]:
    """Return what a process started."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return set(map(int, text.split()))
    return set()


def family(pid: int) -> list[int]:
    """Return a process and all that it started, and so on."""
    return [pid, *(one for child in children(pid) for one in family(child))]


def resident(pids: Sequence[int]) -> int:
    """Return the bytes that these processes hold in memory, together."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def nameless(pids: Sequence[int]) -> int:
    """Return the bytes in files without a name that these processes have in memory."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for path in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(path.readlink()).startswith("/memfd:"):
                        facts = path.stat()
                        found[facts.st_ino] = facts.st_blocks * 512
    return sum(found.values())


class Watch(threading.Thread):
    """Looks at the processes of a site until it is stopped; ``peak`` is in bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self._stop_it = pid, 0, threading.Event()

    def run(self) -> None:
        while not self._stop_it.wait(GLANCE):
            pids = family(self.pid)
            self.peak = max(self.peak, resident(pids) + nameless(pids))

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watch]:
        """Watch while the block runs."""
        self.start()
        try:
            yield self
        finally:
            self._stop_it.set()
            self.join()


@dataclass
class Attacked:
    """A served site, its constant answers, and what was seen of it so far."""

    site: Site
    door: Door
    known: Mapping[str, Answer]
    letter: float = 0.0  # seconds of a plain letter
    byte: float = 0.0  # seconds of a byte of a large one
    peak: int = 0  # bytes that the processes held at most while nobody attacked
    slowest: tuple[float, str] = (0.0, "")
    worst: tuple[float, str] = (0.0, "")
    seen: set[Answer] = field(default_factory=set)

    def attack(self, case: Case) -> None:
        """Send a case. Raises AssertionError, which begins with the word of what was broken."""
        spent, raw = self.ask(case)
        self.check(case, raw)
        times = self.times(case, spent)
        for _ in range(AGAIN):  # on a busy machine the least counts, beside a plain one just then
            if times > SLOWER:
                self.letter, (spent, _) = self.measure(PLAIN, 3), self.ask(case)
                times = min(times, self.times(case, spent))
                self.empty()
        assert times <= SLOWER, f"time: {spent:.3f} s, {times:.0f} times a plain one"
        self.slowest = max(self.slowest, (spent, case.name))
        self.worst = max(self.worst, (times, case.name))

    def times(self, case: Case, spent: float) -> float:
        """Return how many times a plain request of the same size and number this is."""
        return spent / (self.letter * max(1, len(case.expects)) + len(case.sent) * self.byte)

    def ask(self, case: Case) -> tuple[float, bytes]:
        """Return the seconds until the connection ended, and all that came back."""
        first = [] if case.own else [line(next(CIRCUITS))]
        start = time.perf_counter()
        try:
            raw = self.door.ask(*first, case.sent, half=case.half)
        except TimeoutError:
            raise AssertionError("time: no end of it") from None
        return time.perf_counter() - start, raw

    def check(self, case: Case, raw: bytes) -> None:
        """Hold what came back, and what is stored."""
        stored = self.empty()
        for spelling in SPELLINGS:
            assert spelling not in raw, "echo: in the head"
        found = []
        for one in answers.split(raw, bare=case.bare):
            answer = answers.measured(one, bare=case.bare)
            assert CANARY not in answer.page.lower(), "echo: in the page"
            assert BURMESE not in answer.page, "echo: in the page"
            self.seen.add(answer)
            names = answers.names(answer, self.known)
            assert names, f"constant: {answer.head.splitlines()[0]!r} is none of them"
            found.append(names)
        told = [names[0] for names in found] or [CLOSED]
        expected = [name for name in case.expects if name != CLOSED]
        if expected and expected[-1].startswith(MAYBE):
            last = expected.pop().removeprefix(MAYBE)
            expected += [last] * (len(found) > len(expected))
        same = len(found) == len(expected)
        same = same and all(map(lambda a, b: a in b, expected, found))
        assert same, f"answer: {told}, not {list(case.expects)}"
        assert stored == case.stored, f"stored: {stored} rows, not {case.stored}"

    def empty(self) -> int:
        """Remove all rows; return how many there were."""
        store = self.site.store
        rows = [row for period in store.counts() for row, _ in store.page(period, b"", 10**6)]
        store.remove(rows)
        return len(rows)

    def alive(self) -> None:
        """See that somebody else is served."""
        self.check(VISIT, self.ask(VISIT)[1])

    def measure(self, case: Case, rounds: int = ROUNDS) -> float:
        """Return the median seconds of a plain request, each of which must come out right."""
        spent = []
        for _ in range(rounds):
            seconds, raw = self.ask(case)
            spent.append(seconds)
            self.check(case, raw)
        return statistics.median(spent)


@contextlib.contextmanager
def under_attack(
    site: Site,
    folder: Path,
    root: Path = ROOT,
    options: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
) -> Iterator[Attacked]:
    """Serve a checkout as it is deployed, and measure plain requests to compare with."""
    own = {"INTAKE_BIND": f"unix:{folder / 's'}", **(more or {})}
    with door.behind(site, folder / "s", options=options, root=root, more=own) as served:
        attacked = Attacked(site, served, answers.constants(site.settings))
        attacked.empty()
        with Watch(served.process.pid).watching() as watch:
            attacked.measure(VISIT)
            attacked.letter = attacked.measure(PLAIN)
            attacked.byte = attacked.measure(REFUSED, 3) / LARGE
        attacked.peak = watch.peak
        yield attacked
