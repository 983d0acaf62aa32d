"""The clock set back and forward, over the real site: what is sealed to, and what an admin sees.

Rules:
- What a row says is taken from the row: its period's identity opens it, and the day stands inside.
- A dead period is one that ended before the latest day of any row since the last keyring was
  installed, or one that the keyring in force does not have.
- The site is never closed, and never acts on another day than the clock's, in silence: ``status``
  is red and ``doctor`` says FAIL, both with a remedy. Whoever follows it has an open site again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intake import days, files, terminal
from intake.admin import doctor, exporting, install, status
from intake.age.unsealing import unseal
from intake.errors import BadKeyring, Misuse
from intake.rows import Rows
from intake.server.site import create_app
from intake.settings import Settings
from tests import makers
from tests.makers import FIRST, Deployment
from tests.site_maker import browser, submit

WORDS = "ဗိုလ်မှူးက ပစ်ခိုင်းတယ်။ ကျွန်တော် မပစ်ခဲ့ဘူး။ 😔"
DAY = timedelta(days=1)
YEARS = 3652 * DAY
WEEKS = 3
MADE = makers.make_deployment(weeks=WEEKS, reviewers=2)
CLOSED = "We cannot take letters just now"


def keyring_of(before: Deployment, day: date) -> Deployment:
    """Return the keyring that an honest key ceremony makes on ``day``: no period that is over."""
    monday = day - timedelta(days=day.weekday())
    new = makers.make_deployment(first=monday, weeks=WEEKS, reviewers=2)
    made = before.follow(
        issued=day.isoformat(),
        expires=(monday + timedelta(weeks=WEEKS) - DAY).isoformat(),
        periods=new.draft["periods"],
    )
    return replace(made, periods=new.periods)


@dataclass
class Machine:
    """A server with its clock, and everything that was ever true of it."""

    settings: Settings
    patch: pytest.MonkeyPatch
    made: Deployment = MADE
    now: date = FIRST
    latest: date = date.min  # of the rows since the last keyring was installed
    seen: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Install the first keyring and start the site."""
        for folder in (self.settings.data, self.settings.keys):
            folder.mkdir(mode=0o700, parents=True)
        seed = MADE.bundle_key.private_bytes_raw().hex()
        files.write(self.settings.bundle_key, f"{seed}\n".encode())
        self.store = Rows(self.settings.url, self.settings.data)
        self.store.create()
        self.set(FIRST)
        install.install(self.settings, [MADE.raw], lambda _: None)
        self.browser = browser(create_app(self.settings))

    def set(self, now: date) -> None:
        """Set the clock."""
        self.now = now
        self.patch.setattr(days, "clock", lambda: now)

    def install(self, made: Deployment) -> bool:
        """Install the next keyring; return whether it was taken."""
        before = self.settings.keyring.read_bytes()
        try:
            install.install(self.settings, [made.raw], lambda _: None)
        except BadKeyring as problem:
            refused = problem
        else:
            self.made, self.latest = made, min(self.latest, self.now)
            return True
        assert "clock" in refused.hint
        assert self.settings.keyring.read_bytes() == before
        return False

    def send(self) -> date | None:
        """Send a testimony; return the day in its row, None if the site is closed."""
        answer = submit(self.browser, "/en", seed=f"{len(self.seen):064x}", account=WORDS)
        new = [
            (period, row, sealed)
            for period in self.store.counts()
            for row, sealed in self.store.page(period, b"", 1000)
            if row not in self.seen
        ]
        if answer.status_code != 200:
            assert answer.status_code == 503
            assert CLOSED in answer.text
            assert WORDS in answer.text
            assert new == []
            return None
        ((name, row, sealed),) = new
        self.seen.add(row)
        found = next((p for p in self.made.keyring.periods if p.name == name), None)
        assert found is not None, f"{name} is not in the keyring in force"
        inside = json.loads(unseal(sealed, [self.made.periods[name]]))
        day = days.day(inside["day"])
        assert found.first <= day <= found.last
        assert day >= self.latest, f"sealed to {day}, after {self.latest}"
        assert found.last >= self.latest, f"{name} was over by {self.latest}"
        assert inside["body"]["answers"]["account"] == WORDS
        assert inside["keyring"]["version"] == self.made.keyring.version
        self.latest = day
        return day

    def alarms(self) -> list[str]:
        """Return what doctor and status say is wrong, doctor's first; each with a remedy."""
        failed = [line for level, line in doctor.examine(self.settings) if level == "FAIL"]
        actions = [a for a in status.look(self.settings)["actions"] if a["red"]]
        said = [f"{a['what']} -> {a['how']}" for a in actions]
        for line in failed + said:
            remedy = line.partition(" -> ")[2]
            assert "clock" in remedy or "keyring install" in remedy
        assert bool(failed) == bool(said), f"doctor: {failed}, status: {said}"
        return failed + said

    def check(self) -> date | None:
        """Send a testimony, and see that nothing is wrong in silence; return its day."""
        day, said = self.send(), self.alarms()
        assert bool(said) == (day != self.now), f"at {self.now}, sealed on {day}: {said}"
        return day


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a server that is open, on the first day of its keyring."""
    made = Machine(Settings(tmp_path / "data", tmp_path / "keys"), monkeypatch)
    assert made.check() == FIRST
    return made


ROWS: dict[str, tuple[Sequence[tuple[timedelta, timedelta | None]], timedelta]] = {
    # Name: steps, each the clock and the day sealed on or None for closed; then the true day.
    "right": ([(DAY, DAY), (7 * DAY, 7 * DAY), (20 * DAY, 20 * DAY)], 20 * DAY),
    "back ten years": ([(8 * DAY, 8 * DAY), (-YEARS, 8 * DAY)], 9 * DAY),
    "back ten years, right again": (
        [(8 * DAY, 8 * DAY), (-YEARS, 8 * DAY), (9 * DAY, 9 * DAY)],
        9 * DAY,
    ),
    "back into the period before": ([(8 * DAY, 8 * DAY), (2 * DAY, 8 * DAY)], 9 * DAY),
    "forward ten years": ([(YEARS, None)], DAY),
    "forward ten years, right again": ([(YEARS, None), (DAY, 20 * DAY)], DAY),
    "forward two weeks, right again": ([(14 * DAY, 14 * DAY), (DAY, 14 * DAY)], DAY),
    "forward, back ten years, right": (
        [(YEARS, None), (-YEARS, 20 * DAY), (DAY, 20 * DAY)],
        DAY,
    ),
    "the last day, and the next": ([(20 * DAY, 20 * DAY), (21 * DAY, None)], 21 * DAY),
}


@pytest.mark.parametrize(("steps", "true"), ROWS.values(), ids=ROWS.keys())
def test_a_clock_set_wrong(
    machine: Machine, steps: Sequence[tuple[timedelta, timedelta | None]], true: timedelta
) -> None:
    for now, sealed_on in steps:
        machine.set(FIRST + now)
        assert machine.check() == (None if sealed_on is None else FIRST + sealed_on)
    remedy(machine, FIRST + true)


def remedy(machine: Machine, true: date) -> None:
    """Do what status and doctor say: set the clock, and install the next keyring."""
    machine.set(true)
    assert machine.install(keyring_of(machine.made, true))
    assert machine.check() == true


def test_a_keyring_whose_periods_end_before_it_does(machine: Machine) -> None:
    """A clock far ahead saves the day of expiry, for which there is no period: closed, and said."""
    far = machine.made.follow(expires=(FIRST + 100 * DAY).isoformat())
    assert machine.install(far)
    machine.set(FIRST + YEARS)
    assert machine.check() is None
    machine.set(FIRST + DAY)
    assert machine.check() is None
    assert any("no period" in line for line in machine.alarms())
    remedy(machine, FIRST + DAY)


@pytest.mark.parametrize("wrong", [YEARS, -YEARS])
def test_a_wrong_clock_takes_no_new_keyring_and_says_so(machine: Machine, wrong: timedelta) -> None:
    machine.set(FIRST + wrong)
    assert not machine.install(keyring_of(machine.made, FIRST + DAY))
    assert machine.made is MADE
    remedy(machine, FIRST + DAY)


def test_a_clock_before_the_first_day_of_a_server_that_nobody_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No day was saved yet: the keyring is still to come, and the site is closed."""
    machine = Machine(Settings(tmp_path / "data", tmp_path / "keys"), monkeypatch)
    machine.set(FIRST - YEARS)
    assert machine.check() is None
    machine.set(FIRST + DAY)
    assert machine.check() == FIRST + DAY


