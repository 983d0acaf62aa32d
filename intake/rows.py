"""The store as the admin sees it: count, carry away and delete envelopes.

Rules:
- Nothing reads many rows in one transaction: an open cursor would block the letterbox (measured).
- The site never imports this module; it can add a row, and nothing else.
"""

import contextlib
import fcntl
from collections import Counter
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, delete, func, select

from intake.store import Store, envelopes, troubled


class Rows(Store):
    """The envelopes behind a database URL."""

    def counts(self) -> Counter[str]:
        """Return how many envelopes each period has that has any, in order of their names."""
        period = envelopes.c.period
        statement = select(period, func.count()).group_by(period).order_by(period)
        with self.transaction() as connection:
            return Counter(dict(connection.execute(statement).all()))

    def page(self, period: str, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Return up to ``limit`` pairs of id and envelope, in order of id, beyond ``after``."""
        statement = (
            select(envelopes.c.id, envelopes.c.sealed)
            .where(envelopes.c.period == period, envelopes.c.id > after)
            .order_by(envelopes.c.id)
            .limit(limit)
        )
        with self.transaction() as connection:
            return [(bytes(row.id), bytes(row.sealed)) for row in connection.execute(statement)]

    def get(self, row: bytes) -> bytes | None:
        """Return one envelope, or None."""
        statement = select(envelopes.c.sealed).where(envelopes.c.id == row)
        with self.transaction() as connection:
            sealed = connection.execute(statement).scalar_one_or_none()
        return None if sealed is None else bytes(sealed)

    def remove(self, rows: Iterable[bytes]) -> int:
        """Delete these envelopes in one transaction; return how many were there."""
        with self.transaction() as connection:
            return sum(
                connection.execute(delete(envelopes).where(envelopes.c.id == row)).rowcount
                for row in rows
            )

    @contextlib.contextmanager
    def alone(self) -> Iterator[Connection]:
        """Connect outside of any transaction, while every other transaction waits.

        Raises :class:`MachineTrouble`.
        """
        with self._held(fcntl.LOCK_EX), troubled(), self._engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")
