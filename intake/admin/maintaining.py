"""Nightly maintenance: a fresh file for the store, in which nothing lies in the order it came.

SQLite fills a file in the order of arrival, and counts its changes. A file that ``VACUUM INTO`` has
written holds the rows in the order of their ids, which are random, and has counted one change.

Procedure of :func:`maintain`, under a lock of its own, so that it never runs twice at once:
1. Remove what a killed run left behind, and halves of other files that are older than a day: no
   command takes a tenth of that to write one.
2. Take the store's lock alone: who posts waits, an export goes on after the page that it reads.
   Take SQLite's own lock as well, for a program that knows nothing of ours. That also undoes what
   a killed process has left half done.
3. Refuse if there is no room for a second file, and a little more for what sources send meanwhile.
4. Write the new file, sync it, and compare it with the old one, row for row and byte for byte.
5. Remove the journal, which SQLite has used or found to be void when it gave its lock, and make
   that durable. Dangerous line: beside another file than its own it would be rolled into that.
6. Rename the new file over the old one, and make that durable.
7. Write down the day, and no time, for ``status``.

What a crash leaves: before (6) the old file, and half a new one which nothing reads and (1) removes
the next time; from (6) on the new file.

How long posts wait is said in docs/adr/0007-store.md. PostgreSQL arranges its files by itself, and
nothing here reaches them.
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, make_url, text

from intake import days, files
from intake.admin import chain
from intake.errors import MachineTrouble, Misuse
from intake.rows import Rows
from intake.settings import Settings
from intake.store import metadata

MAINTAINED = "maintained"  # the day of the last run
SPARE = 1 << 26  # bytes that must stay free beside the second file
_DAY = 86_400  # seconds


def maintain(settings: Settings) -> bool:
    """Put a fresh file in the place of the store's; return False if it is none of SQLite's.

    Raises :class:`MachineTrouble`, :class:`Misuse`.
    """
    with chain.alone(settings, "maintaining", "maintenance"), files.troubled(settings.data):
        url = make_url(settings.url)
        path = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        _tidy(settings.data)
        if path:
            _renew(Rows(settings.url, settings.data), path)
        files.write(settings.data / MAINTAINED, days.clock().isoformat().encode())  # (7)
    return path is not None


def _tidy(folder: Path) -> None:
    for left in folder.glob(".*.partial"):  # (1)
        with contextlib.suppress(FileNotFoundError):  # it was young, and has its name now
            if time.time() - left.stat().st_mtime > _DAY:
                left.unlink()


def _renew(store: Rows, old: Path) -> None:
    if not old.is_file():
        raise Misuse("There is no store.", "Make it with: python -m intake.admin init")
    for left in old.parent.glob(f".{old.name}.*"):  # (1)
        left.unlink()
    new = old.with_name(f".{old.name}.{secrets.token_hex(4)}.partial")
    journal = old.with_name(f"{old.name}-journal")
    with store.alone() as connection, _removed(new):  # (2)
        connection.execute(text("PRAGMA locking_mode=EXCLUSIVE"))
        for statement in ("BEGIN EXCLUSIVE", "COMMIT"):  # the lock outlives them
            connection.execute(text(statement))
        facts = old.stat()
        if shutil.disk_usage(old.parent).free < (need := facts.st_size + SPARE):  # (3)
            what = f"There is no room for a second file: {-(-need >> 30)} GiB must be free."
            raise MachineTrouble(what, "Nothing was changed. Make room, then run it again.")
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, files.PRIVATE)
        try:
            if os.geteuid() == 0:  # who started this by hand; the unit's process may not ask
                os.fchown(descriptor, facts.st_uid, facts.st_gid)
            connection.execute(text("VACUUM INTO :new"), {"new": str(new)})  # (4)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _compare(connection, new)
        journal.unlink(missing_ok=True)  # (5)
        files.sync_folder(old.parent)
        new.rename(old)  # (6)
        files.sync_folder(old.parent)


def _compare(connection: Connection, new: Path) -> None:
    connection.execute(text("ATTACH :new AS fresh"), {"new": str(new)})
    for name, table in metadata.tables.items():
        columns = ", ".join(table.columns.keys())
        queries = [f"{name}", f"fresh.{name}", f"{name} JOIN fresh.{name} USING ({columns})"]
        counts = {
            connection.execute(text(f"SELECT count(*) FROM {query}")).scalar_one()  # noqa: S608
            for query in queries
        }
        made = connection.execute(
            text("SELECT sql FROM fresh.sqlite_master WHERE name = :name"), {"name": name}
        ).scalar_one()
        if len(counts) != 1 or "WITHOUT ROWID" not in made:
            what = "The new file is not as the old one, which stays."
            hint = "The disk may be failing. Export, then run: python -m intake.admin doctor"
            raise MachineTrouble(what, hint)


@contextlib.contextmanager
def _removed(path: Path) -> Iterator[None]:
    """Run a block that makes a file and gives it another name, and leave nothing if it fails."""
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
