"""Open cases are sealed again: to the keys of a new quarter, or to other reviewers.

Procedure of :func:`run`, for one reviewer:
1. Events for everyone that are sealed to keys of an earlier quarter are carried over: what was
   imported, acknowledged and erased must be known when those keys are gone.
2. Each open case of the reviewer's whose words lie under an earlier quarter's keys, or one of whose
   reviewers was removed, or that was given to others, is sealed again; its decisions are carried.
3. Where another reviewer did so, look: if the words are the same, say so. Two have said it then,
   and the old words are emptied, at every desk.

Rules:
- The words are the same, or the old ones stay: what one planted reviewer sealed again is not what
  its row's id names, or not what the other one reads.
- Blobs first, then events, under a note (``record.noted``): it can be stopped anywhere.
- A case that is closed is not sealed again. When the quarter's keys are destroyed, only the archive
  opens it. That is the point.
"""

import os
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intake import files
from intake.age.identity import Identity
from intake.age.recipient import Recipient
from intake.desk import record
from intake.desk.casebook import Casebook, quarter_of
from intake.desk.cases import OPEN, Case, Received
from intake.desk.chain import Chain, Event, carried_by
from intake.desk.opened import WORDS
from intake.desk.present import Present
from intake.desk.reading import open_words
from intake.desk.record import Draft, Pen
from intake.desk.state import State, fold
from intake.errors import Misuse, Refused

ROWS = 16  # envelopes, or carried events, in one event
BATCH = 64  # rows between two writes of the chain
COMMON = frozenset({"acknowledged", "erased", "import", "part"})  # kinds that are for everyone
Watch = Callable[[Iterable[Case], int], Iterable[Case]]
Given = Mapping[bytes, tuple[str, ...]]


@dataclass(slots=True)
class Result:
    """How many cases were sealed again, seen to be the same, wait for another; what was emptied."""

    sealed: int = 0
    agreed: int = 0
    waiting: int = 0
    emptied: int = 0
    faults: int = 0


def run(
    book: Casebook, who: Present, given: Given | None = None, watch: Watch = lambda c, _: c
) -> Result:
    """Seal again what must be. ``given`` has, by tag, the new reviewers of cases.

    Raises any :class:`Refused`; what was done is done then, and running it again goes on.
    """
    with book.locked():
        identities = who.quarters()
        chains = book.chains(identities)
        record.tidy(book.folder, chains)
        pen, state = book.pen(who, chains), fold(chains)
        work = _Work(book, who, identities, pen, state)
        work.carry_common(chains)  # (1)
        mine = [case for case in state.cases.values() if who.name in case.people]
        for case in watch(mine, len(mine)):
            work.renew(case, (given or {}).get(case.tag))  # (2)
            work.agree(case)  # (3)
            work.flush(BATCH)
        work.flush()
        state = fold(book.chains(identities))
        work.result.emptied = record.erase(book.folder, state.erased())
        work.result.waiting = len(waiting(state, who.name, quarter_of(pen.day)))
    return work.result


def waiting(state: State, name: str, quarter: str) -> list[Case]:
    """Return the reviewer's open cases that still need keys of before ``quarter``."""
    return [
        case
        for case in state.cases.values()
        if name in case.assigned and case.state in OPEN and not case.hidden
        if any(quarter_of(item.event.day) < quarter for item in case.received)
    ]


def forget(book: Casebook, who: Present, quarter: str) -> int:
    """Destroy the key that opens a quarter's cases; return how many closed cases go with it.

    Raises :class:`Misuse` while an open case, or an event for everyone, needs it.
    """
    path = who.folder / f"{quarter}.age"
    if not path.is_file():
        raise Misuse(f"{path} is not there.", "Name a quarter whose key is in the folder.")
    keys = who.quarters()
    with book.locked():
        chains = book.chains(keys)
        state, now = fold(chains), quarter_of(book.pen(who, chains).day)
        if quarter >= now:
            raise Misuse(f"{quarter} is not over.", "Wait for the next quarter.")
        left = waiting(state, who.name, now)
        if left or uncarried(chains, now):
            raise Misuse(
                f"{len(left)} open cases, or the log itself, still need the key of {quarter}.",
                "Run reseal, copy to the others, let each of them run it too, then merge theirs.",
            )
        closed = [case for case in state.cases.values() if who.name in case.people]
        gone = sum(all(quarter_of(i.event.day) <= quarter for i in c.received) for c in closed)
        with files.troubled(path):
            with path.open("r+b", buffering=0) as file:
                file.write(secrets.token_bytes(path.stat().st_size))
                os.fsync(file.fileno())
            path.unlink()
            files.sync_folder(path.parent)
    return gone


