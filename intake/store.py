"""The two tables, and nothing that says when.

Rules:
- Columns are an id, a period and sealed bytes. No time, counter or other column; on SQLite the
  tables have no rowid, so no order of arrival is written on purpose.
- A row is durable when :meth:`Store.add` returns: ``synchronous=FULL`` with a truncated journal,
  measured to survive a power cut at every point.
- Deleted rows are overwritten (``secure_delete``).
- Every transaction is short and has a connection of its own, under a shared lock on ``lock``, so
  that nightly maintenance can take the lock alone and put a fresh file in place. Whoever takes it
  alone for a moment knows that what began before has ended (:meth:`Store.settle`). Who waits for
  that holds the folder's own lock, so that it does not wait for ever in a flood: never begin a
  transaction within another.
- What is free counts less the second file that maintenance writes at night, and of that what it
  has written already. So nothing that is stored makes maintenance fail.
- The adding half cannot fail with a message that holds a row: parameters are hidden.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from intake.errors import MachineTrouble, NoRoom

# Wait half a minute for another writer; the other three are measured, see the rules above.
_PRAGMAS = ("busy_timeout=30000", "journal_mode=TRUNCATE", "synchronous=FULL", "secure_delete=ON")

Pairs = Iterable[tuple[bytes, bytes]]  # id, and sealed envelope
metadata = sa.MetaData()
envelopes = sa.Table(
    "envelopes",
    metadata,
    sa.Column("id", sa.LargeBinary(16), primary_key=True),
    sa.Column("period", sa.String(32), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
replies = sa.Table(
    "replies",
    metadata,
    sa.Column("mailbox", sa.LargeBinary(16), primary_key=True),
    sa.Column("id", sa.LargeBinary(16), primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)


class Store:
    """The tables behind a database URL; ``folder`` holds the lock."""

    def __init__(self, url: str, folder: Path) -> None:
        """Prepare, without touching the disk."""
        self._folder = folder
        self._lock = folder / "lock"
        self._engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
        self._insert: Any = postgresql.insert
        if self._engine.dialect.name == "sqlite":
            self._insert = sqlite.insert
            sa.event.listen(self._engine, "connect", _set_pragmas)

    def create(self) -> None:
        """Make the tables if they are not there."""
        with self.transaction() as connection:
            metadata.create_all(connection)

    def add(
        self, rows: Pairs, period: str, still: Callable[[], bool] = lambda: True, kept: int = 0
    ) -> bool:
        """Store pairs of id and sealed envelope durably, all or none; an id that is here stays.

        ``still`` is asked first, under the lock: if it says no, nothing is stored. Return its word.
        ``kept`` is how many bytes stay free: raises :class:`NoRoom`, :class:`MachineTrouble`.
        """
        statement = self._insert(envelopes).on_conflict_do_nothing()
        with self.transaction() as connection:
            if stored := still():
                for row, sealed in rows:
                    self.check_room(kept)
                    connection.execute(statement, {"id": row, "period": period, "sealed": sealed})
        return stored

    def check_room(self, kept: int) -> None:
        """Raise :class:`NoRoom` unless more than ``kept`` bytes are left; 0 is for no cap."""
        if kept and self.left() <= kept:
            raise NoRoom("There is no room for this in the store.", "python -m intake.admin status")

    def left(self) -> int:
        """Return how many bytes stay free beside a second file of the store; less than 0: none."""
        file = self._engine.url.database if self._engine.dialect.name == "sqlite" else None
        free: int = shutil.disk_usage(self._folder).free
        if not file:
            return free
        path = Path(file)
        free = min(free, shutil.disk_usage(path.parent).free) - path.stat().st_size
        for half in path.parent.glob(f".{path.name}.*"):  # this, too, is the second file's room
            with contextlib.suppress(FileNotFoundError):
                free += half.stat().st_blocks * 512
        return free

    def settle(self) -> None:
        """Return when every transaction that began before has ended."""
        with self._held(fcntl.LOCK_EX):
            pass

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Run one transaction under the shared lock.

        Raises :class:`MachineTrouble`; then nothing of it is stored, but if its last sync failed:
        then SQLite cannot take it back, and nobody knows.
        """
        with self._held(fcntl.LOCK_SH), troubled(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _held(self, how: int) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with troubled():
                file = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
                lock = stack.enter_context(os.fdopen(file))
                door = os.open(self._folder, os.O_RDONLY)
                try:
                    fcntl.flock(door, how)  # nobody comes in before who waits to be alone
                    fcntl.flock(lock, how)
                finally:
                    os.close(door)
            # Dangerous line: what fails after it may be stored, and nobody may say that it is not.
            yield


@contextlib.contextmanager
def troubled() -> Iterator[None]:
    """Run a block that uses the store: what it fails of is :class:`MachineTrouble`."""
    try:
        yield
    except (SQLAlchemyError, OSError):
        # The cause is not passed on: a driver's message could hold what was to be stored.
        raise MachineTrouble(
            "The store cannot be used: the disk is full, or the file is locked or damaged.",
            "Check free space and permissions, and run: python -m intake.admin doctor",
        ) from None


def _set_pragmas(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own type
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()
