"""All cases that the keys at hand open, with their words: what lists, searches and counts go by.

Rules:
- Words are read once, at all cores, and stay in memory only. Nothing here writes.
- What is hidden (withdrawn, or about to be) has no answers and no text here. Nor have files.
- A case whose words are damaged is there, with its faults.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from intake.age.identity import Identity
from intake.desk import cores, opened, reading
from intake.desk.casebook import Casebook
from intake.desk.cases import Case, Received
from intake.desk.reading import Opened
from intake.desk.state import State, fold
from intake.envelope import TESTIMONY
from intake.errors import Refused
from intake.form import Answer, Form

Told = tuple[Mapping[str, Answer], str, tuple[str, ...]]  # answers, text, faults: see Facts
Watch = Callable[[Iterable[Case], int], Iterable[Case]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What one case says: the codes of its first testimony, all that was typed, and its state."""

    case: Case
    answers: Mapping[str, Answer] = field(default_factory=dict)
    text: str = ""
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class Caseload:
    """Cases by tag, in the order in which they were recorded."""

    book: Casebook
    state: State
    identities: Sequence[Identity]
    form: Form
    facts: dict[bytes, Facts] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many cases the casebook has, also of other reviewers."""
        return len(self.state.assigned)

    def opened(self, case: Case) -> list[Opened]:
        """Return the envelopes of a case, opened (``reading.open_case``)."""
        return reading.open_case(self.book.folder, self.state, self.identities, self.form, case)


def load(
    book: Casebook,
    identities: Sequence[Identity],
    form: Form,
    watch: Watch = lambda cases, _: cases,
    before: Mapping[bytes, Facts] | None = None,
) -> Caseload:
    """Return what these identities open; ``watch`` shows progress. Raises any :class:`Refused`.

    ``before`` are facts that the same identities found: what is as it was is not opened again.
    """
    state = fold(book.chains(identities))
    caseload = Caseload(book, state, identities, form)
    typed = frozenset(q.key for q in form.questions() if q.kind == "text")
    given = (book.folder, [key.encode() for key in identities], typed)
    before = before or {}
    fresh = [case for case in state.cases.values() if not _same(case, before.get(case.tag))]
    words = ([r for r in light(c) if not r.part] for c in watch(fresh, len(fresh)))
    with contextlib.closing(cores.each(Reader, given, words)) as told:
        read = {case.tag: Facts(case, *said) for case, said in zip(fresh, told, strict=True)}
    for tag, case in state.cases.items():
        caseload.facts[tag] = read.get(tag) or replace(before[tag], case=case)
    return caseload


def _same(case: Case, before: Facts | None) -> bool:
    """Return whether the same was found before that would be found now."""
    if before is None or before.faults or before.case.hidden != case.hidden:
        return False
    was, now = (
        [item._replace(event=case.received[0].event) for item in one.received]
        for one in (before.case, case)
    )
    return was == now  # all but the event, which may have been carried over


def light(case: Case) -> list[Received]:
    """Return what a worker opens of a case: what is hidden stays closed."""
    shown = [] if case.hidden else case.received
    return [item._replace(event=replace(item.event, what={}, heads={})) for item in shown]


class Reader:
    """Opens the envelopes of cases in ``folder``.

    ``keys`` are secret keys in text, ``typed`` the keys of the questions that are answered in
    free text.
    """

    def __init__(self, folder: Path, keys: Sequence[str], typed: frozenset[str]) -> None:
        self._folder, self._typed = folder, typed
        self._identities = list(map(Identity.parse, keys))

    def __call__(self, cases: Sequence[Sequence[Received]]) -> list[Told]:
        """Return what each case says."""
        return [self._read(case) for case in cases]

    def _read(self, case: Sequence[Received]) -> Told:
        first: Mapping[str, Answer] = {}
        texts, faults = [], []
        for received in case:
            try:
                envelope = reading.open_words(self._folder, received, self._identities)
            except Refused as refused:
                faults.append(f"{refused.what} {refused.hint}")
                continue
            if (more := opened.more_words(envelope)) is not None:
                texts.append(more)
                continue
            if (answers := reading.answers(envelope)) is None:
                texts.append(envelope.content.decode("utf-8", "replace"))
                continue
            if not first and envelope.kind == TESTIMONY:
                first = answers
            texts += [str(answer) for key, answer in answers.items() if key in self._typed]
        return first, "\n".join(texts), tuple(faults)
