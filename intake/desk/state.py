"""The fold: what all events together say.

Rules:
- Events are taken in topological order: each after the one before it in its chain and after all
  heads that its author had seen. Ties go by hash, so every desk with the same events sees the same.
- Which chains know more than we have is found from the heads.
- An event that does not make sense is named and left out; a reviewer signed it, but may be planted.
  Whatever it names has the form of a name, so nobody writes lines that look like ours.
- Of an envelope that was recorded twice, the one counts whose blob the import names, or the blob
  that took its place. Of a case, the first assignment counts until two reviewers name another.
- Words go only if two different reviewers say so: withdrawn ones, and ones that were sealed again.

What an ``import`` or ``part`` event says of a row: its id, the SHA-256 of its envelope, a verdict,
and the blob of its words (None: a decoy, or nothing was kept); of a decoy also its nonce, from
which its id must follow. What an ``erased`` event says: row id, a blob that must go, and the blob
that took its place (None: withdrawn, and so every other blob of the row goes too).
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from intake.days import day
from intake.desk import opened
from intake.desk.cases import VOICES, Case, Part, Received
from intake.desk.chain import Chain, Event
from intake.desk.record import case_key
from intake.envelope import SLICE
from intake.keyring import NAME
from intake.signatures import octets

# Verdicts of a row.
OK, HERE, ALTERED, MISSING = "ok", "here", "altered", "missing"
CLOSED, FOREIGN = "closed", "foreign"
VERDICTS = {
    OK: "new, opened and recorded",
    HERE: "already here",
    ALTERED: "altered: other bytes than the server signed for",
    MISSING: "missing from the file",
    CLOSED: "not openable with the period's key",
    FOREIGN: "no envelope that this version knows, or not the one that its id names",
}
KEPT = frozenset({OK, HERE})

_GAP = 1000  # how many returns may be unknown here, made at desks whose chains were lost

Node = tuple[bytes, str, int]  # hash, chain and sequence number of an event
Erasure = tuple[bytes, bytes, bytes | None]  # row id, blob, and the blob that took its place


class Row(NamedTuple):
    """What one import said of one row; an event has it as a list."""

    id: bytes
    sha256: bytes
    verdict: str
    blob: bytes | None

    @classmethod
    def from_list(cls, raw: Sequence[Any]) -> Self:
        """Return the row that an event has. Raises ``ValueError`` or ``TypeError``."""
        row, digest, verdict, blob = raw
        if verdict not in VERDICTS:
            raise ValueError
        name = None if blob is None else octets(blob, 32)
        return cls(octets(row, 16), octets(digest, 32), verdict, name)


class Bundle(NamedTuple):
    """An imported bundle; its manifest's SHA-256 is the key in :class:`State`."""

    number: int
    period: str
    keyring: bytes


