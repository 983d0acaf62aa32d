r"""Frames and events: one author's log at one desk, read and verified.

A chain is a file ``chains/<author>.<desk>`` of frames. A frame is the length in eight hex digits,
LF, an age file (the sealed event), LF. An event's plaintext is one line of canonical JSON, LF, and
in hex the author's Ed25519 signature over ``"intake event 1\n"`` and that line, LF. The hash of an
event is the SHA-256 of its age file, so everyone can check who follows whom, and only those whom it
is for can read it (docs/FORMAT.md).

Rules:
- Nothing in the file is believed but what its author signed. Author, desk, deployment, sequence and
  the hash of the frame before must all fit.
- Each fault is named and costs no more than it must: what follows is still read. Damage in a frame
  is stepped over by looking for the next one.
- A frame that our keys do not open is somebody else's. It is counted, and its hash still counts.
- Of a removed reviewer only the events up to the one that the keyring names are used, and only if
  everything up to there is whole: the signing key may be in other hands.
"""

import hashlib
import mmap
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from intake import canonical
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.days import day
from intake.errors import BadFile, NoMatchingKey
from intake.keyring import CHAIN, Keyring
from intake.signatures import octets, verified

FORMAT = "intake event 1"
CONTEXT = b"intake event 1\n"
NONE = bytes(32)  # the hash before the first
VERSION = "~"  # in a file's name, between the chain's and eight hex digits
_HEAD = 9  # bytes: eight hex digits and LF
_FRAME = re.compile(rb"([0-9a-f]{8})\nage-encryption\.org/v1\n")

