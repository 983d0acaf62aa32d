"""Nightly maintenance: what order is left, what a crash leaves, and that nobody loses a row by it.

Rules:
- The order is measured on rows of the real size, each stored by a transaction of its own.
- Chance is fixed: ids come from a hash of the row's number. For n = 300 pairs without any order,
  Spearman's rho passes 0.25 with a probability of 2 in 10^5 (the normal approximation: 4.3 standard
  deviations of 1/sqrt(n - 1)); of the four that are taken, with less than 1 in 10^4.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from intake import days, store, terminal
from intake.admin import __main__ as tool
from intake.admin import acknowledging, chain, doctor, exporting, fresh, maintaining, setup
from intake.admin.fresh import Fresh, Row
from intake.bundle.reading import open_bundle
from intake.envelope import SEALED
from intake.errors import MachineTrouble, Misuse
from intake.replies import Replies
from intake.rows import Rows
from intake.settings import ROOT, Settings
from tests.site_maker import make_site

BOUND = 0.25
ROWS = 300
WEEK = "2026-w47"


class Crash(BaseException):
    """The power goes."""


def row(n: int) -> tuple[bytes, bytes]:
    """Return a row that looks as random as a sealed one, the same for the same number."""
    seed = hashlib.sha256(f"row {n}".encode()).digest()
    return seed[:16], random.Random(n).randbytes(SEALED)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a server after init."""
    made = Settings(tmp_path / "data", tmp_path / "keys")
    setup.init(made)
    return made


def rows(settings: Settings) -> Rows:
    return Rows(settings.url, settings.data)


def fill(settings: Settings, numbers: Iterable[int]) -> None:
    """Store these rows one by one, in this order."""
    kept = rows(settings)
    for n in numbers:
        kept.add([row(n)], WEEK)


def stored(settings: Settings) -> set[tuple[bytes, bytes]]:
    return set(rows(settings).page(WEEK, b"", 100_000))


def database(settings: Settings) -> Path:
    return settings.data / "intake.db"


def journal(settings: Settings) -> Path:
    return settings.data / "intake.db-journal"


def halves(settings: Settings) -> list[Path]:
    return sorted(settings.data.glob(".*.partial*"))


def rho(places: Sequence[int]) -> float:
    """Return Spearman's rank correlation of arrival with ``places``, all of which differ."""
    order = sorted(range(len(places)), key=places.__getitem__)
    n, ranks = len(places), {one: rank for rank, one in enumerate(order)}
    return 1 - 6 * sum((one - rank) ** 2 for one, rank in ranks.items()) / (n * (n * n - 1))