@dataclass(slots=True)
class State:
    """All of it.

    ``bundles`` go by manifest, and so do ``parts``, the ids of the rows that each brought. By row
    id: ``rows`` is what is kept, ``sources`` the manifest that brought it, ``pending`` what is to
    be acknowledged. ``closings`` are bundles that say that a period is over and empty, and were not
    acknowledged, by the first 16 bytes of their manifests. ``number`` is the last return's.
    ``assigned`` has, by the hash of a case's tag, the manifest that first brought the case, and its
    reviewers; also of cases we cannot open.

    ``decoys`` are the ids of rows that are proven to be decoys, whoever recorded them as what.
    ``erasures`` has who said that a row's blob must go, and what took its place; ``wished`` whom
    each author wants as a case's reviewers since two last agreed, ``given`` whom two agreed on.
    ``heard`` has, by the hash of a case's tag, the last return with a notice for it, and ``sent``,
    by a reply's id, the last one that it went in.
    ``moved`` is what two said of the former, ``withdrawn`` the blobs that two called so, with all
    that took their place, and ``gone`` the ids of rows that have no other. ``named`` are all blobs
    of which anybody wrote. ``early`` are decisions that no case takes yet.
    """

    cases: dict[bytes, Case] = field(default_factory=dict)
    bundles: dict[bytes, Bundle] = field(default_factory=dict)
    rows: dict[bytes, Row] = field(default_factory=dict)
    parts: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    sources: dict[bytes, bytes] = field(default_factory=dict)
    decoys: set[bytes] = field(default_factory=set)
    pending: dict[bytes, Row] = field(default_factory=dict)
    closings: dict[bytes, bytes] = field(default_factory=dict)
    assigned: dict[bytes, tuple[bytes, tuple[str, ...]]] = field(default_factory=dict)
    erasures: dict[Erasure, set[str]] = field(default_factory=lambda: defaultdict(set))
    wished: dict[bytes, dict[str, tuple[str, ...]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    given: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    heard: dict[bytes, int] = field(default_factory=dict)
    sent: dict[bytes, int] = field(default_factory=dict)
    moved: dict[bytes, bytes] = field(default_factory=dict)
    withdrawn: set[bytes] = field(default_factory=set)
    gone: set[bytes] = field(default_factory=set)
    named: set[bytes] = field(default_factory=set)
    early: dict[bytes, list[Event]] = field(default_factory=lambda: defaultdict(list))
    number: int = 0
    closed: int = 0
    faults: list[str] = field(default_factory=list)

    def bundle_of(self, row: bytes) -> Bundle | None:
        """Return the bundle that first brought a row, None while its import is unfinished."""
        return self.bundles.get(self.sources.get(row, b""))

    def blob(self, name: bytes) -> bytes:
        """Return the blob that stands for one of that name today."""
        for _ in self.moved:  # two planted reviewers may have made a circle
            if name not in self.moved:
                break
            name = self.moved[name]
        return name

    def erased(self) -> set[bytes]:
        """Return the blobs that must not be anywhere."""
        return {*self.moved, *self.withdrawn}

    def manifests(self, number: int, keyrings: Collection[bytes]) -> set[bytes]:
        """Return the manifests that were imported under a number: one, if all is well.

        ``keyrings`` are those that name the same server: another one counts from 1 again.
        """
        return {
            manifest
            for manifest, bundle in self.bundles.items()
            if bundle.number == number and bundle.keyring in keyrings
        }


def fold(chains: Mapping[str, Chain]) -> State:
    """Return what the events of all chains say."""
    state = State(closed=sum(chain.closed for chain in chains.values()))
    for chain in chains.values():
        state.faults += chain.faults
    state.faults += _lost(chains)
    for event in _ordered(chains):
        _take(state, event)
    for event in (one for early in state.early.values() for one in early):
        _leave_out(state, event)
    _erase(state)
    for case in state.cases.values():
        recorded, case.received = case.received, _once(case.received, state)
        chosen = {item.blob for item in case.received}
        case.offered = [item for item in recorded if item.blob not in chosen]
        case.sent = state.sent
        case.erased = any(item.blob in state.withdrawn for item in recorded)
    return state


def _take(state: State, event: Event) -> None:
    try:
        _KINDS[event.what["kind"]](state, event)
    except (ValueError, TypeError, LookupError, AttributeError):
        _leave_out(state, event)


def _leave_out(state: State, event: Event) -> None:
    place = f"{event.chain}: event {event.sequence}"
    state.faults.append(f"{place} makes no sense to this version, and is left out.")


def _once(received: Sequence[Received], state: State) -> list[Received]:
    """Return one of each id: an import that was cut short and run again records a row twice."""
    one: dict[bytes, Received] = {}
    for item in received:
        row = state.rows.get(item.id)
        if row and row.blob and item.blob == state.blob(row.blob):
            one[item.id] = item
        one.setdefault(item.id, item)
    return list(one.values())


def _erase(state: State) -> None:
    """Say what two reviewers said. Only the blob that stands for a row gives way to another."""
    links: dict[tuple[bytes, bytes], bytes] = {}
    for (row, old, new), authors in state.erasures.items():
        # Dangerous line: a row's id is not enough. Who slipped it into a case that is withdrawn
        # takes the words along that it has elsewhere. A blob's name is that of its words alone.
        if new is None and len(authors) >= VOICES:
            state.withdrawn.add(old)
        elif new and len(authors) >= VOICES:
            links[row, old] = min(new, links.get((row, old), new))
    for known in state.rows.values():
        name = known.blob or b""
        while after := links.pop((known.id, name), None):
            state.moved[name] = name = after
    for name in [*state.withdrawn]:
        after = state.moved.get(name)
        while after and after not in state.withdrawn:
            state.withdrawn.add(after)
            after = state.moved.get(after)
    rows = ((row.id, state.blob(row.blob)) for row in state.rows.values() if row.blob)
    state.gone |= {row for row, blob in rows if blob in state.withdrawn}
    for case in state.given.keys() & state.assigned.keys():
        state.assigned[case] = (state.assigned[case][0], state.given[case])


def _import(state: State, event: Event) -> None:
    manifest = octets(event.what["manifest"], 32)
    _, keyring = _keyring(event.what["keyring"])
    bundle = Bundle(_count(event.what["bundle"]), _name(event.what["period"]), keyring)
    held = _count(event.what["count"]) + _count(event.what["left"])
    _rows(state, event)
    state.bundles.setdefault(manifest, bundle)
    if not held:
        state.closings[manifest[:16]] = manifest


def _rows(state: State, event: Event) -> None:
    manifest, cases = octets(event.what["manifest"], 32), _cases(event)
    rows = [Row.from_list(raw) for raw in _list(event.what["rows"])]
    nonces = {octets(row, 16): octets(n, 32) for row, n in event.what.get("decoys", {}).items()}
    # Dangerous line: without the check, one planted author has the server forget any row.
    state.decoys |= {row for row, nonce in nonces.items() if opened.is_decoy(row, nonce)}
    for case, names in cases.items():
        state.assigned.setdefault(case, (manifest, names))
    for row in rows:
        if row.verdict in KEPT:
            state.parts[manifest].add(row.id)
            state.pending[row.id] = row
            state.sources.setdefault(row.id, manifest)
            if row.blob:
                state.named.add(row.blob)
            # Words that were found later count more than somebody's word that there are none.
            if state.rows.setdefault(row.id, row).blob is None:
                state.rows[row.id] = row


def _received(state: State, event: Event) -> None:
    assigned = tuple(map(_name, _list(event.what["assigned"])))
    for received in [_item(event, assigned, raw) for raw in _list(event.what["rows"])]:
        case = state.cases.setdefault(received.case, Case(received.case, assigned))
        case.people.update(assigned)
        case.received.append(received)
        state.named.add(received.blob)


def _resealed(state: State, event: Event) -> None:
    assigned = tuple(map(_name, _list(event.what["assigned"])))
    raws = _list(event.what["rows"])
    items = [_item(event, assigned, raw) for raw in raws]
    people = [set(map(_name, _list(raw.get("people", [])))) for raw in raws]
    for received in items:
        case = state.cases.get(received.case)
        given = state.given.get(case_key(received.case), ())
        if case and event.author not in {*case.people, *given}:
            raise ValueError
    for received, before in zip(items, people, strict=True):
        # Who gets a case only now, or whose old keys are gone, knows it from here alone.
        case = state.cases.setdefault(received.case, Case(received.case, assigned))
        case.people.update(before)
        for early in state.early.pop(received.case, []):
            if early.author in before:
                _take(state, early)
            else:
                state.early[received.case].append(early)
    _received(state, event)
    for received in items:
        state.cases[received.case].assigned = assigned


def _item(event: Event, assigned: tuple[str, ...], raw: Mapping[str, Any]) -> Received:
    part = _part(**raw["slice"]) if "slice" in raw else None
    if part and raw["envelope"] != SLICE:
        raise ValueError
    return Received(
        id=octets(raw["id"], 16),
        kind=_name(raw["envelope"]),
        day=day(raw["day"]),
        blob=octets(raw["blob"], 32),
        salt=octets(raw["salt"], 32),
        keyring=_keyring(raw["keyring"]),
        assigned=assigned,
        case=octets(raw["case"], 16),
        event=event,
        before=octets(raw.get("before", "00" * 32), 32),
        part=part,
    )


def _part(*, file: str, number: int, end: object, key: str | None) -> Part:
    """Return what an event says of a slice. Only the first slice of a file has a key."""
    if not isinstance(end, bool) or (key is not None and (end or number)):
        raise ValueError
    return Part(octets(file, 16), _count(number), end, b"" if key is None else octets(key, 16))


def _decided(state: State, event: Event) -> None:
    if event.case is None:
        raise ValueError
    case = state.cases.get(event.case)
    if case and event.author in case.people:
        case.decide(event)
    else:  # carried, it may be: whose case it was is said only where it was sealed again
        state.early[event.case].append(event)


def _erased(state: State, event: Event) -> None:
    cases = _cases(event)
    rows = [
        (octets(row, 16), octets(old, 32), None if new is None else octets(new, 32))
        for row, old, new in _list(event.what["rows"])
    ]
    for row, old, new in rows:
        state.erasures[row, old, new].add(event.author)
        state.named.update(filter(None, (old, new)))
    for case, names in cases.items():
        wishes = state.wished[case]
        wishes[event.author] = names
        if list(wishes.values()).count(names) >= VOICES:
            state.given[case] = names
            wishes.clear()  # or one of the two brings it back alone when others agreed on another


def _carried(_state: State, _event: Event) -> None:
    """What it carries was put into its own places (``Casebook.chains``)."""


def _acknowledged(state: State, event: Event) -> None:
    number = _count(event.what["number"])
    rows = [(octets(row, 16), octets(digest, 32)) for row, digest in _list(event.what["rows"])]
    heard = [octets(case, 32) for case in _list(event.what.get("heard", []))]
    sent = [octets(reply, 16) for reply in _list(event.what.get("replies", []))]
    # Dangerous line: without it, one planted author takes the last number, and nobody has another.
    if number > state.number + _GAP:
        raise ValueError
    state.number = max(state.number, number)
    for known, names in ((state.heard, heard), (state.sent, sent)):
        known.update({name: max(number, known.get(name, 0)) for name in names})
    for row, digest in rows:
        if state.closings.get(row) == digest:
            del state.closings[row]
        pending = state.pending.get(row)
        if pending and pending.sha256 == digest:
            del state.pending[row]


_KINDS = {
    "acknowledged": _acknowledged,
    "carried": _carried,
    "decided": _decided,
    "erased": _erased,
    "import": _import,
    "marked": _decided,
    "part": _rows,
    "received": _received,
    "replied": _decided,
    "resealed": _resealed,
    "withdrawn": _decided,
}


def _ordered(chains: Mapping[str, Chain]) -> Iterator[Event]:
    """Yield all events that we opened, in topological order, ties by hash (Kahn)."""
    waits: dict[Node, set[Node]] = {}
    after: dict[Node, list[Node]] = defaultdict(list)
    for name, chain in chains.items():
        before: set[Node] = set()
        for sequence, digest in sorted(chain.hashes.items()):
            event, node = chain.events.get(sequence), (digest, name, sequence)
            heads = event.heads.items() if event else ()
            seen = [(chains[c].hashes.get(n), c, n) for c, (n, _) in heads if c in chains]
            waits[node] = before | {(h, c, n) for h, c, n in seen if h}
            for other in waits[node]:
                after[other].append(node)
            before = {node}
    ready = sorted(node for node, others in waits.items() if not others)
    while waits:
        # Events that wait for each other were made by somebody planted. They hold up nobody's.
        node = heapq.heappop(ready) if ready else min(waits)
        del waits[node]
        if event := chains[node[1]].events.get(node[2]):
            yield event
        for following in after[node]:
            if following in waits:
                waits[following].discard(node)
                if not waits[following]:
                    heapq.heappush(ready, following)


def _lost(chains: Mapping[str, Chain]) -> Iterator[str]:
    """Name what other chains have seen and we have not, or have otherwise."""
    told: set[str] = set()
    for chain in chains.values():
        heads = (head for event in chain.events.values() for head in event.heads.items())
        for name, (sequence, digest) in heads:
            ours = chains[name].hashes.get(sequence) if name in chains else None
            if ours != digest and name not in told:
                told.add(name)
                how = "is missing here" if ours is None else "is another one here"
                yield f"{name}: event {sequence}, which {chain.name} has seen, {how}."


def _cases(event: Event) -> dict[bytes, tuple[str, ...]]:
    """Return the reviewers that an event names for cases, by the hashes of their tags."""
    return {
        octets(case, 32): tuple(map(_name, _list(names)))
        for case, names in event.what["cases"].items()
    }


def _keyring(value: object) -> tuple[int, bytes]:
    version, digest = _list(value)
    return _count(version), octets(digest, 32)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def _name(value: str) -> str:
    if not NAME.match(value):
        raise ValueError
    return value