def test_a_clock_set_ahead_closes_no_period_that_words_may_still_come_to(
    machine: Machine, tmp_path: Path
) -> None:
    """A bundle that says that a period is over binds the site too, whatever the clock says then."""
    first, _, last = (period.name for period in machine.made.keyring.periods)
    run = exporting.Export(machine.settings, tmp_path, terminal.progress).run
    machine.store.remove(machine.seen)
    machine.set(FIRST + 7 * DAY)
    ((made),) = run(first, empty=True)
    assert (made.header.count, made.header.left) == (0, 0)
    machine.set(FIRST + DAY)
    assert machine.check() == FIRST + 7 * DAY
    machine.set(FIRST + YEARS)
    with pytest.raises(Misuse, match="is not over"):
        list(run(last, empty=True))
    machine.set(FIRST + DAY)
    assert machine.check() == FIRST + 20 * DAY
    remedy(machine, FIRST + DAY)


JUMPS = st.sampled_from([-3652, -8, -7, -1, 0, 1, 6, 7, 13, 14, 20, 21, 27, 100, 3652])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(steps=st.lists(st.tuples(JUMPS, st.integers(0, 4), st.booleans()), min_size=2, max_size=6))
def test_any_clock(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    """The true day goes on; the clock says anything; keyrings are made on the true day."""
    folder, true = tmp_path_factory.mktemp("machine"), FIRST
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine(Settings(folder / "data", folder / "keys"), patch)
        for jump, passed, rotate in steps:
            true += passed * DAY
            machine.set(true + jump * DAY)
            if rotate:
                machine.install(keyring_of(machine.made, true))
            machine.check()
        remedy(machine, true + DAY)


def test_a_site_that_forgets_the_day_is_caught(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The breakage that all of the above guards against: the clock alone decides."""
    monkeypatch.setattr(days, "today", lambda *_: days.clock())
    machine.set(FIRST + 8 * DAY)
    assert machine.check() == FIRST + 8 * DAY
    machine.set(FIRST + DAY)
    with pytest.raises(AssertionError, match=r"sealed to .*, after "):
        machine.check()
