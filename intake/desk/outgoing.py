"""What a return carries back to sources: notices, replies, and decoys that look like them.

A notice says that words of a case were opened by a person. Its id follows from the receipt, so it
is the same whichever desk makes it, and a reply has its own: sent twice, they are there once.

Procedure:
1. :func:`choose` says what goes out and what waits. Nothing is opened.
2. Whoever signs reads the replies, and agrees (``__main__``).
3. :func:`pack` opens an envelope of each case, takes the slow step to its mailbox, and seals. That
   costs 0.1 s and 32 MiB for each case, so it is done at all cores.

Rules:
- Two who sign must be the case's people: nobody answers alone in the reviewers' name.
- A case whose source withdrew gets nothing.
- All that is sealed here has one size, ``reply.SEALED``, and no order but that of the list.
- Reply secrets and seeds stay in the worker that needs them.
"""

import contextlib
import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

from intake import receipt, reply
from intake.age.identity import Identity
from intake.bundle import SIGNERS, Entry, fits
from intake.desk import caseload, cores, reading
from intake.desk.cases import Case, Received
from intake.desk.chain import Event
from intake.desk.record import case_key
from intake.desk.state import State
from intake.errors import Refused
from intake.reply import NOTICE, REPLY, Reply

PIECE = 8  # cases that one core takes at once: about a second
MOST = fits(reply.SEALED)  # notices, replies and decoys of one return

_SHUT = "get nothing yet: none of their words opens with the keys that are here"
_FOREIGN = "get nothing: their words name the mailbox of another case"
_FULL = "get nothing yet: the return is full; make the next one"
_HEARD = "got their notice in a lost return, and wait for another reviewer to sign"

Packed = tuple[bytes, bytes, bytes]  # mailbox, id, sealed
Item = tuple[list[Received], list[tuple[bytes, Reply]]]  # an empty id is that of the notice
Watch = Callable[[Iterable[list[Packed] | str], int], Iterable[list[Packed] | str]]


class Going(NamedTuple):
    """What goes to one case: ``notice`` or not, and replies by their ids."""

    case: Case
    notice: bool
    replies: dict[bytes, tuple[int, Event]]  # with the number of each, from 1

    @property
    def size(self) -> int:
        """How many go."""
        return self.notice + len(self.replies)


@dataclass(slots=True)
class Cargo:
    """What was sealed: entries and bodies for the return, and what its event says of them.

    ``waits`` counts the cases that get nothing, or not all, by the reason.
    """

    sealed: list[tuple[Entry, bytes]] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)
    decoys: int = 0
    waits: Counter[str] = field(default_factory=Counter)

    @property
    def listed(self) -> tuple[list[Entry], list[bytes]]:
        """Entries and bodies in the order of the return's list."""
        self.sealed.sort(key=lambda one: one[0].line())
        return [entry for entry, _ in self.sealed], [body for _, body in self.sealed]


def choose(
    state: State, signers: Collection[str], words: Collection[bytes], again: int | None
) -> tuple[list[Going], Counter[str]]:
    """Return what goes out, and how many cases wait for what.

    ``words`` are the tags of the cases of which words are acknowledged now. What went in returns
    after ``again`` goes again, if that is a number.
    """

    def due(number: int | None) -> bool:
        return number is None or (again is not None and number > again)

    waits: Counter[str] = Counter()
    found, lost = [], {key for key, number in state.heard.items() if due(number)}
    for case in state.cases.values():
        key = case_key(case.tag)
        notice = key in lost or (case.tag in words and key not in state.heard)
        lost.discard(key)
        numbered = enumerate(case.replies.items(), 1)
        replies = {i: (n, one) for n, (i, one) in numbered if due(state.sent.get(i))}
        if case.hidden:
            continue
        if replies and len(case.people.intersection(signers)) < SIGNERS:
            waits[f"have replies that wait for {' and '.join(case.assigned)} to sign"] += 1
            replies = {}
        if notice or replies:
            found.append(Going(case, notice, replies))
    if lost:
        waits[_HEARD] += len(lost)
    # The rows go now, so their notices must. All else can go with the next return.
    must = {one.case.tag for one in found if one.notice and one.case.tag in words}
    room, going = MOST - len(must), []
    for one in found:
        must_go = one.case.tag in must
        full = one.size - must_go > room
        waits[_FULL] += full
        kept = Going(one.case, must_go, {}) if full else one
        room -= kept.size - must_go
        going += [kept] * bool(kept.size)
    return going, +waits


def pack(  # noqa: PLR0913, PLR0917 - what a return needs
    folder: Path,
    deployment: bytes,
    identities: Sequence[Identity],
    day: date,
    going: Sequence[Going],
    decoys: int,
    watch: Watch,
) -> Cargo:
    """Seal what goes out, and ``decoys`` as far as there is room. ``watch`` shows progress."""
    cargo = Cargo()
    given = (folder, deployment, [key.encode() for key in identities])
    items = ((caseload.light(one.case), _replies(one, day)) for one in going)
    with contextlib.closing(cores.each(Packer, given, items, PIECE)) as packed:
        for one, done in zip(going, watch(packed, len(going)), strict=True):
            if isinstance(done, str):
                cargo.waits[done] += 1
                continue
            cargo.heard += [case_key(one.case.tag)] * one.notice
            cargo.replies += one.replies
            cargo.sealed += [_listed(*each) for each in done]
    cargo.decoys = min(decoys, MOST - len(cargo.sealed))
    for _ in range(cargo.decoys):
        blank = reply.seal(Reply(NOTICE, day), Identity.generate().recipient())
        cargo.sealed.append(_listed(secrets.token_bytes(16), secrets.token_bytes(16), blank))
    return cargo


class Packer:
    """Seals what goes to cases; ``keys`` are secret keys in text."""

    def __init__(self, folder: Path, deployment: bytes, keys: Sequence[str]) -> None:
        self._folder, self._deployment = folder, deployment
        self._identities = list(map(Identity.parse, keys))

    def __call__(self, items: Sequence[Item]) -> list[list[Packed] | str]:
        """Return what goes to each case, sealed, or why nothing does."""
        return [self._pack(*item) for item in items]

    def _pack(
        self, received: list[Received], replies: list[tuple[bytes, Reply]]
    ) -> list[Packed] | str:
        why = _SHUT
        for item in received:
            with contextlib.suppress(Refused):
                secret = reading.open_words(self._folder, item, self._identities).reply
                # Dangerous line: whoever writes another's case into an envelope of their own would
                # get the replies that are meant for that source.
                if receipt.case_tag(secret) != item.case:
                    why = _FOREIGN
                    continue
                box = reply.mailbox(self._deployment, secret)
                to = Identity.from_seed(box.seed).recipient()
                # By their ids: of a planted reviewer's reply that took the notice's, nothing goes.
                sealed = {name or box.notice: reply.seal(one, to) for name, one in replies[::-1]}
                return [(box.id, name, body) for name, body in sealed.items()]
        return why


def _replies(one: Going, day: date) -> list[tuple[bytes, Reply]]:
    """Return what goes to a case, the notice first."""
    notice = [(b"", Reply(NOTICE, day))] * one.notice
    own = one.replies.items()
    return notice + [(i, Reply(REPLY, told.day, number, told.note)) for i, (number, told) in own]


def _listed(mailbox: bytes, name: bytes, sealed: bytes) -> tuple[Entry, bytes]:
    return Entry(name, hashlib.sha256(sealed).digest(), mailbox), sealed
