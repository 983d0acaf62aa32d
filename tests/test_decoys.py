"""Decoys on the server: when they come, how they are stored, and that no copy of the disk tells.

Rules:
- When they come is tried with a fixed seed, on a clock that goes by at once. Each bound is passed
  by chance, with another seed, less than once in 10^4 times.
- What nobody may see is looked for in copies of the data folder (``tests/two_images.py``): here in
  few, in tests/leaks/ in many.
"""

from __future__ import annotations

import contextlib
import math
import random
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from intake import days
from intake.age.unsealing import unseal
from intake.desk import opened
from intake.envelope import DECOY, SEALED
from intake.errors import BadKeyring, MachineTrouble
from intake.server import decoys
from intake.server.decoys import DAY
from intake.server.letterbox import Letterbox, Source
from intake.settings import ROOT, Settings
from intake.store import Store
from tests import spine
from tests.site_maker import Site, make_site, submit
from tests.two_images import WORKERS, Clock, Image, Town, Week, Z, bounds, watch

DEFAULT = Settings(Path(), Path()).decoys
GAPS = 20_000
WEEKS = 300


class Enough(BaseException):
    """A test has seen what it wants."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that is open."""
    return make_site(tmp_path)


@pytest.fixture
def chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix what is drawn."""
    monkeypatch.setattr(decoys, "CHANCE", random.Random(9))


def settings(number: int = DEFAULT) -> Settings:
    """Return settings of nowhere, with so many decoys a day."""
    return Settings(Path("nowhere"), Path("nowhere"), decoys=number)


def waits(own: Settings, workers: int, count: int) -> list[float]:
    """Return how long one of the workers waits, so many times; what fails does not end it."""
    found: list[float] = []

    def sleep(seconds: float) -> None:
        if len(found) == count:
            raise Enough
        found.append(seconds)

    with contextlib.suppress(Enough):
        decoys.run(own, workers, sleep)
    return found


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> tuple[Clock, list[float]]:
    """A clock, and the moments at which decoys come on it."""
    clock, found = Clock(), list[float]()
    monkeypatch.setattr(decoys, "post", lambda _: found.append(clock.now))
    return clock, found


# When they come.


@pytest.mark.usefixtures("chance")
def test_gaps_are_drawn_from_the_exponential_distribution() -> None:
    """After Kolmogorov and Smirnov: of 20,000, the distance passes 2.23 / sqrt(n) once in 10^4."""
    found = sorted(waits(settings(), WORKERS, GAPS))
    mean = DAY * WORKERS / DEFAULT
    assert len(found) == GAPS
    curve = [1 - math.exp(-gap / mean) for gap in found]
    distance = max(max(y - n / GAPS, (n + 1) / GAPS - y) for n, y in enumerate(curve))
    assert distance < 2.23 / math.sqrt(GAPS), "gaps"


@pytest.mark.usefixtures("chance")
def test_a_gap_says_nothing_of_the_next() -> None:
    """For independent ranks, the correlation is normal with a deviation of 1 / sqrt(n)."""
    found = waits(settings(), WORKERS, GAPS)
    order = sorted(range(GAPS), key=found.__getitem__)
    rank = {one: n for n, one in enumerate(order)}
    for lag in (1, 2, 3):
        pairs = [(rank[n], rank[n + lag]) for n in range(GAPS - lag)]
        rho = statistics.correlation(*map(list, zip(*pairs, strict=True)))
        assert abs(rho) < Z / math.sqrt(GAPS), "gaps"


@pytest.mark.usefixtures("chance")
def test_weeks_have_as_many_as_chance_would_have(moments: tuple[Clock, list[float]]) -> None:
    """All workers together are Poisson's: the variance of a week's number is its mean."""
    clock, found = moments
    for _ in range(WORKERS):
        clock.spawn(decoys.run, settings(), WORKERS, clock.sleep)
    clock.run(WEEKS * 7 * DAY)
    mean = DEFAULT * 7
    counts = [0] * WEEKS
    for moment in found:
        counts[int(moment // (7 * DAY))] += 1
    assert abs(len(found) - WEEKS * mean) < Z * math.sqrt(WEEKS * mean), "rate"
    spread = statistics.fmean((count - mean) ** 2 for count in counts) / mean
    least, most = bounds(WEEKS)
    assert least < spread < most, "spread"


@pytest.mark.usefixtures("chance")
def test_hours_of_the_day_are_alike(moments: tuple[Clock, list[float]]) -> None:
    """Chi-square over 24 hours: 60.3 is passed less than once in 10^4 times."""
    clock, found = moments
    clock.spawn(decoys.run, settings(), 1, clock.sleep)
    clock.run(200 * DAY)
    counts = [0] * 24
    for moment in found:
        counts[int(moment % DAY // 3600)] += 1
    due = len(found) / 24
    assert sum((count - due) ** 2 / due for count in counts) < 60.3


@pytest.mark.usefixtures("chance")
@pytest.mark.parametrize("every", [600, 7 * 3600])
def test_a_restart_changes_nothing(moments: tuple[Clock, list[float]], every: int) -> None:
    """However often: nothing is kept, and what was waited for is no nearer."""
    clock, found = moments
    until = 1000 * every
    for start in range(0, until, every):
        clock.restart()
        for _ in range(WORKERS):
            clock.spawn(decoys.run, settings(), WORKERS, clock.sleep)
        clock.run(start + every)
    mean = DEFAULT * until / DAY
    assert abs(len(found) - mean) < Z * math.sqrt(mean), "rate"


def test_what_is_drawn_cannot_be_foreseen() -> None:
    assert type(decoys.CHANCE) is random.SystemRandom


def test_for_none_nobody_waits() -> None:
    assert waits(settings(0), WORKERS, 5) == []


# How they are stored.


def test_a_decoy_is_stored_by_what_stores_letters(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One post, one transaction with one row, looked at under the same lock."""
    posts: list[tuple[Any, ...]] = []
    added: list[tuple[Any, ...]] = []
    post, add = Letterbox.post, Store.add

    def note_post(own: Letterbox, *given: Any) -> None:  # noqa: ANN401
        posts.append(given)
        post(own, *given)

    def note_add(own: Store, *given: Any) -> bool:  # noqa: ANN401
        added.append(given)
        return add(own, *given)

    monkeypatch.setattr(Letterbox, "post", note_post)
    monkeypatch.setattr(Store, "add", note_add)
    letterbox = Letterbox(site.settings)
    for _ in range(2):
        decoys.post(letterbox)
    assert submit(site.client()).status_code == 200
    assert [kind for _, _, kind, _ in posts] == [DECOY, DECOY, "testimony"], "path"
    assert {today for today, *_ in posts} == {letterbox.today()}
    assert [len(rows) for rows, *_ in added] == [1, 1, 1], "path"
    assert {period for _, period, *_ in added} == {letterbox.today().period}, "period"
    assert len({tuple(map(type, given)) for given in added}) == 1, "path"
    one, other, letter = (source for _, source, *_ in posts)
    assert len({*one, *other, *letter}) == 7 + (letter.language != one.language), "source"
    assert all(isinstance(source, Source) for source in (one, other, letter))


