"""What a return does: exactly the rows that two reviewers signed for go, and their replies come.

Procedure of :func:`acknowledge`, under both locks of ``chain``:
1. Open the return under the installed keyring: two active reviewers signed it.
2. The same return again is already done. An older number than the last is refused, and so is one
   that was made under a later keyring than the installed one.
3. Wait for an export that was not finished: it must find its rows.
4. For 256 rows at a time: a row whose id *and* SHA-256 match is deleted. One with the same id and
   other bytes stays and is counted, because the desk has not seen these bytes.
5. For 256 replies at a time: each that is whole gets its place in its mailbox. A place that is
   taken stays as it is, be it by the same reply or by what its source put there to delete it.
6. Save number and hash.

What a crash leaves: before (6), some rows deleted and some replies put, each of which was signed
for. The same command again does the rest and counts those as already gone.
"""

import hashlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from intake import installed, reply
from intake.admin import chain
from intake.bundle import Entry, ReturnHeader
from intake.bundle.reading import open_return
from intake.errors import BadFile, BadKeyring, Misuse
from intake.keyring import Keyring
from intake.replies import Replies
from intake.rows import Rows
from intake.settings import Settings

_BATCH = 256  # rows or replies of one transaction

GAP = 1000  # how many numbers may be left out, so that two who collude cannot use them all up


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What became of the rows of one return; ``again`` if it was done before.

    ``closed`` counts bundles that say that a period is empty: there is no row of theirs. ``spoilt``
    replies were cut or altered on their way.
    """

    number: int
    deleted: int = 0
    gone: int = 0
    different: int = 0
    closed: int = 0
    replies: int = 0
    spoilt: int = 0
    again: bool = False


def acknowledge(settings: Settings, path: Path, watch: chain.Watch) -> Acknowledged:
    """Delete the rows that the return at ``path`` signs for, and put its replies.

    Raises :class:`BadFile`, :class:`BadKeyring`, :class:`Misuse`, :class:`MachineTrouble`.
    """
    keyring = installed.load(settings)
    others = chain.alone(settings), chain.alone(settings, *chain.MAINTAINING)
    with others[0], others[1], open_return(path, keyring) as opened:  # (1)
        header = opened.header
        before = chain.last(settings, chain.RETURNS)
        mark = chain.Mark(header.number, header.sha256)
        if mark == before:  # (2)
            return Acknowledged(header.number, again=True)
        _check(header, before, keyring)
        if (settings.data / chain.PENDING).exists():  # (3)
            what = "An export was not finished, and it still needs its rows."
            raise Misuse(what, "Finish it first: python -m intake.admin export FOLDER")
        store = Rows(settings.url, settings.data)
        rows = [entry for entry in opened.acknowledged if not entry.closing]
        entries = watch("Deleting", rows)
        deleted = gone = different = 0
        while batch := list(islice(entries, _BATCH)):  # (4)
            found = [(entry, store.get(entry.id)) for entry in batch]
            matching = [entry.id for entry, sealed in found if _is(entry, sealed)]
            gone += sum(sealed is None for _, sealed in found)
            different += sum(sealed is not None for _, sealed in found) - len(matching)
            deleted += store.remove(matching)
        boxes, spoilt = Replies(settings.url, settings.data), header.replies
        pieces = watch("Putting replies", opened, header.replies)
        whole = ((e.mailbox, e.id, sealed) for e, sealed, _ in pieces if sealed)
        while some := list(islice(whole, _BATCH)):  # (5)
            boxes.put(some)
            spoilt -= len(some)
        chain.save(settings, chain.RETURNS, mark)  # (6)
        closed, put = len(opened.acknowledged) - len(rows), header.replies - spoilt
        return Acknowledged(header.number, deleted, gone, different, closed, put, spoilt)


def _is(entry: Entry, sealed: bytes | None) -> bool:
    return sealed is not None and hashlib.sha256(sealed).digest() == entry.sha256


def _check(header: ReturnHeader, before: chain.Mark, keyring: Keyring) -> None:
    if not before.number < header.number <= before.number + GAP:
        place = "older than" if header.number <= before.number else "far ahead of"
        what = f"Return {header.number} is {place} return {before.number}, the last one done."
        hint = (
            "Nothing was deleted. Export again; the desk imports it, then: desk acknowledge --after"
        )
        raise BadFile(what, f"{hint} {before.number}")
    if header.replies and header.size != reply.SEALED:
        what = "The replies of this return have another size than replies have."
        raise BadFile(what, "Another version of Intake made it. Update the desk and this server.")
    version, sha256 = header.keyring
    if version > keyring.version or (version == keyring.version and sha256 != keyring.sha256):
        what = f"The desk made this return under another keyring {version} than this server has."
        hint = "Install the desk's keyring first: python -m intake.admin keyring install FILE"
        raise BadKeyring(what, hint)