class _Work:
    """One run under way, and what waits for the next flush."""

    def __init__(
        self, book: Casebook, who: Present, identities: Sequence[Identity], pen: Pen, state: State
    ) -> None:
        self._book, self._name, self._identities = book, who.name, identities
        self._pen, self._state, self._now = pen, state, quarter_of(pen.day)
        self._active = {reviewer.name for reviewer in book.keyring.active}
        self._claims: dict[bytes, dict[tuple[bytes, bytes], set[str]]] = defaultdict(dict)
        for (row, old, new), authors in state.erasures.items():
            if new is not None:
                self._claims[row][old, new] = authors
        self._sealed: dict[tuple[str, ...], list[tuple[bytes, dict[str, Any]]]] = defaultdict(list)
        self._events: dict[tuple[str, ...], list[Event]] = defaultdict(list)
        self._rows: list[tuple[bytes, bytes, bytes]] = []
        self._cases: dict[str, tuple[str, ...]] = {}
        self.result = Result()

    def carry_common(self, chains: Mapping[str, Chain]) -> None:
        everyone, events = self._book.everyone(self._pen.day), uncarried(chains, self._now)
        for start in range(0, len(events), ROWS):
            self._pen.append([_carried(events[start : start + ROWS], everyone)])

    def renew(self, case: Case, given: tuple[str, ...] | None) -> None:
        """Seal a case again if it must be and nobody did."""
        first, _ = self._state.assigned.get(record.case_key(case.tag), (bytes(32), ()))
        people = given or self._book.assign(case.tag, first, case.assigned)
        late = any(quarter_of(item.event.day) < self._now for item in case.received)
        mine = self._name in case.assigned and case.state in OPEN and not case.hidden
        claimed = any(
            old == item.blob for item in case.received for old, _ in self._claims[item.id]
        )
        if not (given or (mine and (late or people != case.assigned) and not claimed)):
            return
        found: list[tuple[Received, bytes]] = []
        for item in case.received:
            try:
                words = open_words(self._book.folder, item, self._identities).plaintext()
            except Refused:
                self.result.faults += 1  # the page of the case says which, and why
                return
            found.append((item, words))
        for item, words in found:
            name, salt = record.new_name(words)
            told = {
                "blob": name,
                "case": case.tag,
                "day": item.day,
                "envelope": item.kind,
                "id": item.id,
                "keyring": item.keyring,
                "salt": salt,
            }
            self._sealed[people].append((words, told))
            self._rows.append((item.id, item.blob, name))
        self._events[people] += [decision.event for decision in case.decisions]
        self._cases[record.case_key(case.tag).hex()] = people
        self.result.sealed += 1

    def agree(self, case: Case) -> None:
        """Say that another's new words are those of before, if they are."""
        known = {item.blob: item for item in (*case.received, *case.offered)}
        agreed: list[tuple[bytes, bytes, bytes]] = []
        for row in {item.id for item in case.received}:
            for (old, new), authors in self._claims[row].items():
                if self._name not in authors and new in known:
                    if not self._same(known[new], known.get(old)):
                        self.result.faults += 1
                        return
                    agreed.append((row, old, new))
        if agreed:
            self._rows += agreed
            self._cases[record.case_key(case.tag).hex()] = case.assigned
            self.result.agreed += 1

    def _same(self, new: Received, old: Received | None) -> bool:
        """Return whether ``new`` has the words of ``old``, or, unseen, those that its id names."""
        folder, keys = self._book.folder, self._identities
        try:
            envelope = open_words(folder, new, keys)
            if old is None:
                return envelope.kind in WORDS
            return open_words(folder, old, keys).plaintext() == envelope.plaintext()
        except Refused:
            return False

    def flush(self, least: int = 0) -> None:
        """Write what waits, if it is more than ``least`` rows: blobs, then events."""
        if len(self._rows) <= least:
            return
        book, day = self._book, self._pen.day
        drafts, blobs = [], []
        for people, rows in self._sealed.items():
            to = book.recipients(people, day)
            for start in range(0, len(rows), ROWS):
                part = [told for _, told in rows[start : start + ROWS]]
                blobs.append([told["blob"] for told in part])
                drafts.append(Draft({"assigned": people, "kind": "resealed", "rows": part}, to))
        record.noted(book.folder, self._pen, blobs)
        for people, rows in self._sealed.items():
            for words, told in rows:
                to = book.recipients(people, day)
                record.write_blob(book.folder, told["blob"], words, to)
        for people, events in self._events.items():
            to = book.recipients(people, day)
            starts = range(0, len(events), ROWS)
            drafts += [_carried(events[start : start + ROWS], to) for start in starts]
        what = {"cases": self._cases, "kind": "erased", "rows": self._rows}
        self._pen.append([*drafts, Draft(what, book.everyone(day))])
        record.done(book.folder)
        self._sealed.clear()
        self._events.clear()
        self._rows, self._cases = [], {}


def uncarried(chains: Mapping[str, Chain], now: str) -> list[Event]:
    """Return the events for everyone that only keys of before the quarter ``now`` open."""
    there = {
        plaintext
        for chain in chains.values()
        for event in chain.events.values()
        if event.what["kind"] == "carried" and quarter_of(event.day) >= now
        for plaintext in carried_by(event)
    }
    return [
        event
        for chain in chains.values()
        for event in chain.events.values()
        if event.what["kind"] in COMMON
        if quarter_of(event.day) < now and event.plaintext() not in there
    ]


def _carried(events: Sequence[Event], to: Sequence[Recipient]) -> Draft:
    return Draft({"events": [event.plaintext() for event in events], "kind": "carried"}, to)