Heads = Mapping[str, tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``what`` has a ``kind``; ``case`` is the 16-byte tag, or None."""

    chain: str
    deployment: bytes
    sequence: int
    previous: bytes
    day: date
    case: bytes | None
    what: Mapping[str, Any]
    heads: Heads
    grounds: Sequence[str] = ()
    signature: str = ""  # hex; empty before it is signed

    @property
    def author(self) -> str:
        """Who signed it."""
        return self.chain.partition(".")[0]

    @property
    def kind(self) -> str:
        """What it is: ``import``, ``received``, ``decided`` and the like."""
        return str(self.what["kind"])

    @property
    def note(self) -> str:
        """A decision's words, the reviewer's own; shown as a source's are."""
        return str(self.what["note"])

    def line(self) -> bytes:
        """Return what the author signs, after the context."""
        author, _, desk = self.chain.partition(".")
        facts: dict[str, object] = {
            "author": author,
            "desk": desk,
            "deployment": self.deployment,
            "format": FORMAT,
        }
        facts |= {"sequence": self.sequence, "previous": self.previous, "heads": self.heads}
        facts |= {"day": self.day, "case": self.case, "what": self.what, "grounds": self.grounds}
        return canonical.dump(facts)

    def plaintext(self) -> str:
        """Return the event as it is sealed, with its signature."""
        return f"{self.line().decode()}\n{self.signature}\n"


@dataclass(slots=True)
class Chain:
    """What one file holds. ``hashes`` are those of all frames, by sequence number.

    ``file`` is its name: that of the chain, or of another version of it (:func:`choose`).
    """

    name: str
    file: str = ""
    hashes: dict[int, bytes] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    shut: set[int] = field(default_factory=set)  # frames that our keys do not open
    used: int | None = None  # of a removed author, the last event that counts
    faults: list[str] = field(default_factory=list)
    whole: int = 0  # bytes up to the end of the last frame
    torn: int = 0  # bytes after it
    last: int = 0  # sequence number of the last frame

    def fault(self, what: str) -> None:
        """Name a fault."""
        self.faults.append(f"{self.name}: {what}")

    @property
    def closed(self) -> int:
        """How many frames we have not read."""
        return len(self.shut)

    @property
    def head(self) -> tuple[int, bytes]:
        """Sequence number and hash of the last frame."""
        return self.last, self.hashes.get(self.last, NONE)

    @property
    def seen(self) -> tuple[int, bytes]:
        """Sequence number and hash of the last event that we read, and so of all before it.

        Frames after it are closed to us. Whoever had the stick may have put them there.
        """
        last = max(self.events, default=0)
        return last, self.hashes.get(last, NONE)


def frames(data: bytes | mmap.mmap) -> Iterator[tuple[int, bytes | None]]:
    """Yield the offset after each frame, and its age file; None for damage that was stepped over.

    The last offset is the end of the last whole frame; what follows it is torn.
    """
    place = 0
    while place < len(data):
        found = _FRAME.match(data, place)
        end = place + _HEAD + int(found[1], 16) if found else 0
        if found and data[end : end + 1] == b"\n":
            yield end + 1, data[place + _HEAD : end]
            place = end + 1
            continue
        following = _FRAME.search(data, place + 1)
        if following is None:
            return
        place = following.start()
        yield place, None


def read(path: Path, identities: Sequence[Identity], keyrings: Sequence[Keyring]) -> Chain:
    """Read one chain; ``keyrings`` are all that this casebook knows, the last one in force."""
    chain = Chain(path.name.partition(VERSION)[0], path.name)
    last = _last_accepted(chain.name, keyrings[-1])
    sound: int | None = None  # how many faults there were up to the last accepted event
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for chain.whole, sealed in frames(data):
            if last is not None and sound is None and chain.last >= last[0]:
                sound = len(chain.faults)
            if sealed is None:
                chain.fault(f"damaged after event {chain.last}.")
            else:
                _add(chain, sealed, identities, keyrings)
        chain.torn = len(data) - chain.whole
    faults = len(chain.faults) if sound is None else sound
    if chain.torn:
        chain.fault(f"the end is torn after event {chain.last}, as by a power cut.")
    if last is not None:
        _cut(chain, last, faults)
    return chain


def _add(
    chain: Chain, sealed: bytes, identities: Sequence[Identity], keyrings: Sequence[Keyring]
) -> None:
    """Add one frame: open, verify, and compare its place with what it says."""
    sequence, digest = chain.last + 1, hashlib.sha256(sealed).digest()
    try:
        event = _event(chain.name, unseal(sealed, identities), keyrings)
    except NoMatchingKey:
        chain.shut.add(sequence)
    except (BadFile, ValueError, TypeError, LookupError, AttributeError):
        chain.fault(f"event {sequence} is damaged, foreign or forged.")
    else:
        if event.sequence in chain.events:
            chain.fault(f"event {event.sequence} stands here twice.")
            return
        if event.sequence > sequence:
            missing = event.sequence - sequence
            chain.fault(f"{missing} before event {event.sequence} missing or moved.")
        elif event.sequence < sequence:
            chain.fault(f"event {event.sequence} is out of its place.")
        elif event.previous != chain.head[1]:
            follows = f"is not the one that event {sequence} follows; it was altered or replaced."
            chain.fault(f"event {sequence - 1} {follows}")
        sequence = event.sequence
        chain.events[sequence] = event
    chain.hashes[sequence] = digest
    chain.last = max(sequence, chain.last)


def _event(name: str, plaintext: bytes, keyrings: Sequence[Keyring]) -> Event:
    """Return the event in ``plaintext`` if all that can be checked alone is right, or raise."""
    line, signature, rest = plaintext.split(b"\n")
    raw: Any = canonical.load(line)
    event = Event(
        chain=name,
        deployment=keyrings[-1].deployment,
        sequence=raw["sequence"],
        previous=octets(raw["previous"], 32),
        day=day(raw["day"]),
        case=None if raw["case"] is None else octets(raw["case"], 16),
        what=raw["what"],
        heads={chain: (int(n), octets(h, 32)) for chain, (n, h) in raw["heads"].items()},
        grounds=[*raw["grounds"]],
        signature=signature.decode(),
    )
    known = (keyring.reviewer(event.author) for keyring in keyrings)
    keys = {reviewer.key for reviewer in known if reviewer}
    if (
        rest
        or event.line() != line  # it names this chain and deployment, and has no other field
        or (type(event.sequence), type(event.grounds)) != (int, list)
        or event.sequence < 1
        or not isinstance(event.what["kind"], str)
        # Dangerous line: without it, a planted author has lines printed that look like ours.
        or not all(map(CHAIN.match, event.heads))
        # Dangerous line: without it, whoever can write to the folder writes history.
        or not any(verified(k, octets(event.signature, 64), CONTEXT + line) for k in keys)
    ):
        raise ValueError
    return event


def choose(versions: Sequence[Chain]) -> Chain:
    """Return the version of a chain that counts: that with most events that verify, then frames.

    Two versions part where their author, or somebody with the disk, wrote another history; a merge
    keeps both (``merging``). Whatever the order of the merges, the same one counts for the same
    keys. What is left out is named.
    """

    def weight(chain: Chain) -> tuple[int, int, bytes]:
        return len(chain.events), chain.last, chain.head[1]

    best, *others = sorted(versions, key=weight, reverse=True)
    for other in others:
        apart = [n for n, digest in other.hashes.items() if best.hashes.get(n) != digest]
        if apart:
            least = min(apart) - 1
            best.fault(f"two versions part after event {least}; {len(apart)} are left out.")
    return best


def carry(chains: Mapping[str, Chain], keyrings: Sequence[Keyring]) -> None:
    """Put events that were carried over from keys of before into the places they had.

    A reviewer carries over the signed events of cases that stay open when a quarter's keys go. Each
    is verified like any other, and only fills the place of a frame that is closed to us. That it is
    the one in that frame, only they know who open both: a difference is named to them.
    """
    carried = [
        (one, number, plaintext)
        for _, one in sorted(chains.items())
        for number, event in sorted(one.events.items())
        if event.kind == "carried"
        for plaintext in carried_by(event)
    ]
    for carrier, number, plaintext in carried:
        try:
            raw: Any = canonical.load(plaintext.partition("\n")[0].encode())
            chain = chains[f"{raw['author']}.{raw['desk']}"]
            event = _event(chain.name, plaintext.encode(), keyrings)
        except (BadFile, ValueError, TypeError, LookupError, AttributeError):
            carrier.fault(f"event {number} carries one that is damaged or forged.")
            continue
        place = event.sequence
        before = chain.hashes.get(place - 1, event.previous) if place > 1 else NONE
        if before != event.previous or chain.events.get(place, event).line() != event.line():
            carrier.fault(f"event {number} carries another one than {chain.name} has.")
        elif place in chain.shut and (chain.used is None or place <= chain.used):
            chain.shut.remove(place)
            chain.events[place] = event


def carried_by(event: Event) -> list[str]:
    """Return the plaintexts that an event carries, empty ones for what is no text."""
    events = event.what.get("events")
    texts = events if isinstance(events, list) else [None]
    return [text if isinstance(text, str) else "" for text in texts]


def _last_accepted(name: str, keyring: Keyring) -> tuple[int, bytes] | None:
    """Return the last event of a removed reviewer's chain that counts; None if all do."""
    reviewer = keyring.reviewer(name.partition(".")[0])
    if reviewer is None or reviewer.removed is None:
        return None
    found: tuple[int, bytes] = reviewer.removed.get(name, (0, NONE))
    return found


def _cut(chain: Chain, accepted: tuple[int, bytes], faults: int) -> None:
    """Keep what the keyring names, if it is whole; what a thief added after it costs nothing."""
    last, digest = accepted
    chain.used = last
    if last and (faults or chain.hashes.get(last) != digest):
        chain.used = 0
        chain.fault("not what the keyring names; none of it is used.")
        chain.events.clear()
    elif late := [sequence for sequence in chain.events if sequence > last]:
        chain.fault(f"{len(late)} events after event {last} are refused: the author was removed.")
        chain.events = {n: event for n, event in chain.events.items() if n <= last}
