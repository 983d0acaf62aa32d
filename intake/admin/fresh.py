"""The second file of the store, written while rows come to the first.

SQLite fills a file in the order in which rows come. Here they come in the order of their ids, which
are random. Whatever came, changed or went meanwhile is written down by triggers in the first file,
each in the transaction that it belongs to; that list is a part of the first file, and goes with it.

Rules:
- Nothing reads more than a page of the first file in one transaction, and nothing is written while
  a transaction of it is open, but what came meanwhile. Every page is synced: a post waits for no
  more of our writing than that, however large the store is.
- The second file is one transaction, so its count of changes is one, and no journal is kept of it:
  until it has its name, it is nothing.
- Memory holds a page of rows and a page of changes.
"""

# ruff: noqa: S608 - every name in a statement is one of our own tables or columns

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, create_engine

from intake.errors import MachineTrouble
from intake.rows import Rows
from intake.store import metadata

PAGE = 64  # rows, of 34 KB
_KEYS = {name: table.primary_key.columns.keys() for name, table in metadata.tables.items()}
_EVENTS = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}
_PRAGMAS = ("journal_mode=OFF", "synchronous=OFF", "secure_delete=ON", "locking_mode=EXCLUSIVE")

Row = tuple[Any, ...]


@contextlib.contextmanager
def noting(store: Rows) -> Iterator[None]:
    """Have the store note what comes, changes and goes; only if the block fails, until its end."""
    _write(store, [*_forget(), *_note()])
    try:
        yield
    except BaseException:
        with contextlib.suppress(MachineTrouble):  # a full disk: the next maintenance does it
            _write(store, _forget())
        raise


def _note() -> Iterator[str]:
    for name, keys in _KEYS.items():
        columns = ", ".join(keys)
        yield f"CREATE TABLE {name}_noted ({columns}, PRIMARY KEY ({columns})) WITHOUT ROWID"
        for event, sides in _EVENTS.items():
            each = (", ".join(f"{side}.{key}" for key in keys) for side in sides)
            notes = "".join(f"INSERT OR IGNORE INTO {name}_noted VALUES ({one}); " for one in each)
            yield f"CREATE TRIGGER {name}_{event} AFTER {event} ON {name} BEGIN {notes}END"


def _forget() -> Iterator[str]:
    for name in _KEYS:
        yield from (f"DROP TRIGGER IF EXISTS {name}_{event}" for event in _EVENTS)
        yield f"DROP TABLE IF EXISTS {name}_noted"


def _write(store: Rows, statements: Iterable[str]) -> None:
    with store.alone() as connection:
        for statement in ("BEGIN", *statements, "COMMIT"):
            connection.exec_driver_sql(statement)