def order_in(data: bytes, numbers: Iterable[int]) -> list[float]:
    """Return rho of where ids lie in ``data``, and of where the middle of the sealed bytes does."""
    made = [row(n) for n in numbers]
    middles = [sealed[SEALED // 2 :][:64] for _, sealed in made]
    found = [[data.find(mark) for mark in marks] for marks in ([id_ for id_, _ in made], middles)]
    assert all(place >= 0 for places in found for place in places)
    return [abs(rho(places)) for places in found]


# what is left of the order


def test_rho_is_one_for_an_order_and_for_its_reverse() -> None:
    assert rho([3, 5, 8, 9]) == 1
    assert rho([9, 8, 5, 3]) == -1
    assert abs(rho(random.Random(1).sample(range(ROWS), ROWS))) < BOUND


def test_nothing_in_the_file_tells_the_order_of_arrival(settings: Settings) -> None:
    """Nor in the journal of a transaction that touches every row of the new file."""
    fill(settings, range(ROWS))
    before = order_in(database(settings).read_bytes(), range(ROWS))
    assert max(before) > 0.99
    assert maintaining.maintain(settings)
    assert stored(settings) == {row(n) for n in range(ROWS)}
    assert max(order_in(database(settings).read_bytes(), range(ROWS))) < BOUND
    with rows(settings).transaction() as connection:
        connection.exec_driver_sql("PRAGMA cache_size=1")
        connection.exec_driver_sql("UPDATE envelopes SET period = 'x', sealed = zeroblob(34427)")
        data = journal(settings).read_bytes()
        connection.rollback()
    assert max(order_in(data, range(ROWS))) < BOUND
    assert stored(settings) == {row(n) for n in range(ROWS)}


def test_the_same_rows_make_the_same_file_in_whatever_order_and_in_how_many_steps_they_came(
    settings: Settings, tmp_path: Path
) -> None:
    """So no order, no count of changes and no row that was deleted can be left in it."""
    other = Settings(tmp_path / "other", tmp_path / "keys")
    setup.init(other)
    fill(settings, range(50))
    rows(other).add([row(n) for n in reversed(range(90))], WEEK)
    rows(other).remove([row(n)[0] for n in range(50, 90)])
    files = [database(each) for each in (settings, other)]
    assert files[0].read_bytes() != files[1].read_bytes()
    for each in (settings, other):
        maintaining.maintain(each)
    assert files[0].read_bytes() == files[1].read_bytes()
    counter, valid_for = (files[0].read_bytes()[at : at + 4] for at in (24, 92))
    assert (int.from_bytes(counter), int.from_bytes(valid_for)) == (1, 1)


def test_it_is_private_and_as_durable_as_before(settings: Settings) -> None:
    fill(settings, range(3))
    maintaining.maintain(settings)
    assert stat.S_IMODE(database(settings).stat().st_mode) == 0o600
    assert halves(settings) == []
    assert not journal(settings).exists()
    fill(settings, [7])
    assert stored(settings) == {row(n) for n in (0, 1, 2, 7)}
    maintaining.maintain(settings)
    assert stored(settings) == {row(n) for n in (0, 1, 2, 7)}


def test_replies_stay_in_their_mailboxes(settings: Settings) -> None:
    with rows(settings).transaction() as connection:
        for n in range(9):
            reply = {"mailbox": row(n // 2)[0], "id": row(n)[0], "sealed": row(n)[1]}
            connection.execute(store.replies.insert(), reply)
    maintaining.maintain(settings)
    with rows(settings).transaction() as connection:
        found = connection.execute(store.replies.select()).all()
    assert {(r.mailbox, r.id, r.sealed) for r in found} == {
        (row(n // 2)[0], *row(n)) for n in range(9)
    }


def test_nothing_in_the_file_tells_the_order_in_which_replies_came(settings: Settings) -> None:
    boxes = Replies(settings.url, settings.data)
    for n in range(ROWS):
        boxes.put([(row(n)[0], row(n + ROWS)[0], row(n)[1][:5755])])
    places = [database(settings).read_bytes().find(row(n)[1][2000:2064]) for n in range(ROWS)]
    assert rho(places) > 0.99
    maintaining.maintain(settings)
    data = database(settings).read_bytes()
    for marks in ([row(n)[0] for n in range(ROWS)], [row(n)[1][2000:2064] for n in range(ROWS)]):
        places = [data.find(mark) for mark in marks]
        assert min(places) >= 0
        assert abs(rho(places)) < BOUND


def test_what_is_deleted_afterwards_leaves_no_bytes_in_the_new_file(settings: Settings) -> None:
    """Also not where SQLite moved rows aside to make room for others."""
    fill(settings, range(120))
    maintaining.maintain(settings)
    gone = [n for n in range(120) if n % 7]
    rows(settings).remove([row(n)[0] for n in gone])
    data = b"".join(path.read_bytes() for path in settings.data.iterdir() if path.is_file())
    assert stored(settings) == {row(n) for n in range(120) if not n % 7}
    for n in gone:
        id_, sealed = row(n)
        assert id_ not in data
        assert not [at for at in range(0, SEALED - 32, 200) if sealed[at : at + 32] in data]


def test_the_day_is_kept_and_no_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "clock", lambda: date(2026, 11, 29))
    maintaining.maintain(settings)
    assert (settings.data / maintaining.MAINTAINED).read_bytes() == b"2026-11-29"


# who works meanwhile

POSTS = """
import sys, time
from pathlib import Path
from intake.rows import Rows
from intake.settings import Settings
from tests.test_maintaining import WEEK, row
settings = Settings(Path(sys.argv[1]), Path(sys.argv[1]))
store, n = Rows(settings.url, settings.data), int(sys.argv[2])
while True:
    store.add([row(n)], WEEK)
    print(n, flush=True)
    n += 1
"""
MAINTAINS = """
import sys
from pathlib import Path
from intake.admin import maintaining
from intake.settings import Settings
settings = Settings(Path(sys.argv[1]), Path(sys.argv[1]))
print("begun", flush=True)
while True:
    maintaining.maintain(settings)
"""


def run(script: str, settings: Settings, *more: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, str(settings.data), *map(str, more)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> list[str]:
    """Kill a process of ours; return what it had printed and was not read yet."""
    process.kill()
    said, _ = process.communicate()
    return said.splitlines()


def test_posts_go_on_while_it_runs_and_all_are_stored(settings: Settings) -> None:
    fill(settings, range(100))
    poster = run(POSTS, settings, 1000)
    assert poster.stdout is not None
    try:
        acknowledged = [int(poster.stdout.readline())]
        for _ in range(8):
            assert maintaining.maintain(settings)
            acknowledged.append(int(poster.stdout.readline()))
    finally:
        acknowledged += map(int, end(poster))
    assert len(set(acknowledged)) > 8  # one after each run, at least
    assert {row(n) for n in [*range(100), *acknowledged]} <= stored(settings)


def test_killed_at_any_moment_it_loses_no_row_that_was_acknowledged(settings: Settings) -> None:
    fill(settings, range(200))
    poster = run(POSTS, settings, 1000)
    chance, left = random.Random(7), 0
    try:
        for _ in range(8):
            maintainer = run(MAINTAINS, settings)
            assert maintainer.stdout is not None
            maintainer.stdout.readline()
            time.sleep(chance.random() * 0.2)
            end(maintainer)
            left += len(halves(settings))
    finally:
        acknowledged = [int(n) for n in end(poster)]
    assert len(acknowledged) > 8
    assert left > 0, "it was never killed while it wrote"
    assert {row(n) for n in [*range(200), *acknowledged]} <= stored(settings)
    maintaining.maintain(settings)
    assert halves(settings) == []
    assert notes(settings) == []
    assert {row(n) for n in [*range(200), *acknowledged]} <= stored(settings)


class Meanwhile:
    """Does something at three moments of a maintenance: while it copies, and before both ends."""

    def __init__(self, patch: pytest.MonkeyPatch, acts: Sequence[Callable[[], object]]) -> None:
        left = list(acts)
        insert, follow, alone = Fresh._insert, Fresh.follow, Rows.alone

        def inserting(fresh_: Fresh, name: str, found: list[Row]) -> None:
            if len(left) == 3 and len(found) == fresh.PAGE:  # a page was read, not the last
                left.pop(0)()
            insert(fresh_, name, found)

        def following(fresh_: Fresh, kept: Rows) -> None:
            left.pop(0)()
            follow(fresh_, kept)
            patch.setattr(Rows, "alone", last)

        def last(kept: Rows) -> AbstractContextManager[Connection]:
            patch.setattr(Rows, "alone", alone)
            left.pop(0)()
            return alone(kept)

        patch.setattr(Fresh, "_insert", inserting)
        patch.setattr(Fresh, "follow", following)
        self.left = left


def test_what_comes_changes_or_goes_meanwhile_is_as_it_would_be_without_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever moment of a maintenance it meets, and whether what it meets was copied or not."""
    monkeypatch.setattr(fresh, "PAGE", 8)
    fill(settings, range(100))
    boxes = Replies(settings.url, settings.data)
    boxes.put([(row(n // 2)[0], *row(n)) for n in range(30)])
    moment = iter(range(3))

    def act() -> None:
        n = next(moment)
        fill(settings, range(1000 + 40 * n, 1040 + 40 * n))
        rows(settings).remove([row(k)[0] for k in range(n, 100, 10)])
        rows(settings).remove([row(1000 + 40 * n)[0]])  # it came and went
        fill(settings, [n + 10])  # it went, and came again, the last time
        for k in range(n, 30, 5):
            boxes.overwrite(row(k // 2)[0], row(k)[0], b"once")
            boxes.overwrite(row(k // 2)[0], row(k)[0], b"twice %d" % n)
        boxes.put([(row(2000 + n)[0], row(n)[0], b"new"), (row(0)[0], row(0)[0], b"kept out")])

    with monkeypatch.context() as patch:
        acts = Meanwhile(patch, [act] * 3)
        maintaining.maintain(settings)
    assert acts.left == []
    expected = {k for k in range(100) if k % 10 > 2} | {10, 11, 12}
    expected |= {k for k in range(1000, 1120) if k % 40}
    assert stored(settings) == {row(k) for k in expected}
    with rows(settings).transaction() as connection:
        found = {(r.mailbox, r.id): r.sealed for r in connection.execute(store.replies.select())}
    for k in range(30):
        kept = b"twice %d" % (k % 5) if k % 5 < 3 else row(k)[1]
        assert found.pop((row(k // 2)[0], row(k)[0])) == kept
    assert found == {(row(2000 + n)[0], row(n)[0]): b"new" for n in range(3)}
    assert notes(settings) == []
    with rows(settings).transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_what_comes_meanwhile_keeps_no_order_but_that_it_came(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And after the next night not even that: the file is as if all had come before."""
    fill(settings, range(100))
    with monkeypatch.context() as patch:
        Meanwhile(patch, [list, list, lambda: fill(settings, range(1000, 1000 + ROWS))])
        maintaining.maintain(settings)
    data = database(settings).read_bytes()
    assert max(order_in(data, range(1000, 1000 + ROWS))) < BOUND
    counter, valid_for = (data[at : at + 4] for at in (24, 92))
    assert (int.from_bytes(counter), int.from_bytes(valid_for)) == (1, 1)
    maintaining.maintain(settings)
    other = Settings(tmp_path / "other", tmp_path / "keys")
    setup.init(other)
    fill(other, [*range(1000, 1000 + ROWS), *range(100)])
    maintaining.maintain(other)
    assert database(settings).read_bytes() == database(other).read_bytes()


def test_what_a_post_waits_for_is_as_much_in_a_large_store_as_in_a_small_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in SQLite's own steps, of all that is done while nobody else is let in."""
    small, large = 3 * fresh.PAGE, 30 * fresh.PAGE
    most: dict[int, int] = {}
    alone = Rows.alone

    @contextmanager
    def counted(kept: Rows) -> Iterator[Connection]:
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        with alone(kept) as connection:
            assert connection.connection.driver_connection is not None
            connection.connection.driver_connection.set_progress_handler(step, 1)
            yield connection
        most[count] = max(most.get(count, 0), steps)

    monkeypatch.setattr(Rows, "alone", counted)
    for count in (small, large):
        rows(settings).add(map(row, range(count)), WEEK)
        with monkeypatch.context() as patch:
            come = range(10_000 + count, 10_020 + count)
            Meanwhile(patch, [list, list, partial(fill, settings, come)])
            maintaining.maintain(settings)
    assert most[small] > fresh.PAGE
    assert most[large] <= most[small] * 1.1


def test_a_flood_of_posts_does_not_keep_it_out(settings: Settings) -> None:
    """Who waits to be alone is next: whoever comes after that waits, though others are within."""
    fill(settings, range(3))
    waits, within, after = threading.Event(), threading.Event(), threading.Event()

    def alone() -> None:
        waits.set()
        with rows(settings).alone():
            assert not after.is_set()
            within.set()

    def another() -> None:
        fill(settings, [3])
        after.set()

    threads = [threading.Thread(target=each) for each in (alone, another)]
    with rows(settings).transaction():
        threads[0].start()
        assert waits.wait(30)
        time.sleep(0.2)  # until it stands at the door
        threads[1].start()
        assert not after.wait(0.3)
        assert not within.is_set()
    for thread in threads:
        thread.join(30)
    assert within.is_set()
    assert after.is_set()


def test_acknowledge_waits_until_maintenance_is_over(tmp_path: Path) -> None:
    """What it says is gone must not lie in half of a second file."""
    site = make_site(tmp_path)
    with (
        chain.alone(site.settings, *chain.MAINTAINING),
        pytest.raises(MachineTrouble, match="Another maintenance or acknowledge is running"),
    ):
        acknowledging.acknowledge(site.settings, tmp_path / "a return", terminal.progress)


def test_an_export_meanwhile_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page of it is read from another file."""
    site = make_site(tmp_path)
    period = site.made.keyring.periods[0].name
    site.store.add([row(n) for n in range(700)], period)
    real = Rows.page

    def page(self: Rows, period: str, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        before = database(site.settings).stat().st_ino
        maintaining.maintain(site.settings)
        assert database(site.settings).stat().st_ino != before
        return real(self, period, after, limit)

    monkeypatch.setattr(Rows, "page", page)
    stick = tmp_path / "stick"
    stick.mkdir()
    export = exporting.Export(site.settings, stick, terminal.progress)
    (made,) = export.run()
    with open_bundle(made.path, site.made.keyring.bundle_key, site.made.deployment) as opened:
        assert all(verdict == "ok" for _, _, verdict in opened)
        assert {entry.id for entry in opened.entries} == {row(n)[0] for n in range(700)}


def test_a_second_one_at_once_is_refused(settings: Settings) -> None:
    with (
        chain.alone(settings, *chain.MAINTAINING),
        pytest.raises(MachineTrouble, match="Another maintenance or acknowledge is running"),
    ):
        maintaining.maintain(settings)
    with chain.alone(settings):  # an export
        assert maintaining.maintain(settings)


def test_it_waits_for_a_transaction_that_has_begun(settings: Settings) -> None:
    fill(settings, range(3))
    done = threading.Event()

    def work() -> None:
        maintaining.maintain(settings)
        done.set()

    maintainer = threading.Thread(target=work)
    with rows(settings).transaction() as connection:
        maintainer.start()
        assert not done.wait(0.3)
        id_, sealed = row(3)
        one = {"id": id_, "period": WEEK, "sealed": sealed}
        connection.execute(store.envelopes.insert(), one)
    assert done.wait(30)
    maintainer.join()
    assert stored(settings) == {row(n) for n in range(4)}


# what a crash leaves


def steps(monkeypatch: pytest.MonkeyPatch, nth: int = 1 << 30) -> list[str]:
    """Let the power go before the nth step that the disk would see; return a list that fills."""
    seen: list[str] = []

    def guard(name: str, label: Callable[..., str]) -> None:
        real = getattr(os, name)

        def step(*args: object, **kwargs: object) -> object:
            if len(seen) + 1 >= nth:
                raise Crash
            seen.append(label(*args))
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, step)

    def of(descriptor: int) -> str:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        return f"fsync {path.suffix or path.name}"

    guard("fsync", of)
    guard("rename", lambda old, new: f"rename {Path(old).suffix} {Path(new).name}")
    guard("unlink", lambda path: f"unlink {Path(path).suffix}")
    return seen


def test_what_is_renamed_is_on_the_disk_and_so_is_its_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal goes before, durably: it would be rolled into the new file otherwise."""
    fill(settings, range(3))
    assert journal(settings).stat().st_size == 0
    with monkeypatch.context() as patch:
        seen = steps(patch)
        maintaining.maintain(settings)
    written = seen.index("unlink .db-journal")
    assert set(seen[: written - 1]) <= {"fsync .partial"}
    assert seen[written - 1 : written + 4] == [
        "fsync .partial",
        "unlink .db-journal",
        "fsync data",
        "rename .partial intake.db",
        "fsync data",
    ]
    assert "rename .partial maintained" in seen[written + 4 :]


def test_whoever_is_let_in_again_finds_no_lock_on_the_new_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while what comes after the rename is still being done."""
    fill(settings, range(20))
    before, tried, real = place(settings), list[int](), Rows.alone

    @contextmanager
    def alone(kept: Rows) -> Iterator[Connection]:
        with real(kept) as connection:
            yield connection
        if place(settings) != before:
            with closing(sqlite3.connect(database(settings), timeout=0)) as other:
                other.execute("BEGIN IMMEDIATE")
                tried.append(1)

    monkeypatch.setattr(Rows, "alone", alone)
    maintaining.maintain(settings)
    assert tried == [1]


def test_stopped_anywhere_it_leaves_every_row_and_the_next_run_tidies(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, range(20))
    stops = 0
    for nth in range(1, 100):
        journal(settings).touch()
        with monkeypatch.context() as patch:
            steps(patch, nth)
            try:
                maintaining.maintain(settings)
            except Crash:
                stops += 1
            else:
                break
        assert stored(settings) == {row(n) for n in range(20)}
        left = [path for path in halves(settings) if path.name.startswith(".intake.db.")]
        assert [level for level, line in doctor.examine(settings) if "leftovers" in line] == [
            "warn" if halves(settings) else "ok"
        ]
        maintaining.maintain(settings)
        assert [path for path in left if path.exists()] == []
    assert stops > 8


HOT = """
import os, sys
from pathlib import Path
from intake.rows import Rows
from intake.settings import Settings
from intake.store import envelopes
settings = Settings(Path(sys.argv[1]), Path(sys.argv[1]))
with Rows(settings.url, settings.data).transaction() as connection:
    connection.exec_driver_sql("PRAGMA cache_size=1")
    connection.execute(envelopes.delete().where(envelopes.c.id > b"@"))
    os.kill(os.getpid(), 9)
"""


def test_a_journal_of_a_killed_process_is_undone_first_and_never_rolled_into_the_new_file(
    settings: Settings,
) -> None:
    fill(settings, range(60))
    killed = run(HOT, settings)
    assert killed.wait(60) == -9
    assert killed.stdout is not None
    killed.stdout.close()
    assert journal(settings).read_bytes().startswith(bytes.fromhex("d9d505f920a163d7"))
    data = database(settings).read_bytes()
    assert any(row(n)[1][SEALED // 2 :][:64] not in data for n in range(60)), "the file was changed"
    maintaining.maintain(settings)
    assert not journal(settings).exists()
    assert stored(settings) == {row(n) for n in range(60)}
    with rows(settings).transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_a_journal_that_was_never_synced_is_void_and_goes(settings: Settings) -> None:
    """As a process leaves it that is killed before it has changed anything else."""
    fill(settings, range(5))
    journal(settings).write_bytes(bytes(512) + database(settings).read_bytes()[:4096])
    maintaining.maintain(settings)
    assert not journal(settings).exists()
    assert stored(settings) == {row(n) for n in range(5)}


def test_somebody_who_writes_beside_intake_stops_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their words would end in a file that has no name any more."""
    monkeypatch.setattr(store, "_PRAGMAS", ("busy_timeout=100", *store._PRAGMAS[1:]))
    fill(settings, range(5))
    other = sqlite3.connect(database(settings), isolation_level=None, timeout=30)
    before = database(settings).stat().st_ino
    try:
        for begin in ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"):
            other.execute(begin)
            with pytest.raises(MachineTrouble, match="locked"):
                maintaining.maintain(settings)
            other.execute("ROLLBACK")
    finally:
        other.close()
    assert database(settings).stat().st_ino == before
    assert halves(settings) == []
    assert maintaining.maintain(settings)


# what goes wrong


def untouched(settings: Settings, before: set[tuple[bytes, bytes]], place: int) -> bool:
    """Whether the file is the one that it was, with these rows, no notes, and no second one."""
    same = database(settings).stat().st_ino == place and not halves(settings)
    return same and stored(settings) == before and not notes(settings)


def notes(settings: Settings) -> list[str]:
    """Return what there is in the database but our tables."""
    with rows(settings).transaction() as connection:
        found = connection.exec_driver_sql("SELECT name FROM sqlite_master ORDER BY name").scalars()
        return [name for name in found if name not in store.metadata.tables]


def place(settings: Settings) -> int:
    return database(settings).stat().st_ino


def test_too_little_room_is_said_before_anything_is_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, range(30))
    before, inode = stored(settings), place(settings)
    need = database(settings).stat().st_size + settings.kept.maintenance
    real = shutil.disk_usage(settings.data)
    for free in (0, need - 1, need):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: real._replace(free=free))
        if free == need:
            assert maintaining.maintain(settings)
            break
        with pytest.raises(MachineTrouble, match="MiB more must be free"):
            maintaining.maintain(settings)
        assert untouched(settings, before, inode)
        assert not (settings.data / maintaining.MAINTAINED).exists()


FULL = """
import os, shutil, sys
from pathlib import Path
from intake import store
from intake.admin import maintaining, setup
from intake.errors import MachineTrouble
from intake.settings import Settings
from tests.test_maintaining import fill, halves, row, stored
settings = Settings(Path(sys.argv[1]) / "data", Path(sys.argv[1]) / "keys")
setup.init(settings)
fill(settings, range(60))
free = shutil.disk_usage(settings.data).free
real = store.shutil.disk_usage
store.shutil.disk_usage = lambda path: real(path)._replace(free=1 << 40)
for room in range(0, 60 * 35_000, 400_000):
    filler = Path(sys.argv[1]) / "filler"
    filler.write_bytes(bytes(free - room))
    try:
        maintaining.maintain(settings)
    except MachineTrouble as error:
        print(error.what)
    else:
        sys.exit("it was done, with too little room")
    filler.unlink()
    assert stored(settings) == {row(n) for n in range(60)}
    assert not halves(settings), halves(settings)
maintaining.maintain(settings)
assert stored(settings) == {row(n) for n in range(60)}
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="root mounts a tmpfs")
def test_a_disk_that_fills_meanwhile_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=16m none "$0" && exec "$1" -c "$2" "$0"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, tmp_path, sys.executable, FULL],  # noqa: S607
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"root may not mount here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 5
    assert all("disk is full" in line for line in done.stdout.splitlines())


READ_ONLY = 'mount -o bind,ro / / && mount -t tmpfs none "$0" && exec "$1" -c "$2" "$0"'
WRITES = """
import sys
from pathlib import Path
from intake.admin import maintaining, setup
from intake.settings import Settings
from tests.test_maintaining import fill, row, stored
for folder in ("/tmp", "/var/tmp", "."):
    try:
        (Path(folder) / "intake-try").touch()
    except OSError:
        continue
    sys.exit(f"{folder} can be written")
settings = Settings(Path(sys.argv[1]) / "data", Path(sys.argv[1]) / "keys")
setup.init(settings)
fill(settings, range(60))
assert maintaining.maintain(settings)
assert stored(settings) == {row(n) for n in range(60)}
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="root mounts a tmpfs")
def test_it_needs_no_folder_but_the_store_s(tmp_path: Path) -> None:
    """Everything else is read-only: the system's temp folders and the working one, too."""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", READ_ONLY, tmp_path, sys.executable, WRITES],  # noqa: S607
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"root may not mount here: {done.stderr}")
    assert done.returncode == 0, done.stderr


def test_a_disk_that_does_not_sync_leaves_the_store_as_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, range(5))
    before, inode = stored(settings), place(settings)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(MachineTrouble):
            maintaining.maintain(settings)
    assert untouched(settings, before, inode)


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM envelopes WHERE id = (SELECT min(id) FROM envelopes)",
        "UPDATE envelopes SET sealed = x'00' WHERE id = (SELECT min(id) FROM envelopes)",
        "UPDATE envelopes SET id = x'00' WHERE id = (SELECT min(id) FROM envelopes)",
        "INSERT INTO envelopes VALUES (x'00', 'a', x'00')",
    ],
)
def test_a_new_file_that_differs_is_not_put_in_place(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    fill(settings, range(5))
    before, inode = stored(settings), place(settings)
    real = Fresh._open

    def spoilt(self: Fresh) -> AbstractContextManager[Connection]:
        self._connection.exec_driver_sql(spoil)
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(Fresh, "_open", spoilt)
        with pytest.raises(MachineTrouble, match="not as the old one"):
            maintaining.maintain(settings)
    assert untouched(settings, before, inode)
    assert maintaining.maintain(settings)


def test_a_table_with_rowids_is_refused_because_it_would_keep_the_order(settings: Settings) -> None:
    with sqlite3.connect(database(settings)) as other:
        other.execute("DROP TABLE replies")
        other.execute("CREATE TABLE replies (mailbox, id, sealed)")
    other.close()
    inode = place(settings)
    with pytest.raises(MachineTrouble, match="not as they were made"):
        maintaining.maintain(settings)
    assert untouched(settings, set(), inode)


def test_a_table_that_is_none_of_ours_is_not_dropped_by_the_way(settings: Settings) -> None:
    with sqlite3.connect(database(settings)) as other:
        other.execute("CREATE TABLE more (id PRIMARY KEY) WITHOUT ROWID")
    other.close()
    with pytest.raises(MachineTrouble, match="not as they were made"):
        maintaining.maintain(settings)
    assert notes(settings) == ["more"]


def test_a_damaged_store_stays_as_it_is(settings: Settings) -> None:
    fill(settings, range(30))
    data = bytearray(database(settings).read_bytes())
    data[8192 : 8192 + 4096] = bytes(4096)
    database(settings).write_bytes(data)
    inode = place(settings)
    with pytest.raises(MachineTrouble):
        maintaining.maintain(settings)
    assert place(settings) == inode
    assert halves(settings) == []
    # Only the first page, which says what tables there are, was written; and what came behind.
    assert database(settings).read_bytes()[4096 : len(data)] == data[4096:]


def test_without_a_store_none_is_made(settings: Settings) -> None:
    database(settings).unlink()
    with pytest.raises(Misuse, match="no store"):
        maintaining.maintain(settings)
    assert not database(settings).exists()


def test_halves_of_other_files_go_when_nobody_can_be_writing_them(settings: Settings) -> None:
    """The site itself writes one a day, when the saved day rises."""
    young, old = (settings.data / f".floor.{name}.partial" for name in ("young", "old"))
    own = settings.data / ".intake.db.0a0a0a0a.partial-journal"
    for path in (young, old, own):
        path.write_bytes(b"2026-")
    os.utime(old, (0, 0))
    maintaining.maintain(settings)
    assert [path.exists() for path in (young, old, own)] == [True, False, False]


def test_postgresql_arranges_its_files_by_itself(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTAKE_DATA", str(settings.data))
    monkeypatch.setenv("INTAKE_DATABASE", "postgresql://intake@localhost/intake")
    monkeypatch.setattr(sys, "argv", ["admin", "maintain"])
    with pytest.raises(SystemExit) as ended:
        terminal.run(tool.build)
    assert ended.value.code == 0
    assert "PostgreSQL" in capsys.readouterr().out
    assert (settings.data / maintaining.MAINTAINED).exists()


def test_the_tool_says_what_it_did_and_nothing_of_how_much(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTAKE_DATA", str(settings.data))
    monkeypatch.setattr(sys, "argv", ["admin", "maintain"])
    said = []
    for numbers in (range(0), range(50)):
        fill(settings, numbers)
        with pytest.raises(SystemExit) as ended:
            terminal.run(tool.build)
        assert ended.value.code == 0
        said.append(capsys.readouterr())
    assert said[0] == said[1]
    assert "fresh file" in said[0].out
