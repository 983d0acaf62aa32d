"""A case: what was received of it, and what its reviewers decided.

Rules:
- Only a reviewer who was ever assigned to a case decides about it.
- A decision replaces those that its author had seen. Others stand beside it; if they differ, the
  case is in conflict, and open, until somebody decides who has seen them all.
- ``verified`` takes two different reviewers. With one voice, and in conflict, it is ``partial``.
- A mark is on while one of those that stand side by side sets it: no merge loses a warning.
- Words are withdrawn by two different reviewers (``State.gone``), and hidden from the first voice
  on: one planted reviewer destroys nothing.
- A reply is never replaced. It goes out when two of the case's people sign a return (``outgoing``).
- Codes are what is stored. Their labels, and which grounds each can have, are in ``labels.toml``.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from intake.desk.chain import Event
from intake.desk.labels import LABELS
from intake.envelope import TESTIMONY
from intake.errors import Misuse
from intake.signatures import octets

RECEIVED, TRIAGED, CONTACTED, PARTIAL = "received", "triaged", "contacted", "partial"
VERIFIED, REJECTED, SUSPECTED = "verified", "rejected", "suspected"
OPEN = frozenset({RECEIVED, TRIAGED, CONTACTED, PARTIAL})
COERCION, DUPLICATE, INSIDE, CERTIFY = "coercion", "duplicate", "inside", "certify"
STATES: Mapping[str, str] = LABELS["states"]
MARKS: Mapping[str, str] = LABELS["marks"]
GROUNDS: Mapping[str, str] = LABELS["grounds"]
OFFERED: Mapping[str, tuple[str, ...]] = {
    code: tuple(grounds) for code, grounds in LABELS["offered"].items()
}
REPLIED = "replied"
VOICES = 2  # different reviewers, to verify and to withdraw
NOTE = 1000  # characters of a note, and of a reply (``reply.TEXT``)
SHORTEST = 4  # hex digits that name a case


class Part(NamedTuple):
    """Which part of a file a slice is: its ``number`` from 0; of the ``end``, how many there are.

    ``file`` is the start of the hash of the nonce that all slices of the file have. ``key`` is the
    file key of what the source sealed with age, only with the first slice, or empty.
    """

    file: bytes
    number: int
    end: bool
    key: bytes = b""

    def told(self) -> dict[str, object]:
        """Return what an event says of it."""
        return {**self._asdict(), "key": self.key or None}


class Received(NamedTuple):
    """One envelope of a case: its row id, kind, day, keyring, where its words lie and for whom.

    ``before`` is the salt that the words had before they were sealed again: with it they have the
    name of the blob before, and so they are the same. ``part`` is there for the slice of a file.
    """

    id: bytes
    kind: str
    day: date
    blob: bytes
    salt: bytes
    keyring: tuple[int, bytes]
    assigned: tuple[str, ...]
    case: bytes
    event: Event
    before: bytes = bytes(32)
    part: Part | None = None

    @property
    def raw(self) -> bool:
        """Whether its words are bytes of a file, which nobody reads as words."""
        return self.part is not None and not self.part.end


@dataclass(slots=True)
class Case:
    """A case that our keys open. ``people`` were ever assigned, ``assigned`` are now.

    ``received`` has each envelope once; ``offered`` is what else was recorded of the same rows.
    ``sent`` has the number of the last return that each reply went in, by its 16-byte id.
    """

    tag: bytes
    assigned: tuple[str, ...]
    people: set[str] = field(default_factory=set)
    received: list[Received] = field(default_factory=list)
    offered: list[Received] = field(default_factory=list)
    decisions: list[Event] = field(default_factory=list)
    erased: bool = False
    sent: Mapping[bytes, int] = field(default_factory=dict)
    _latest: dict[str, list[Event]] = field(default_factory=dict)
    _voices: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """The short case number."""
        return self.tag.hex()[:8]

    @property
    def day(self) -> date:
        """When its first envelope was sent."""
        return min(item.day for item in self.received)

    @property
    def begun(self) -> bool:
        """Whether its testimony is here, not only what a source sent after it."""
        return any(item.kind == TESTIMONY for item in self.received)

    @property
    def conflict(self) -> tuple[Event, ...]:
        """The decisions that did not know of each other and differ; empty if there are none."""
        latest = self._latest.get("decided", [])
        return tuple(latest) if len({one.what["state"] for one in latest}) > 1 else ()

    @property
    def voices(self) -> frozenset[str]:
        """Who says that it is verified, while nobody says otherwise."""
        if self.conflict:
            return frozenset()
        return frozenset().union(*map(self._said, self._latest.get("decided", [])))

    @property
    def state(self) -> str:
        """One of :data:`STATES`."""
        latest = self._latest.get("decided", [])
        if not latest:
            return RECEIVED
        told = str(latest[0].what["state"])
        if self.conflict or (told == VERIFIED and len(self.voices) < VOICES):
            return PARTIAL
        return told

    @property
    def closed(self) -> bool:
        """Whether two reviewers said what its state says, and it is not to be certified.

        Only then may its words go with a quarter's keys: nobody loses a case by one voice.
        """
        state = self.state
        said = {one.author for one in self.decisions if one.what.get("state") == state}
        return state not in OPEN and len(said) >= VOICES and CERTIFY not in self.marks

    @property
    def marks(self) -> frozenset[str]:
        """Those of :data:`MARKS` that are on."""
        return frozenset(mark for mark in MARKS if self._on(mark))

    @property
    def duplicate_of(self) -> bytes | None:
        """The tag of the case that this one repeats."""
        return min((octets(one.what["of"], 16) for one in self._on(DUPLICATE)), default=None)

    @property
    def withdrawing(self) -> frozenset[str]:
        """Who says that the source withdrew."""
        return frozenset(one.author for one in self._latest.get("withdrawn", []))

    @property
    def asks(self) -> bool:
        """Whether the source asked, with the receipt, to withdraw."""
        return any(item.kind == "withdrawal" for item in self.received)

    @property
    def hidden(self) -> bool:
        """Whether its words are not to be shown, counted or exported."""
        return self.erased or self.asks or bool(self.withdrawing)

    @property
    def replies(self) -> dict[bytes, Event]:
        """The replies to its source by their 16-byte ids, in their order."""
        return {octets(d.what["id"], 16): d for d in self.decisions if d.kind == REPLIED}

    def sent_in(self, reply: Event) -> int:
        """Return the number of the return that a reply went in last, 0 if in none."""
        return self.sent.get(octets(reply.what["id"], 16), 0)

    def _on(self, mark: str) -> list[Event]:
        return [one for one in self._latest.get(mark, []) if one.what["on"]]

    def decide(self, event: Event) -> None:
        """Take a decision into account. Raises ``ValueError`` or ``LookupError`` for no sense."""
        check(event.what, event.grounds)
        if event.author not in self.people:
            raise ValueError
        about = str(event.what.get("mark", event.what.get("id", event.kind)))
        before = self._latest.get(about, [])
        if before and event.kind == REPLIED:
            raise ValueError  # an id that another reply has
        forever = event.kind == "withdrawn"
        beside = [one for one in before if forever or not saw(event, one)]
        self._voices[event.chain, event.sequence] = self._heard(event)
        self._latest[about] = [*beside, event]
        self.decisions.append(event)

    def _heard(self, event: Event) -> frozenset[str]:
        """Return the voices for ``verified`` that an event adds to: what else came counts not."""
        if event.what.get("state") != VERIFIED:
            return frozenset()
        known = [one for one in self.decisions if one.kind == "decided" and saw(event, one)]
        last = [one for one in known if not any(saw(other, one) for other in known)]
        return frozenset({event.author}).union(*map(self._said, last))

    def _said(self, decision: Event) -> frozenset[str]:
        """Return all who say the same as a decision and knew of those before them."""
        return self._voices[decision.chain, decision.sequence]


def named(cases: Iterable[Case], number: str) -> Case:
    """Return the one case whose number begins so, with at least four digits.

    Raises :class:`Misuse`.
    """
    start = number.strip().lower()
    found = [case for case in cases if case.tag.hex().startswith(start)]
    if len(found) > 1:
        raise Misuse("Several cases begin so.", "Give more digits of the number.")
    if not found or len(start) < SHORTEST:
        raise Misuse("No case of yours has this number.", "Look at the number in the list.")
    return found[0]


def check(what: Mapping[str, Any], grounds: object) -> None:
    """Raise ``ValueError`` or ``LookupError`` unless this is a decision that makes sense."""
    code = ""
    match what:
        case {"kind": "decided", "note": str(note), "state": str(code), **rest}:
            known = code in STATES
        case {"kind": "marked", "note": str(note), "mark": str(code), "on": bool(), **rest}:
            known = code in MARKS
            if code == DUPLICATE:
                octets(rest.pop("of"), 16)
        case {"kind": "replied", "note": str(note), "id": str(reply), **rest}:
            known = bool(octets(reply, 16)) and _is_reply(note)
        case {"kind": "withdrawn", "note": str(note), **rest}:
            known = True
        case _:
            raise ValueError
    offered = OFFERED.get(code, ())
    sensible = isinstance(grounds, list | tuple) and all(one in offered for one in grounds)
    if rest or not known or not sensible or len(note) > NOTE:
        raise ValueError


def _is_reply(text: str) -> bool:
    hidden = {"Cc", "Cs"}  # control characters and halves of pairs
    shown = all(c == "\n" or unicodedata.category(c) not in hidden for c in text)
    return bool(text.strip()) and shown


def saw(event: Event, other: Event) -> bool:
    """Return whether the author of ``event`` had seen ``other``."""
    if event.chain == other.chain:
        return other.sequence < event.sequence
    return event.heads.get(other.chain, (0, b""))[0] >= other.sequence