def test_a_decoy_is_an_envelope_of_the_one_size_under_the_id_that_it_must_have(site: Site) -> None:
    for _ in range(5):
        decoys.post(Letterbox(site.settings))
    period = site.made.keyring.periods[0]
    rows = site.store.page(period.name, b"", 10)
    assert len(rows) == 5, "period"
    assert {len(sealed) for _, sealed in rows} == {SEALED}, "size"
    found = [opened.parse(unseal(sealed, [site.made.periods[period.name]])) for _, sealed in rows]
    assert {(one.kind, str(one.body), one.content, one.day) for one in found} == {
        (DECOY, "{}", b"", days.clock())
    }
    for (row, _), one in zip(rows, found, strict=True):
        assert opened.is_bound(row, one), "id"
        assert opened.is_decoy(row, one.nonce), "id"
    secret = [value for one in found for value in (one.case, one.nonce, one.reply)]
    assert len(set(secret)) == len(secret)


def test_a_decoy_leaves_what_a_letter_leaves(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same files, of the same size, with the same count of changes."""
    other = make_site(tmp_path_factory.mktemp("other"))
    letterbox, client = Letterbox(site.settings), other.client()
    for _ in range(3):
        decoys.post(letterbox)
        assert submit(client).status_code == 200
    images = [Image.take(one.settings.data).files for one in (site, other)]
    shapes = [{name: len(data) for name, data in image.items()} for image in images]
    assert shapes[0] == shapes[1], "files"
    assert images[0]["intake.db"][24:28] == images[1]["intake.db"][24:28]
    for name in ("floor", "installed"):
        assert images[0][name] == images[1][name]


def test_what_fails_is_passed_over_in_silence_and_does_not_end_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A closed site, a store that refuses, a defect: the next one comes all the same."""
    troubles: Iterator[Exception | None] = iter(
        [None, BadKeyring("", ""), MachineTrouble("", ""), None, ZeroDivisionError(), None]
    )
    add = Store.add

    def troubled(*given: Any) -> bool:  # noqa: ANN401
        if trouble := next(troubles):
            raise trouble
        return add(*given)

    monkeypatch.setattr(Store, "add", troubled)
    assert len(waits(replace(site.settings, decoys=DEFAULT), WORKERS, 6)) == 6, "silence"
    assert sum(site.store.counts().values()) == 3
    assert capfd.readouterr() == ("", "")


def test_a_site_that_is_closed_stores_none(tmp_path: Path) -> None:
    site = make_site(tmp_path, install=False)
    assert len(waits(replace(site.settings, decoys=DEFAULT), WORKERS, 3)) == 3
    assert not site.store.counts()


@contextlib.contextmanager
def served(site: Site, number: int, log: Path) -> Iterator[str]:
    """Serve the site, which makes so many a day; what it logs goes to a file."""
    own = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    own |= {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "INTAKE_DECOYS": f"{number}"}
    with spine.serve(ROOT, own, options=("--error-logfile", str(log))) as address:
        yield address


def test_workers_of_a_real_server_make_them_and_the_log_says_nothing(
    site: Site, tmp_path: Path
) -> None:
    """One a second, of both workers together; three come within a minute, or chance did not."""
    said = []
    for number, least in ((0, 0), (DAY, 3)):
        log, deadline = tmp_path / f"{number}", time.monotonic() + 60
        with served(site, number, log):
            while (
                log.read_text(encoding="utf-8").count("Booting worker") < WORKERS
                or sum(site.store.counts().values()) < least
            ) and time.monotonic() < deadline:
                time.sleep(0.1)
            said.append(sorted(re.sub(r"\d+", "N", log.read_text(encoding="utf-8")).splitlines()))
        assert (sum(site.store.counts().values()) >= 3) == bool(number), "workers"
    assert said[0] == said[1], "log"
    period = site.made.keyring.periods[0].name
    rows = site.store.page(period, b"", 1000)
    kinds = {opened.parse(unseal(s, [site.made.periods[period]])).kind for _, s in rows}
    assert kinds == {DECOY}


# What is to be seen of them.


def made_up(town: Town, informed: float, clock: bool) -> list[Week]:
    """Return weeks of no store: of a row three numbers are seen, one of which tells so much."""
    chance, weeks = random.Random(7), []
    for _ in range(60):
        empty = int(town.mean) if clock else sum(chance.random() < 0.01 for _ in range(1400))
        letters = chance.randint(0, town.most)
        kinds = {chance.randbytes(16): n < empty for n in range(letters + empty)}
        week = Week(Image({}), Image({}), letters, {row for row, kind in kinds.items() if kind})
        week.seen = {
            row: [chance.random(), 1.0, chance.gauss(informed * kind)]
            for row, kind in kinds.items()
        }
        weeks.append(week)
    return weeks


@pytest.mark.parametrize(
    ("informed", "clock", "blind", "ignorant"),
    [
        (0, False, True, True),
        (0.5, False, False, True),
        (9, False, False, False),
        (0, True, True, False),
    ],
    ids=["nothing", "a little", "all of a row", "their number"],
)
def test_the_watcher_finds_what_is_there_and_nothing_else(
    tmp_path: Path, informed: float, clock: bool, blind: bool, ignorant: bool
) -> None:
    """What is seen of a row tells it; only if it tells it well, a week's letters are known."""
    town = Town(tmp_path, 2, 20, random.Random(3))
    report = watch(town, made_up(town, informed, clock))
    assert (report.blind, report.ignorant) == (blind, ignorant), report


def test_of_a_row_nothing_says_whether_it_is_a_decoy_nor_of_a_week_how_many_letters_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve weeks with 14 decoys each on average, and up to 20 letters."""
    town = Town(tmp_path, 2, 20, random.Random(5))
    report = watch(town, town.live(12, monkeypatch.setattr))
    assert report.blind, report
    assert report.ignorant, report


def test_the_documents_say_what_the_default_hides() -> None:
    """The standard deviation of a week's decoys, in letters."""
    error = round(math.sqrt(DEFAULT * 7))
    for name in ("docs/THREATS.md", "docs/adr/0022-decoys.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert f"{DEFAULT} a day" in text, name
        assert f"{error} letters" in text, name
