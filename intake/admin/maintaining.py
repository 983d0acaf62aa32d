"""Nightly maintenance: a fresh file for the store, in which nothing lies in the order it came.

SQLite fills a file in the order of arrival, and counts its changes. The fresh one is filled in the
order of the rows' ids, which are random, in one change (``fresh``). Posts go on meanwhile.

Procedure of :func:`maintain`, under a lock of its own, so that it never runs twice at once, and not
while acknowledge deletes: what it says is gone must not lie in a half of a second file.
1. Remove what a killed run left behind, and halves of other files that are older than a day: no
   command takes a tenth of that to write one.
2. Refuse if there is no room for a second file, and a little more for what sources send meanwhile.
3. Have the store note the rows that come, change or go from now on.
4. Copy every row, a page at a time, into the new file; read all of that again, and compare.
5. Bring over what was noted, until little is left.
6. Take the store's lock alone: who posts waits. Take SQLite's own lock as well, for a program that
   knows nothing of ours. That also undoes what a killed process has left half done.
7. Bring over the last of what was noted, end the new file's one transaction, and sync it.
8. Remove the journal, which SQLite has used or found to be void when it gave its lock, and make
   that durable. Dangerous line: beside another file than its own it would be rolled into that.
9. Rename the new file over the old one, and make that durable.
10. Write down the day, and no time, for ``status``.

From (6) to (9) nothing is read but what was noted since (5), so posts wait as long for a large
store as for a small one. Rows that came between (3) and (9) may lie behind the others, in pages in
the order of their ids: as if they had come after it. The next night they lie like all.

What a crash leaves: before (9) the old file, with notes in it that the next run removes, and half a
new one which nothing reads and (1) removes; from (9) on the new file.

PostgreSQL arranges its files by itself, and nothing here reaches them.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import make_url

from intake import days, files
from intake.admin import chain, fresh
from intake.errors import MachineTrouble, Misuse
from intake.rows import Rows
from intake.settings import Settings
from intake.store import troubled

MAINTAINED = "maintained"  # the day of the last run
_DAY = 86_400  # seconds


def maintain(settings: Settings) -> bool:
    """Put a fresh file in the place of the store's; return False if it is none of SQLite's.

    Raises :class:`MachineTrouble`, :class:`Misuse`.
    """
    with chain.alone(settings, *chain.MAINTAINING), files.troubled(settings.data):
        url = make_url(settings.url)
        path = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        _tidy(settings.data)
        if path:
            with troubled():
                _renew(settings, path)
        files.write(settings.data / MAINTAINED, days.clock().isoformat().encode())  # (10)
    return path is not None


def _tidy(folder: Path) -> None:
    for left in folder.glob(".*.partial"):  # (1)
        with contextlib.suppress(FileNotFoundError):  # it was young, and has its name now
            if time.time() - left.stat().st_mtime > _DAY:
                left.unlink()


def _renew(settings: Settings, old: Path) -> None:
    if not old.is_file():
        raise Misuse("There is no store.", "Make it with: python -m intake.admin init")
    for left in old.parent.glob(f".{old.name}.*"):  # (1)
        left.unlink()
    store, facts = Rows(settings.url, settings.data), old.stat()
    if (left_over := store.left() - settings.kept.maintenance) < 0:  # (2)
        what = f"There is no room for a second file: {-(left_over >> 20)} MiB more must be free."
        raise MachineTrouble(what, "Nothing was changed. Make room, then run it again.")
    new = old.with_name(f".{old.name}.{secrets.token_hex(4)}.partial")
    journal = old.with_name(f"{old.name}-journal")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_removed(new))
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, files.PRIVATE)
        stack.callback(os.close, descriptor)
        if os.geteuid() == 0:  # who started this by hand; the unit's process may not ask
            os.fchown(descriptor, facts.st_uid, facts.st_gid)
        stack.enter_context(fresh.noting(store))  # (3)
        sync = partial(os.fsync, descriptor)
        second = stack.enter_context(fresh.Fresh.within(new, sync))
        second.fill(store)  # (4)
        second.follow(store)  # (5)
        # While this is open the old file's room is not given back, which takes long under a lock.
        stack.callback(os.close, os.open(old, os.O_RDONLY))
        with store.alone() as connection:  # (6)
            connection.exec_driver_sql("PRAGMA locking_mode=EXCLUSIVE")
            for statement in ("BEGIN EXCLUSIVE", "COMMIT"):  # the lock outlives them
                connection.exec_driver_sql(statement)
            second.end(connection)  # (7)
            journal.unlink(missing_ok=True)  # (8)
            files.sync_folder(old.parent)
            new.rename(old)  # (9)
            files.sync_folder(old.parent)


@contextlib.contextmanager
def _removed(path: Path) -> Iterator[None]:
    """Run a block that makes a file and gives it another name, and leave nothing if it fails."""
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
