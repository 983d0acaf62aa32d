"""Open cases are sealed again: to the keys of a new quarter, or to other reviewers.

Procedure of :func:`run`, for one reviewer:
1. Events for everyone that are sealed to keys of an earlier quarter are carried over: what was
   imported, acknowledged and erased must be known when those keys are gone.
2. Where another reviewer sealed words of the reviewer's cases again, look: if they are the same,
   say so. Two have said it then, and the old words are emptied, at every desk.
3. Of the reviewer's cases, words that lie under an earlier quarter's keys, or one of whose
   reviewers was removed, or that were given to others, are sealed again, and the decisions are
   carried.

Rules:
- The words are the same, or the old ones stay. With the salt of the old ones, which is told to who
  reads the new ones, they have the old name: so it is seen without the old words, and without
  believing anybody.
- What a planted reviewer claims to have sealed again stops nobody: it counts once it was looked at.
- Blobs first, then events, under a note (``record.noted``): it can be stopped anywhere.
- A case that two reviewers closed is not sealed again, unless it is to be certified, or somebody
  says that its source withdrew: that is to be done yet. When the quarter's keys are destroyed,
  only the archive opens it. That is the point.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from intake import files, locked
from intake.age.identity import Identity
from intake.age.recipient import Recipient
from intake.desk import record
from intake.desk.casebook import Casebook
from intake.desk.cases import Case, Received
from intake.desk.chain import Chain, Event, carried_by
from intake.desk.present import Present
from intake.desk.reading import Lie, open_words, proven
from intake.desk.record import Draft, Pen
from intake.desk.state import State, fold
from intake.errors import Misuse, Refused
from intake.keyring import QUARTER, quarter_of

ROWS = 16  # envelopes, or carried events, in one event
BATCH = 64  # rows between two writes of the chain
SPOILED = "spoiled"  # what the file of a key is called while it is destroyed
COMMON = frozenset({"acknowledged", "erased", "import", "part"})  # kinds that are for everyone
Watch = Callable[[Iterable[Case], int], Iterable[Case]]
Given = Mapping[bytes, tuple[str, ...]]


@dataclass(slots=True)
class Result:
    """How many cases were sealed again, seen to be the same, wait for another; what was emptied.

    ``broken`` are the tags of cases with words that could not be, or are not the same.
    """

    sealed: int = 0
    agreed: int = 0
    waiting: int = 0
    emptied: int = 0
    broken: set[bytes] = field(default_factory=set)


def run(
    book: Casebook, who: Present, given: Given | None = None, watch: Watch = lambda c, _: c
) -> Result:
    """Seal again what must be. ``given`` has, by tag, the new reviewers of cases.

    Raises any :class:`Refused`; what was done is done then, and running it again goes on.
    """
    with book.locked():
        identities = who.quarters()
        chains = book.chains(identities)
        record.tidy(book.folder)
        pen, state = book.pen(who, chains), fold(chains)
        work = _Work(book, who, identities, pen, state, carried(chains, quarter_of(pen.day)))
        work.carry_common(chains)  # (1)
        mine = [case for case in state.cases.values() if who.name in case.people]
        for case in watch(mine, len(mine)):
            work.renew(case, (given or {}).get(case.tag))  # (2), (3)
            work.flush(BATCH)
        work.flush()
        chains = book.chains(identities)
        state = fold(chains)
        work.result.emptied = record.erase(book.folder, state.erased())
        work.result.waiting = len(waiting(book, who.name, identities, chains, state, pen.day))
    return work.result


def waiting(  # noqa: PLR0913, PLR0917 - what was read already is not read again
    book: Casebook,
    name: str,
    identities: Sequence[Identity],
    chains: Mapping[str, Chain],
    state: State,
    day: date,
) -> list[Case]:
    """Return the reviewer's cases of which something still needs keys of before ``day``'s."""
    now = quarter_of(day)
    there = carried(chains, now)
    return [
        case
        for case in state.cases.values()
        if _unfinished(case) and name in reviewers(state, case)
        if any(_late(one, now) and one.plaintext() not in there for one in case.decisions)
        or any(
            _late(item.event, now) and not _is_lie(book, item, identities) for item in case.received
        )
    ]


def _is_lie(book: Casebook, item: Received, identities: Sequence[Identity]) -> bool:
    try:
        open_words(book.folder, item, identities)
    except Refused as refused:
        return isinstance(refused, Lie)  # nobody may keep a key alive by recording what is not
    return False


def reviewers(state: State, case: Case) -> tuple[str, ...]:
    """Return whose duty a case is: those who were named first, until two named others."""
    return state.assigned.get(record.case_key(case.tag), (b"", case.assigned))[1]


def _unfinished(case: Case) -> bool:
    """Return whether a case is not closed by two, or is to be withdrawn by one more."""
    return not case.erased and (not case.closed or case.hidden)


def _late(event: Event, now: str) -> bool:
    return quarter_of(event.day) < now


def forget(book: Casebook, who: Present, quarter: str) -> int:
    """Destroy the key that opens a quarter's cases; return how many closed cases go with it.

    Raises :class:`Misuse` while an open case, or an event for everyone, needs it.
    """
    path = who.folder / f"{quarter}.age"
    spoiled = path.with_suffix(f".{SPOILED}")
    if not QUARTER.match(quarter) or not (path.is_file() or spoiled.is_file()):
        raise Misuse(f"{path} is not there.", "Name a quarter whose key is in the folder.")
    keys = who.quarters()
    with book.locked():
        chains = book.chains(keys)
        state, day = fold(chains), book.pen(who, chains).day
        if quarter >= quarter_of(day):
            raise Misuse(f"{quarter} is not over.", "Wait for the next quarter.")
        left = waiting(book, who.name, keys, chains, state, day)
        if left or uncarried(chains, quarter_of(day)):
            raise Misuse(
                f"{len(left)} open cases, or the log itself, still need the key of {quarter}.",
                "Run reseal, copy to the others, let each of them run it too, then merge theirs.",
            )
        closed = [case for case in state.cases.values() if who.name in case.people]
        gone = sum(all(quarter_of(i.event.day) <= quarter for i in c.received) for c in closed)
        with files.troubled(path):
            if path.is_file():
                path.replace(spoiled)  # first, or a power cut leaves a key that cannot be read
                files.sync_folder(path.parent)
            locked.destroy(spoiled)
            files.sync_folder(path.parent)
    return gone


class _Work:
    """One run under way, and what waits for the next flush."""

    def __init__(  # noqa: PLR0913, PLR0917 - what was read already is not read again
        self,
        book: Casebook,
        who: Present,
        identities: Sequence[Identity],
        pen: Pen,
        state: State,
        there: set[str],
    ) -> None:
        self._book, self._name, self._identities = book, who.name, identities
        self._pen, self._state, self._now = pen, state, quarter_of(pen.day)
        self._there = there
        self._claims: dict[bytes, list[tuple[bytes, bytes, set[str]]]] = defaultdict(list)
        for (row, old, new), authors in state.erasures.items():
            known = state.rows.get(row)
            if new and (known is None or state.blob(known.blob or b"") == old):
                self._claims[row].append((new, old, authors))
        self._sealed: dict[tuple[str, ...], list[tuple[bytes, dict[str, Any]]]] = defaultdict(list)
        self._events: dict[tuple[str, ...], list[Event]] = defaultdict(list)
        self._rows: list[tuple[bytes, bytes, bytes | None]] = []
        self._cases: dict[str, tuple[str, ...]] = {}
        self.result = Result()

    def carry_common(self, chains: Mapping[str, Chain]) -> None:
        everyone, events = self._book.everyone(self._pen.day), uncarried(chains, self._now)
        for start in range(0, len(events), ROWS):
            self._pen.append([_carried(events[start : start + ROWS], everyone)])

    def renew(self, case: Case, given: tuple[str, ...] | None) -> None:
        """Agree to what another sealed again, and seal what must be and nobody did."""
        if case.erased or self._name in case.withdrawing:
            self._withdraw(case)
        if case.erased:
            return
        key = record.case_key(case.tag)
        first, _ = self._state.assigned.get(key, (bytes(32), ()))
        before = reviewers(self._state, case)
        people = given or self._book.assign(case.tag, first, before)
        mine = self._name in before and _unfinished(case)
        moves = bool(given) or (mine and people != before)
        sealed = [
            self._seal(item, people, case)
            for item in case.received
            if not self._settled(item, case, people)
            and (moves or (mine and _late(item.event, self._now)))
        ]
        if any(sealed):
            self._cases[key.hex()] = people
            self.result.sealed += 1
        if mine or given:
            self._events[people] += [
                one
                for one in case.decisions
                if (moves and any(sealed))
                or (_late(one, self._now) and one.plaintext() not in self._there)
            ]

    def _withdraw(self, case: Case) -> None:
        """Say it of blobs too that came after it was said: of another desk, or sealed again."""
        for item in (*case.received, *case.offered):
            said = self._state.erasures.get((item.id, item.blob, None), set())
            known = self._name in said or item.blob in self._state.withdrawn
            if not known and self._words(item):
                self._rows.append((item.id, item.blob, None))

    def _settled(self, item: Received, case: Case, people: tuple[str, ...]) -> bool:
        """Return whether an envelope was sealed again already for these people, and agree."""
        known = {one.blob: one for one in (*case.received, *case.offered) if one.id == item.id}
        # The least first: two desks that both sealed it again agree on one.
        for new, old, authors in sorted(self._claims[item.id]):
            if new not in known:
                if self._name in authors:
                    return True  # given to others, whose it is now
                continue
            if self._name not in authors:
                if not self._same(known[new], old):
                    self.result.broken.add(case.tag)
                    continue
                self._rows.append((item.id, old, new))
                self._cases[record.case_key(case.tag).hex()] = known[new].assigned
                self.result.agreed += 1
            if known[new].assigned == people:
                return True
        return False

    def _same(self, new: Received, old: bytes) -> bool:
        """Return whether the words of ``new`` are those that the blob ``old`` was named after."""
        words = self._words(new)
        return words is not None and record.blob_name(new.before, words) == old

    def _words(self, item: Received) -> bytes | None:
        envelope = proven(self._book.folder, item, self._identities)
        return envelope.plaintext() if envelope else None

    def _seal(self, item: Received, people: tuple[str, ...], case: Case) -> bool:
        """Keep words for the next flush, if they are what they should be."""
        words = self._words(item)
        if words is None:
            self.result.broken.add(item.case)  # the page of the case says which, and why
            return False
        name, salt = record.new_name(words)
        told = {
            "before": item.salt,
            "blob": name,
            "case": item.case,
            "day": item.day,
            "envelope": item.kind,
            "id": item.id,
            "keyring": item.keyring,
            "people": sorted(case.people),
            "salt": salt,
            **({"slice": item.part.told()} if item.part else {}),
        }
        self._sealed[people].append((words, told))
        self._rows.append((item.id, item.blob, name))
        return True

    def flush(self, least: int = 0) -> None:
        """Write what waits, if it is more than ``least`` of them: blobs, then events."""
        if len(self._rows) + sum(map(len, self._events.values())) <= least:
            return
        book, day = self._book, self._pen.day
        drafts, blobs, words = [], [], []
        for people, rows in self._sealed.items():
            to = book.recipients(people, day)
            words += [(told["blob"], one, to) for one, told in rows]
            for start in range(0, len(rows), ROWS):
                part = [told for _, told in rows[start : start + ROWS]]
                blobs.append([told["blob"] for told in part])
                drafts.append(Draft({"assigned": people, "kind": "resealed", "rows": part}, to))
        record.noted(book.folder, self._pen, blobs)
        for name, one, to in words:
            record.write_blob(book.folder, name, one, to)
        for people, events in self._events.items():
            to = book.recipients(people, day)
            starts = range(0, len(events), ROWS)
            drafts += [_carried(events[start : start + ROWS], to) for start in starts]
        if self._rows:
            what = {"cases": self._cases, "kind": "erased", "rows": self._rows}
            drafts.append(Draft(what, book.everyone(day)))
        self._pen.append(drafts)
        record.done(book.folder)
        self._sealed.clear()
        self._events.clear()
        self._rows, self._cases = [], {}


def carried(chains: Mapping[str, Chain], now: str) -> set[str]:
    """Return the events that were carried over to keys of the quarter ``now``, or a later one."""
    return {
        plaintext
        for event in _events(chains)
        if event.kind == "carried" and not _late(event, now)
        for plaintext in carried_by(event)
    }


def uncarried(chains: Mapping[str, Chain], now: str) -> list[Event]:
    """Return the events for everyone that only keys of before the quarter ``now`` open."""
    there = carried(chains, now)
    return [
        event
        for event in _events(chains)
        if event.kind in COMMON and _late(event, now) and event.plaintext() not in there
    ]


def _events(chains: Mapping[str, Chain]) -> Iterator[Event]:
    return (event for chain in chains.values() for event in chain.events.values())


def _carried(events: Sequence[Event], to: Sequence[Recipient]) -> Draft:
    return Draft({"events": [event.plaintext() for event in events], "kind": "carried"}, to)
