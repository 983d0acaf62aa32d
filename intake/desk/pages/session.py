"""The reviewer's keys and what they open, for as long as somebody is there.

Rules:
- Locked, loading, open. Locked, this process has neither keys nor words; a passphrase opens it.
- After a quiet while it locks by itself, without any request, on the clock that goes on while a
  laptop sleeps. It locks at once when a network comes up.
- Each wrong passphrase makes the next try wait: a second, two, four, up to a minute.
- Python cannot wipe memory: what was dropped may stay in it until it is used again (THREATS.md).
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from intake import words
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.desk import caseload, deciding, searching
from intake.desk.casebook import Casebook
from intake.desk.caseload import Caseload, Facts
from intake.desk.cases import Case
from intake.desk.deciding import Drafts
from intake.desk.pages import inbox, language
from intake.desk.present import Present
from intake.desk.similar import Similar
from intake.errors import Misuse, Refused, WrongPassphrase
from intake.form import Form
from intake.keyring import Reviewer
from intake.settings import Settings
from intake.terminal import DEMO
from intake.wording import LANGUAGES, Wording

LONGEST = 60  # seconds between two tries
NETWORK = "A network came up, so the desk was locked."
QUIET = "Nobody was here for a while, so the desk was locked."
SIGNED = "Signed. It is in the casebook now."
IN_ENGLISH = "It could not be done. Why, and what to do next, in English:"
DEFECT = "A defect in Intake: the cases cannot be opened."
TICK = 1.0  # seconds between two looks at the clock
# Unlike the monotonic one, it counts the time that the machine slept.
_CLOCK = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC

Yield = TypeVar("Yield")


@dataclass(slots=True)
class Desk:
    """What is open. ``listing`` is the order of the last list, ``query`` the last search."""

    caseload: Caseload
    drafts: Drafts
    rows: Sequence[inbox.Row]
    index: searching.Index
    listing: Sequence[bytes] = ()
    query: str = ""
    similar: Similar | None = None  # None while it is being made


@dataclass(slots=True)
class Session:
    """One reviewer's. ``idle`` is in seconds; ``alarm`` says whether a network is up."""

    book: Casebook
    folder: Path
    reviewer: Reviewer
    settings: Settings
    exports: Path | None = None
    idle: float = 300
    demo: bool = False
    alarm: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = lambda: time.clock_gettime(_CLOCK)
    language: str = LANGUAGES[0]
    hold: threading.RLock = field(default_factory=threading.RLock)
    ended: threading.Event = field(default_factory=threading.Event)
    desk: Desk | None = None
    progress: tuple[int, int] | None = None  # cases done, of all; None while nothing is loading
    told: list[str] = field(default_factory=list)  # sentences for the next page
    place: str = "/"  # where the reviewer was when it locked
    form: Form = field(init=False)
    wordings: Mapping[str, Wording] = field(init=False)
    _turn: int = 0  # goes up with each lock and each load: what was begun before is dropped
    _wrong: int = 0
    _next: float = 0.0  # no try before this time
    _last: float = 0.0  # when somebody was last here

    def __post_init__(self) -> None:
        """Read the form and its words. Raises :class:`Misuse`."""
        self.form = Form.load(self.settings.form)
        self.wordings = language.load(self.settings.form)

    def with_passphrase(self, typed: str, action: Callable[[Present], Yield]) -> Yield:
        """Return what ``action`` makes of the reviewer's keys.

        Raises :class:`WrongPassphrase`, and :class:`Misuse` if a try comes too early.
        """
        if self.clock() < self._next:
            raise Misuse("Too early after a wrong passphrase.", "Wait a minute, and type it again.")
        text = typed if self.demo else words.as_drawn(typed)
        # Dangerous line: without it, a passphrase that everybody knows opens real keys.
        passphrase = Passphrase(text if text.startswith(DEMO) == self.demo else "")
        try:
            done = action(Present(self.folder, self.reviewer, passphrase))
        except WrongPassphrase:
            self._next = self.clock() + min(2**self._wrong, LONGEST)
            self._wrong += 1
            raise WrongPassphrase(
                "The passphrase does not open your keys.",
                "Type the ten words as they stand on the paper.",
            ) from None
        self._wrong = 0
        return done

    def unlock(self, typed: str) -> None:
        """Begin to load with the passphrase ``typed``. Raises as :meth:`with_passphrase`."""
        self.begin(self.with_passphrase(typed, Present.quarters))

    def sign(self, typed: str) -> None:
        """Sign what waits, and read the casebook anew. Raises as :meth:`with_passphrase`."""
        if desk := self.desk:
            sign = partial(deciding.sign, self.book, desk.drafts)
            self.with_passphrase(typed, sign)
            self.told.append(SIGNED)
            self.begin(desk.caseload.identities, desk.caseload.facts)

    def begin(
        self, identities: Sequence[Identity], before: Mapping[bytes, Facts] | None = None
    ) -> None:
        """Load all that the identities open, in a thread of its own; ``before`` is kept."""
        with self.hold:
            self._turn += 1
            self.desk, self.progress, self._last = None, (0, 0), self.clock()
            given = (self._turn, identities, before)
            threading.Thread(target=self._load, args=given, daemon=True).start()

    def here(self) -> None:
        """Note that somebody is here, unless it is too late."""
        self.look()
        self._last = self.clock()

    def look(self) -> None:
        """Lock if nobody was here for too long, or if a network came up."""
        with self.hold:
            if self.desk is None and self.progress is None:
                return
            if self.alarm():
                self.lock(NETWORK)
            elif self.clock() - self._last >= self.idle:
                self.lock(QUIET)

    def lock(self, *why: str) -> None:
        """Drop keys and words. What waits for a signature stays, sealed, on the disk."""
        with self.hold:
            if self.desk:
                with contextlib.suppress(Refused):
                    self.desk.drafts.save()
            self._turn += 1
            self.desk = self.progress = None
            self.told = [*why]

    def refusal(self, refused: Refused) -> list[str]:
        """Return what to tell of a refusal. One with a path or a number in it is English only."""
        own = self.wordings[self.language].text(refused.what)
        foreign = self.language != "en" and own == refused.what
        return [IN_ENGLISH] * foreign + [refused.what, refused.hint]

    def watch(self) -> None:
        """Look every second, also when no request comes."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self.ended.wait(TICK):
            self.look()

    def _load(
        self, turn: int, identities: Sequence[Identity], before: Mapping[bytes, Facts] | None
    ) -> None:
        def watch(cases: Iterable[Case], total: int) -> Iterator[Case]:
            for done, case in enumerate(cases):
                if turn != self._turn:
                    raise Misuse("The desk is locked")
                self.progress = (done, total)
                yield case

        desk, told = None, []
        try:
            found = caseload.load(self.book, identities, self.form, watch, before)
            drafts = Drafts.load(self.book, self.reviewer.name, [*identities])
            index = searching.Index({tag: one.text for tag, one in found.facts.items()})
            desk = Desk(found, drafts, inbox.rows(found), index)
        except Refused as refused:
            told = self.refusal(refused)
        except Exception:  # noqa: BLE001 - a traceback may hold a source's words: it is dropped
            told = [DEFECT]
        with self.hold:
            if turn == self._turn:
                self.desk, self.progress = desk, None
                self.told += told

        if desk:
            with contextlib.suppress(Exception):  # what cannot be compared costs its suggestions
                self._compare(turn, desk)

    def _compare(self, turn: int, desk: Desk) -> None:
        """Make ready what suggests similar cases, while the pages are open already."""

        def key(text: str) -> str:
            if turn != self._turn:  # locked meanwhile: let go of the words
                raise Misuse("The desk is locked")
            return searching.key(text)

        desk.similar = Similar(desk.caseload.facts, key)
