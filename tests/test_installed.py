"""Which keyring is in force, and which day it is: neither can be set back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from intake import canonical, days, files, installed, words
from intake.errors import BadKeyring
from intake.settings import Settings
from tests.makers import FIRST, Deployment, make_deployment

MADE = make_deployment(weeks=2)
NEXT = MADE.follow()
DAY = timedelta(days=1)
LAST = MADE.keyring.expires


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(tmp_path / "data", tmp_path / "keys")
    found.data.mkdir(mode=0o700)
    found.keys.mkdir()
    return found


def put(settings: Settings, raw: bytes = MADE.raw) -> None:
    files.write(settings.keyring, raw)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    return lambda day: monkeypatch.setattr(days, "clock", lambda: day)


def test_the_clock_is_in_utc() -> None:
    before = datetime.now(tz=UTC).date()
    assert days.clock() in {before, datetime.now(tz=UTC).date()}


def test_a_keyring_that_was_only_copied_is_not_in_force(settings: Settings) -> None:
    put(settings)
    with pytest.raises(BadKeyring, match="No keyring is installed"):
        installed.load(settings)
    installed.write_record(settings, MADE.raw)
    assert installed.load(settings) == MADE.keyring


@pytest.mark.parametrize(("record", "copied"), [(MADE, NEXT), (NEXT, MADE)])
def test_another_keyring_than_the_installed_one_is_refused(
    settings: Settings, record: Deployment, copied: Deployment
) -> None:
    put(settings, copied.raw)
    installed.write_record(settings, record.raw)
    with pytest.raises(BadKeyring, match="not the one that was installed") as caught:
        installed.load(settings)
    assert "keyring install" in caught.value.hint


def test_the_record_has_the_words_that_the_site_shows(settings: Settings) -> None:
    installed.write_record(settings, MADE.raw)
    record = installed.read_record(settings)
    assert record is not None
    assert record["words"] == words.fingerprint(hashlib.sha256(MADE.raw.split(b"\n")[0]).digest())


@pytest.mark.parametrize("other", [words.fingerprint(NEXT.keyring.sha256), "", 7, None])
def test_other_words_in_the_record_are_refused(settings: Settings, other: object) -> None:
    """Installing the same keyring again puts them right."""
    put(settings)
    installed.write_record(settings, MADE.raw)
    record = installed.read_record(settings)
    assert record is not None
    files.write(settings.installed, canonical.dump({**record, "words": other}))
    with pytest.raises(BadKeyring, match="not the one that was installed"):
        installed.load(settings)
    installed.write_record(settings, MADE.raw)
    assert installed.load(settings) == MADE.keyring


def test_a_keyring_that_is_lost_or_damaged_is_refused(settings: Settings) -> None:
    installed.write_record(settings, MADE.raw)
    with pytest.raises(BadKeyring):
        installed.load(settings)
    for raw in (b"", MADE.raw[:-1], MADE.raw[:200], b"x" * (2 << 20)):
        put(settings, raw)
        with pytest.raises(BadKeyring):
            installed.load(settings)


@pytest.mark.parametrize("data", [b"", b"{}", b"no", b'{"sha256":"00","version":1}\n'])
def test_a_damaged_record_is_refused(settings: Settings, data: bytes) -> None:
    put(settings)
    files.write(settings.installed, data)
    with pytest.raises(BadKeyring, match="damaged"):
        installed.load(settings)


@pytest.mark.parametrize(
    ("day", "fine"), [(FIRST - DAY, False), (FIRST, True), (LAST, True), (LAST + DAY, False)]
)
def test_a_keyring_counts_from_its_day_of_issue_to_its_last(day: date, fine: bool) -> None:
    if fine:
        installed.check_days(MADE.keyring, day)
    else:
        with pytest.raises(BadKeyring):
            installed.check_days(MADE.keyring, day)


@pytest.mark.parametrize(
    "row",  # the clock, the floor, the day acted on, and the floor then
    [
        ("2026-11-20", "", "2026-11-20", "2026-11-20"),
        ("2026-11-20", "2026-11-18", "2026-11-20", "2026-11-20"),
        ("2016-11-20", "2026-11-20", "2026-11-20", "2026-11-20"),  # back ten years
        ("2036-11-20", "2026-11-20", "2036-11-20", "2026-11-29"),  # forward: saved up to expiry
        ("2026-11-21", "2026-11-29", "2026-11-29", "2026-11-29"),  # and right again
    ],
)
def test_today(
    settings: Settings, clock: Callable[[date], None], row: tuple[str, str, str, str]
) -> None:
    now, floor, acted_on, saved = row
    clock(days.day(now))
    if floor:
        days.write_floor(settings, days.day(floor))
    assert days.today(settings, MADE.keyring.expires) == days.day(acted_on)
    assert days.read_floor(settings) == days.day(saved)


def test_a_clock_set_back_does_not_bring_a_day_back(
    settings: Settings, clock: Callable[[date], None]
) -> None:
    clock(FIRST + 8 * DAY)
    assert days.today(settings, MADE.keyring.expires) == FIRST + 8 * DAY
    clock(FIRST)
    assert days.today(settings, MADE.keyring.expires) == FIRST + 8 * DAY
    assert days.read_floor(settings) == FIRST + 8 * DAY


def test_a_clock_set_far_ahead_does_not_close_the_site_for_ever(
    settings: Settings, clock: Callable[[date], None]
) -> None:
    clock(FIRST + 3650 * DAY)
    assert days.today(settings, MADE.keyring.expires) == FIRST + 3650 * DAY
    assert days.read_floor(settings) == LAST
    clock(FIRST)
    assert days.today(settings, MADE.keyring.expires) == LAST


def test_the_day_is_written_at_most_once_a_day(
    settings: Settings, clock: Callable[[date], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(FIRST)
    days.today(settings, MADE.keyring.expires)
    monkeypatch.setattr(days, "write_floor", lambda *_: pytest.fail("written again"))
    days.today(settings, MADE.keyring.expires)


@pytest.mark.parametrize("data", [b"", b"2026-1-1", b"2026-11-16\n", b"20261116", b"soon"])
def test_a_damaged_day_is_refused_rather_than_guessed(settings: Settings, data: bytes) -> None:
    files.write(settings.data / "floor", data)
    with pytest.raises(BadKeyring):
        days.read_floor(settings)
