"""Who copies the server's disk once a week: what they see of a letter, a decoy, and their number.

A :class:`Town` plays weeks: sources send letters by the site's own form, and the decoys come as the
workers make them, on a clock that stands still while they are stored. Each night there is
maintenance. At a week's end the data folder is copied, then emptied, as an acknowledgement does.

The watcher (:func:`watch`) is told of the first weeks what was what, as somebody is who sends
letters of their own. From these they learn; from the others they guess:

- of each new row, whether it is a decoy: naive Bayes over all that the file shows of a row;
- of each week, how many letters came: from the number of rows and the decoys' rate; from a line
  through the number of rows; from a plane through that and the rows that they hold for decoys.

What they can do at best: the decoys of a week are Poisson's, with mean and variance ``m``. If the
letters of a week vary by ``v``, an estimate from the sum alone errs by a variance of
``v m / (v + m)``, and by ``m`` for whoever knows nothing of ``v``.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import secrets
import sqlite3
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from flask.testing import FlaskClient
from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

from intake import days
from intake.admin import maintaining
from intake.age.unsealing import unseal
from intake.desk import opened
from intake.envelope import DECOY
from intake.server import decoys
from intake.server.decoys import DAY
from tests import burmese
from tests.site_maker import Site, make_site, submit

WORKERS = 2  # as deploy/gunicorn_conf.py has
WEEK = 7 * DAY
ZAWGYI = "ေျပာျပခ်င္တယ္"
MIDDLE = slice(17_000, 17_064)  # of sealed bytes: what is looked for in the file
Z = 4.11  # of the normal distribution: 1 in 50,000 lies above. A report has five such bounds
STEP = 500  # bytes of a sealed row between two that are looked at
LOOKED = 100  # bytes of it that are


class Clock:
    """Moments that go by at once: light threads sleep, and the next one to wake is woken."""

    def __init__(self) -> None:
        """Begin at second 0, with nobody asleep."""
        self.now = 0.0
        self._asleep: list[tuple[float, int, greenlet]] = []
        self._count = itertools.count()

    def spawn(self, act: Callable[..., object], *arguments: object) -> None:
        """Start a light thread now."""
        self._push(0.0, greenlet(lambda: act(*arguments)))

    def sleep(self, seconds: float) -> None:
        """Sleep, in a light thread."""
        self._push(seconds, getcurrent())
        self._main.switch()

    def run(self, until: float) -> None:
        """Wake whoever is to wake up to this moment."""
        self._main = getcurrent()
        while self._asleep and self._asleep[0][0] <= until:
            self.now, _, thread = heapq.heappop(self._asleep)
            thread.parent = self._main
            thread.switch()
        self.now = until

    def restart(self) -> None:
        """End all light threads, wherever they sleep."""
        for _, _, thread in self._asleep:
            thread.throw()
        self._asleep.clear()

    def _push(self, seconds: float, thread: greenlet) -> None:
        heapq.heappush(self._asleep, (self.now + seconds, next(self._count), thread))


@dataclass(slots=True)
class Image:
    """A copy of the data folder: every file's bytes, by name."""

    files: Mapping[str, bytes]

    @classmethod
    def take(cls, folder: Path) -> Image:
        """Copy the folder."""
        return cls({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})

    def rows(self) -> dict[bytes, tuple[str, bytes]]:
        """Return the rows of the store: period and sealed bytes, by id."""
        with closing(sqlite3.connect(":memory:")) as db:
            db.deserialize(self.files["intake.db"])
            found = db.execute("SELECT id, period, sealed FROM envelopes").fetchall()
        return {row: (period, sealed) for row, period, sealed in found}

    def seen(self, before: Image) -> dict[bytes, list[float]]:
        """Return what is to be seen of each row that was not there before, in numbers.

        Places are parts of the whole: how many rows there are is no look of one.
        """
        file, all_rows = self.files["intake.db"], self.rows()
        places = {row: file.find(row) for row in all_rows}
        order = {row: n for n, row in enumerate(sorted(places, key=places.__getitem__))}
        periods = sorted({period for period, _ in all_rows.values()})
        found = {}
        for row in all_rows.keys() - before.rows().keys():
            period, sealed = all_rows[row]
            middle = file.find(sealed[MIDDLE])
            counts = [sealed.count(byte) for byte in range(0, 256, 16)]
            lines = [len(line) for line in sealed.split(b"\n", 4)[:4]]
            found[row] = [
                *map(float, row),
                *(int.from_bytes(row) % n for n in (2, 3, 5, 7, 11)),
                *(len(sealed), periods.index(period), len(period)),
                *(order[row] / len(order), places[row] / len(file), places[row] % 4096),
                *(middle / len(file), middle % 4096, (middle - places[row]) / len(file)),
                *(lines + [0] * (4 - len(lines))),
                *(sum(sealed) / max(1, len(sealed)), *counts),
                *(sealed[-32:] + sealed[1::STEP])[:LOOKED],
            ]
        return found