class Fresh:
    """The second file at a path where an empty one is, open; ``sync`` makes its bytes durable."""

    def __init__(self, connection: Connection, sync: Callable[[], None]) -> None:
        """Begin; :meth:`within` does."""
        self._connection = connection
        self._sync = sync

    @classmethod
    @contextlib.contextmanager
    def within(cls, path: Path, sync: Callable[[], None]) -> Iterator["Fresh"]:
        """Have the file at ``path`` open, in one transaction that :meth:`end` ends."""
        engine = create_engine(
            URL.create("sqlite", database=str(path)), poolclass=NullPool, hide_parameters=True
        )
        with engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            for pragma in _PRAGMAS:
                connection.exec_driver_sql(f"PRAGMA {pragma}")
            connection.exec_driver_sql("BEGIN")
            yield cls(connection, sync)

    def fill(self, store: Rows) -> None:
        """Make the tables as the store has them, and copy every row, in the order of keys.

        Raises :class:`MachineTrouble` if a table numbers its rows, or is none of ours, and if what
        was written is not what was read.
        """
        with store.alone() as connection:
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE ?"
            found = _rows(connection, query, ("sqlite%",))
        made = {name: sql for name, sql in found if not name.endswith("_noted")}
        if made.keys() != _KEYS.keys() or not all("WITHOUT ROWID" in sql for sql in made.values()):
            what = "The tables of the store are not as they were made. They stay as they are."
            raise MachineTrouble(what, "Run: python -m intake.admin doctor")
        for name in _KEYS:
            self._connection.exec_driver_sql(made[name])
            read, written = hashlib.sha256(), hashlib.sha256()
            for rows in _pages(name, store.alone):
                self._insert(name, rows)
                self._sync()
                _add(read, rows)
            for rows in _pages(name, self._open):
                _add(written, rows)
            if read.digest() != written.digest():
                self._differs()

    def follow(self, store: Rows) -> None:
        """Bring over what was noted, a page at a time, until little is left."""
        full = True
        while full:
            full = False
            for name, columns in _KEYS.items():
                forget = f"DELETE FROM {name}_noted WHERE {_equal(columns)}"
                with store.alone() as connection:
                    keys = _page(connection, f"{name}_noted", ())
                    self._bring(connection, name, keys)
                    connection.exec_driver_sql("BEGIN")
                    for key in keys:
                        connection.exec_driver_sql(forget, key)
                    connection.exec_driver_sql("COMMIT")
                full |= len(keys) == PAGE
                self._sync()

    def end(self, connection: Connection) -> None:
        """Bring over the last of what was noted, from the store that is held alone, and end."""
        for name in _KEYS:
            for keys in _pages(f"{name}_noted", lambda: contextlib.nullcontext(connection)):
                self._bring(connection, name, keys)
        self._connection.exec_driver_sql("COMMIT")
        self._connection.close()  # with the lock on it: else who posts would wait for that
        self._sync()

    def _bring(self, connection: Connection, name: str, keys: list[Row]) -> None:
        """Make the rows with these keys what they are in the store: new, other or gone."""
        where = _equal(_KEYS[name])
        query, drop = f"SELECT * FROM {name} WHERE {where}", f"DELETE FROM {name} WHERE {where}"
        for key in keys:
            there, here = (_rows(each, query, key) for each in (connection, self._connection))
            if there != here:
                self._connection.exec_driver_sql(drop, key)
                self._insert(name, there)
                if _rows(self._connection, query, key) != there:
                    self._differs()

    def _open(self) -> contextlib.AbstractContextManager[Connection]:
        return contextlib.nullcontext(self._connection)

    def _insert(self, name: str, rows: list[Row]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({marks})", rows)

    def _differs(self) -> None:
        what = "The new file is not as the old one, which stays."
        hint = "The disk may be failing. Export, then run: python -m intake.admin doctor"
        raise MachineTrouble(what, hint)


def _pages(
    name: str, begin: Callable[[], contextlib.AbstractContextManager[Connection]]
) -> Iterator[list[Row]]:
    """Yield the rows of a table in the order of their keys, each page from one ``begin``."""
    after: Row = ()
    while True:
        with begin() as connection:
            rows = _page(connection, name, after)
        if rows:
            yield rows
            after = rows[-1][: len(_keys(name))]
        if len(rows) < PAGE:
            return


def _page(connection: Connection, name: str, after: Row) -> list[Row]:
    """Return the next rows after a key, whatever type it has: so none is passed over."""
    keys = ", ".join(_keys(name))
    beyond = f"WHERE ({keys}) > ({', '.join('?' * len(after))})" if after else ""
    return _rows(connection, f"SELECT * FROM {name} {beyond} ORDER BY {keys} LIMIT {PAGE}", after)


def _keys(name: str) -> list[str]:
    return _KEYS[name.removesuffix("_noted")]


def _equal(keys: list[str]) -> str:
    return " AND ".join(f"{key} = ?" for key in keys)


def _rows(connection: Connection, query: str, values: Row) -> list[Row]:
    return [tuple(row) for row in connection.exec_driver_sql(query, values)]


def _add(digest: "hashlib._Hash", rows: list[Row]) -> None:
    for value in (value for row in rows for value in row):
        data = value if isinstance(value, bytes) else repr(value).encode()
        digest.update(f"{type(value).__name__} {len(data)} ".encode())
        digest.update(data)
