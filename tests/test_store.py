"""The store keeps every row once, says nothing of when, and forgets what is deleted."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from intake import store as module
from intake.errors import MachineTrouble
from intake.rows import Rows
from intake.settings import Settings

SEALED = b"sealed bytes of one envelope" * 100


def number(n: int) -> bytes:
    return hashlib.sha256(n.to_bytes(4, "big")).digest()[:16]


@pytest.fixture
def made(tmp_path: Path) -> Rows:
    store = Rows(f"sqlite:///{tmp_path / 'intake.db'}", tmp_path)
    store.create()
    return store


def test_making_it_again_keeps_the_rows(made: Rows) -> None:
    made.add([(number(1), SEALED)], "p1")
    made.create()
    assert made.counts().total() == 1


def test_the_same_id_again_changes_nothing(made: Rows) -> None:
    made.add([(number(1), SEALED)], "p1")
    made.add([(number(1), b"other")], "p2")
    assert made.get(number(1)) == SEALED
    assert (made.counts().total(), made.counts()["p1"], made.counts()["p2"]) == (1, 1, 0)
    assert list(made.counts()) == ["p1"]


def test_rows_come_in_pages_by_id_and_by_period(made: Rows) -> None:
    for n in range(25):
        made.add([(number(n), SEALED + bytes([n]))], "p1" if n % 5 else "p2")
    expected = sorted(number(n) for n in range(25) if n % 5)
    found, after = [], b""
    while page := made.page("p1", after, 7):
        assert len(page) <= 7
        found += page
        after = page[-1][0]
    assert [row for row, _ in found] == expected
    assert all(made.get(row) == sealed for row, sealed in found)
    assert list(made.counts()) == ["p1", "p2"]
    assert made.page("p3", b"", 7) == []


def test_removing_counts_what_was_there(made: Rows) -> None:
    for n in range(3):
        made.add([(number(n), SEALED)], "p1")
    assert made.remove([number(0), number(2), number(9)]) == 2
    assert made.remove([number(0)]) == 0
    assert made.remove([]) == 0
    assert made.get(number(0)) is None
    assert made.get(number(1)) == SEALED


COLUMNS = {"envelopes": ["id", "period", "sealed"], "replies": ["mailbox", "id", "sealed"]}


def tables(database: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Return the columns of each table of a database, and the statements that made the tables."""
    with sqlite3.connect(database) as connection:
        made = dict(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())
        columns = {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for name in made
        }
    connection.close()
    return columns, list(made.values())


def test_tables_hold_no_time_no_counter_and_no_rowid(made: Rows, tmp_path: Path) -> None:
    assert made.counts().total() == 0
    columns, statements = tables(tmp_path / "intake.db")
    assert columns == COLUMNS
    assert all("WITHOUT ROWID" in sql for sql in statements)


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "truncate"), ("synchronous", 2), ("secure_delete", 1)]
)
def test_every_connection_is_durable_and_overwrites(made: Rows, pragma: str, value: object) -> None:
    for _ in range(2):
        with made.transaction() as connection:
            assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


def test_deleted_rows_leave_no_bytes_in_any_file(made: Rows, tmp_path: Path) -> None:
    marks = [f"canary {n} of many".encode() * 50 for n in range(60)]
    for n, mark in enumerate(marks):
        made.add([(number(n), mark)], "p1")
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert any(b"canary 7 of many" in path.read_bytes() for path in files)
    made.remove([number(n) for n in range(60) if n != 8])
    rest = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary 8 of many" in rest
    assert [n for n in range(60) if n != 8 and f"canary {n} of".encode() in rest] == []
    assert [n for n in range(60) if n != 8 and number(n) in rest] == []


def test_a_refusal_holds_nothing_of_the_row(made: Rows, tmp_path: Path) -> None:
    with made.transaction() as connection:
        connection.execute(text("DROP TABLE envelopes"))
    with pytest.raises(MachineTrouble) as caught:
        made.add([(number(1), b"canary")], "p1")
    shown = f"{caught.value!r} {caught.value.what} {caught.value.hint}"
    assert "canary" not in shown
    assert number(1).hex() not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    of_the_driver = str(caught.value.__context__)  # suppressed above, and silent by itself
    assert "envelopes" in of_the_driver
    assert not {"canary", "p1"} & set(re.findall(r"\w+", of_the_driver))
    assert "doctor" in caught.value.hint
    assert (tmp_path / "intake.db").exists()


@pytest.mark.parametrize("what", ["no folder", "damaged"])
def test_a_store_that_cannot_be_used_is_a_sentence(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "data"
    if what == "damaged":
        folder.mkdir()
        (folder / "intake.db").write_bytes(b"no database at all" * 100)
    store = Rows(f"sqlite:///{folder / 'intake.db'}", folder)
    with pytest.raises(MachineTrouble):
        store.counts().total()


def test_posts_go_on_between_two_pages(made: Rows) -> None:
    for n in range(10):
        made.add([(number(n), SEALED)], "p1")
    first = made.page("p1", b"", 5)
    made.add([(number(99), SEALED)], "p1")
    rest = made.page("p1", first[-1][0], 100)
    assert len(first) + len(rest) in {10, 11}
    assert made.counts().total() == 11


def test_a_transaction_waits_for_maintenance(made: Rows, tmp_path: Path) -> None:
    lock = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    done = threading.Event()

    def add() -> None:
        made.add([(number(1), SEALED)], "p1")
        done.set()

    waiting = threading.Thread(target=add)
    waiting.start()
    assert not done.wait(0.3)
    os.close(lock)
    assert done.wait(30)
    waiting.join()


def test_processes_that_write_at_once_lose_nothing(made: Rows, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from intake.rows import Rows\n"
        "folder, start = Path(sys.argv[1]), int(sys.argv[2])\n"
        "store = Rows(f'sqlite:///{folder}/intake.db', folder)\n"
        "for n in range(start, start + 40):\n"
        "    store.add([(n.to_bytes(16, 'big'), b'x' * 30000)], 'p1')\n"
    )
    root = Path(module.__file__).parent.parent
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(start)], cwd=root)
        for start in (0, 20, 1000)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert made.counts().total() == 100


def test_a_new_file_put_in_place_is_used_at_once(made: Rows, tmp_path: Path) -> None:
    made.add([(number(1), SEALED)], "p1")
    with sqlite3.connect(tmp_path / "intake.db") as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "fresh"),))
    connection.close()
    (tmp_path / "fresh").rename(tmp_path / "intake.db")
    made.add([(number(2), SEALED)], "p1")
    assert made.counts().total() == 2


@pytest.mark.parametrize("name", ["what?mode=rw", "a%20b", "a b#c", "ဒေတာ"])
def test_the_store_lies_in_its_folder_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    """Else it would lie beside the folder that only its owner enters."""
    folder = tmp_path / name
    folder.mkdir()
    Rows(Settings(folder, folder).url, folder).create()
    assert (folder / "intake.db").is_file()
    assert list(tmp_path.iterdir()) == [folder]