@dataclass
class Week:
    """The images at a week's two ends, and what came in it: how many letters, and which decoys."""

    before: Image
    after: Image
    letters: int
    decoys: set[bytes]

    @cached_property
    def seen(self) -> dict[bytes, list[float]]:
        """What is to be seen of the week's rows."""
        return self.after.seen(self.before)


@dataclass
class Town:
    """A site that makes so many ``decoys`` a day, and sources who send up to ``most`` a week."""

    folder: Path
    decoys: int
    most: int
    chance: random.Random
    weeks: list[Week] = field(default_factory=list)

    @cached_property
    def site(self) -> Site:
        """The site, which is open this week."""
        made = make_site(self.folder)
        return replace(made, settings=replace(made.settings, decoys=self.decoys))

    @cached_property
    def client(self) -> FlaskClient:
        """A source's browser."""
        return self.site.client()

    @property
    def mean(self) -> float:
        """How many decoys are to be expected in a week."""
        return self.decoys * WEEK / DAY

    @property
    def variance(self) -> float:
        """The variance of the number of letters in a week, all of which are as likely."""
        return ((self.most + 1) ** 2 - 1) / 12

    def live(self, weeks: int, patch: Callable[[object, str, object], None]) -> list[Week]:
        """Let so many weeks go by; ``patch`` sets what stands for the day."""
        clock = Clock()
        monday = self.site.made.keyring.periods[0].first
        patch(days, "clock", lambda: monday + timedelta(days=int(clock.now % WEEK // DAY)))
        for _ in range(WORKERS):
            clock.spawn(decoys.run, self.site.settings, WORKERS, clock.sleep)
        return [self._week(clock, number) for number in range(weeks)]

    def _week(self, clock: Clock, number: int) -> Week:
        self.site.settings.data.joinpath("floor").unlink(missing_ok=True)
        maintaining.maintain(self.site.settings)
        before, count = Image.take(self.site.settings.data), self.chance.randint(0, self.most)
        moments = sorted(self.chance.uniform(0, WEEK) for _ in range(count))
        clock.spawn(self._write, clock, number * WEEK, moments)
        for night in range(1, 8):
            clock.run(number * WEEK + night * DAY - 1)
            maintaining.maintain(self.site.settings)
        after = Image.take(self.site.settings.data)
        store, identities = self.site.store, list(self.site.made.periods.values())
        kinds = {
            row: opened.parse(unseal(sealed[:34_427], identities)).kind
            for row, (_, sealed) in after.rows().items()
        }
        store.remove(kinds)
        empty = {row for row, kind in kinds.items() if kind == DECOY}
        assert len(kinds) - len(empty) == count
        return Week(before, after, count, empty)

    def _write(self, clock: Clock, start: float, moments: Sequence[float]) -> None:
        for moment in moments:
            clock.sleep(max(0.0, start + moment - clock.now))
            answer = submit(self.client, "/", secrets.token_hex(32), account=self._account())
            assert answer.status_code == 200

    def _account(self) -> str:
        """Return what a source writes: nothing, Burmese, Zawgyi, emoji, or all that fits."""
        words = burmese.syllables(3, self.chance.randrange(1 << 30))
        return self.chance.choice(["", " ".join(words), ZAWGYI, "😔🙏🏽" * 9, "က" * 2000])


@dataclass(frozen=True, slots=True)
class Bayes:
    """Naive Bayes: each number is taken for itself, and for normal, in letters and in decoys."""

    shapes: tuple[tuple[tuple[float, float], tuple[float, float]], ...]

    @classmethod
    def learn(cls, letters: Sequence[Sequence[float]], empty: Sequence[Sequence[float]]) -> Bayes:
        """Learn from rows of which it is known what they are."""
        shapes = []
        for one, other in zip(zip(*letters, strict=True), zip(*empty, strict=True), strict=True):
            least = 1e-3 * statistics.pvariance([*one, *other]) or 1.0
            pair = (
                (statistics.fmean(values), max(least, statistics.pvariance(values)))
                for values in (one, other)
            )
            shapes.append(tuple(pair))
        return cls(tuple(shapes))  # type: ignore[arg-type]

    def score(self, numbers: Sequence[float]) -> float:
        """Return how much more a row looks like a decoy than like a letter; 0 is as much."""
        total = 0.0
        for value, ((m1, v1), (m2, v2)) in zip(numbers, self.shapes, strict=True):
            total += (value - m1) ** 2 / v1 - (value - m2) ** 2 / v2 + math.log(v1 / v2)
        return total

    def holds(self, numbers: Sequence[float]) -> bool:
        """Return whether a row looks like a decoy."""
        return self.score(numbers) > 0


@dataclass(frozen=True, slots=True)
class Report:
    """What the watcher made of the weeks that they were told nothing of.

    ``auc`` is the chance that of a letter and a decoy the decoy looks more like one, and ``off``
    how far it may be from 1/2. ``errors`` are mean squares, in letters, for each estimator;
    ``best`` what is possible, and ``least`` the share of it below which is no chance.
    """

    auc: float
    off: float
    errors: Mapping[str, float]
    best: float
    least: float

    @property
    def blind(self) -> bool:
        """Whether the looks of a row say nothing of what it is."""
        return abs(self.auc - 0.5) < self.off

    @property
    def ignorant(self) -> bool:
        """Whether no estimator knows more than how many rows came, and the decoys' rate."""
        return min(self.errors.values()) > self.best * self.least

    def __str__(self) -> str:
        """Say it in one line."""
        told = ", ".join(f"{name} {math.sqrt(error):.2f}" for name, error in self.errors.items())
        return (
            f"AUC {self.auc:.3f} (0.5 ± {self.off:.3f}); error in letters: {told}; "
            f"at best {math.sqrt(self.best):.2f}, at least {math.sqrt(self.best * self.least):.2f}"
        )


def watch(town: Town, weeks: Sequence[Week]) -> Report:
    """Learn from the first half of the weeks, and guess the second."""
    half = len(weeks) // 2
    known, unknown = weeks[:half], weeks[half:]
    rows = [(numbers, row in week.decoys) for week in known for row, numbers in week.seen.items()]
    bayes = Bayes.learn(*([numbers for numbers, empty in rows if empty == kind] for kind in (0, 1)))
    scores = [
        (bayes.score(numbers), row in week.decoys)
        for week in unknown
        for row, numbers in week.seen.items()
    ]
    letters, empty = ([score for score, is_empty in scores if is_empty == kind] for kind in (0, 1))
    told = [(len(week.seen), sum(map(bayes.holds, week.seen.values()))) for week in weeks]
    came = [week.letters for week in weeks]
    guesses = {
        "rate": [rows - town.mean for rows, _ in told[half:]],
        "rows": _plane([told_[:1] for told_ in told], came, half),
        "rows and looks": _plane(told, came, half),
    }
    errors = {
        name: statistics.fmean(
            (g - week.letters) ** 2 for g, week in zip(guess, unknown, strict=True)
        )
        for name, guess in guesses.items()
    }
    best = town.variance * town.mean / (town.variance + town.mean)
    off = Z * math.sqrt((len(scores) + 1) / (12 * len(letters) * len(empty)))
    return Report(auc(letters, empty), off, errors, best, bounds(len(unknown))[0])


def auc(low: Sequence[float], high: Sequence[float]) -> float:
    """Return the chance that one of ``high`` is above one of ``low`` (Mann and Whitney's U)."""
    ranked = sorted([(value, 0) for value in low] + [(value, 1) for value in high])
    rank, total = 0, 0.0
    for _, same in itertools.groupby(ranked, key=lambda pair: pair[0]):
        tied = list(same)
        total += (rank + (len(tied) + 1) / 2) * sum(kind for _, kind in tied)
        rank += len(tied)
    return (total - len(high) * (len(high) + 1) / 2) / (len(low) * len(high))


def bounds(n: int) -> tuple[float, float]:
    """Return what ``n``-th parts of a chi-square of ``n`` degrees lie between, once in 25,000 not.

    After Wilson and Hilferty, 1931.
    """
    mean, deviation = 1 - 2 / (9 * n), math.sqrt(2 / (9 * n))
    return max(0.0, mean - Z * deviation) ** 3, (mean + Z * deviation) ** 3


def _plane(told: Sequence[Sequence[float]], came: Sequence[float], half: int) -> list[float]:
    """Fit a plane to the first half by least squares; return what it says of the second."""
    rows = [[1.0, *each] for each in told]
    size = len(rows[0])
    known = list(zip(rows[:half], came[:half], strict=True))
    # Normal equations, with a trace of a ridge, for columns that say the same.
    table = [
        [sum(row[i] * row[j] for row, _ in known) + (1e-9 if i == j else 0) for j in range(size)]
        + [sum(row[i] * value for row, value in known)]
        for i in range(size)
    ]
    for i in range(size):
        pivot = max(range(i, size), key=lambda k: abs(table[k][i]))
        table[i], table[pivot] = table[pivot], table[i]
        for k in range(size):
            if k != i:
                ratio = table[k][i] / table[i][i]
                table[k] = [a - ratio * b for a, b in zip(table[k], table[i], strict=True)]
    weights = [table[i][size] / table[i][i] for i in range(size)]
    return [sum(a * b for a, b in zip(weights, row, strict=True)) for row in rows[half:]]
