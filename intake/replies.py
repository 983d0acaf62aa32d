"""The replies that wait on the server, each in the mailbox of one receipt.

Rules:
- A mailbox and an id are 16 bytes that look random. What links a mailbox to an envelope is inside
  seals, and nowhere here.
- Once a mailbox has an id, nothing else is put under it. A reply that its source deleted is
  overwritten by one that nobody can open, and is of the same size: no return brings it back, and
  whoever takes the disk cannot tell it from one that waits.
"""

from collections.abc import Iterable

from sqlalchemy import select, update

from intake.store import Store, replies


class Replies(Store):
    """The replies behind a database URL."""

    def put(self, found: Iterable[tuple[bytes, bytes, bytes]]) -> None:
        """Put mailbox, id and sealed reply, each; one whose place is taken changes nothing."""
        statement = self._insert(replies).on_conflict_do_nothing()
        with self.transaction() as connection:
            for mailbox, reply, sealed in found:
                values = {"mailbox": mailbox, "id": reply, "sealed": sealed}
                connection.execute(statement, values)

    def waiting(self, mailbox: bytes) -> list[tuple[bytes, bytes]]:
        """Return the pairs of id and sealed reply in a mailbox, in no order that means anything."""
        statement = select(replies.c.id, replies.c.sealed).where(replies.c.mailbox == mailbox)
        with self.transaction() as connection:
            return [(bytes(row.id), bytes(row.sealed)) for row in connection.execute(statement)]

    def overwrite(self, mailbox: bytes, reply: bytes, sealed: bytes) -> None:
        """Put other bytes in the place of a reply, durably; nothing if it is not there."""
        place = (replies.c.mailbox == mailbox) & (replies.c.id == reply)
        with self.transaction() as connection:
            connection.execute(update(replies).where(place).values(sealed=sealed))
