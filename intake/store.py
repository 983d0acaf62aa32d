"""The two tables, and nothing that says when.

Rules:
- Columns are an id, a period and sealed bytes. No time, counter or other column; on SQLite the
  tables have no rowid, so no order of arrival is written on purpose.
- A row is durable when :meth:`Store.add` returns: ``synchronous=FULL`` with a truncated journal,
  measured to survive a power cut at every point.
- Deleted rows are overwritten (``secure_delete``).
- Every transaction is short and has a connection of its own, under a shared lock on ``lock``, so
  that nightly maintenance can take the lock alone and put a fresh file in place. Whoever takes it
  alone for a moment knows that what began before has ended (:meth:`Store.settle`).
- The adding half cannot fail with a message that holds a row: parameters are hidden.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from intake.errors import MachineTrouble

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

    def add(self, rows: Pairs, period: str, still: Callable[[], bool] = lambda: True) -> bool:
        """Store pairs of id and sealed envelope durably, all or none; an id that is here stays.

        ``still`` is asked first, under the lock: if it says no, nothing is stored. Return its word.
        """
        statement = self._insert(envelopes).on_conflict_do_nothing()
        with self.transaction() as connection:
            if kept := still():
                for row, sealed in rows:
                    connection.execute(statement, {"id": row, "period": period, "sealed": sealed})
        return kept

    def settle(self) -> None:
        """Return when every transaction that began before has ended."""
        with self._held(fcntl.LOCK_EX):
            pass

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Run one transaction under the shared lock.

        Raises :class:`MachineTrouble`; then nothing of it is stored.
        """
        with self._held(fcntl.LOCK_SH), troubled(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _held(self, how: int) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with troubled():
                lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
                fcntl.flock(stack.enter_context(os.fdopen(lock)), how)
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
