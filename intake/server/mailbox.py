"""The one place on the server that opens anything: the replies that wait for one receipt.

The key that opens them is made from the receipt that its source just typed, and is kept nowhere. It
opens what the desk sealed to this one mailbox, and nothing that a source ever sent.

Procedure of :func:`visit`, slow on purpose (``reply.mailbox``):
1. From the receipt, mailbox id and identity.
2. Delete the reply that the source does not want to be found: other bytes take its place.
3. Open what waits. What does not open, or is no reply, is passed over: it was deleted, or is a
   decoy, and the source need not know.

Rule: a receipt that nobody ever had, one without replies and one whose replies are all deleted take
the same steps and give the same nothing.
"""

import contextlib
import json
from datetime import date
from typing import Any, NamedTuple

from intake import receipt, reply
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.days import day
from intake.errors import BadFile, BadRequest, NoMatchingKey
from intake.replies import Replies
from intake.reply import Reply


class Waiting(NamedTuple):
    """A reply that waits, and its 16-byte id."""

    reply: Reply
    id: bytes


def visit(store: Replies, deployment: bytes, digits: str, drop: bytes = b"") -> list[Waiting]:
    """Return what waits for a receipt, oldest first, without the one with the id ``drop``.

    Raises :class:`MachineTrouble`.
    """
    box = reply.mailbox(deployment, receipt.reply_secret(deployment, digits))  # (1)
    identity = Identity.from_seed(box.seed)
    if drop:
        blank = reply.seal(Reply(reply.NOTICE, date.min), Identity.generate().recipient())
        store.overwrite(box.id, drop, blank)  # (2)
    found = []
    for name, sealed in store.waiting(box.id):
        with contextlib.suppress(NoMatchingKey, BadFile):
            found.append(Waiting(parse(unseal(sealed, [identity])), name))  # (3)
    return sorted(found, key=lambda one: (one.reply.day, one.reply.number, one.id))


def parse(plaintext: bytes) -> Reply:
    """Return the reply in exactly 4,096 bytes. Raises :class:`BadFile` for any other spelling."""
    with contextlib.suppress(BadRequest, ValueError, TypeError, LookupError, RecursionError):
        raw: Any = json.loads(plaintext.partition(b"\n")[0])
        found = Reply(raw["kind"], day(raw["day"]), raw["number"], raw["text"])
        known = found.kind in reply.KINDS and type(found.number) is int and found.number >= 0
        known &= isinstance(raw["text"], str) and bool(found.text) == (found.kind == reply.REPLY)
        if known and found.plaintext() == plaintext:
            return found
    raise BadFile("A sealed reply opens, and is none.", "Ask the desk to answer again.")
