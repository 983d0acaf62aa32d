"""All cases that the keys at hand open, with their words: what lists, searches and counts go by.

Rules:
- Words are read once, and stay in memory only. Nothing here writes.
- What is hidden (withdrawn, or about to be) has no answers and no text here.
- A case whose words are damaged is there, with its faults.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from intake.age.identity import Identity
from intake.desk import opened, reading
from intake.desk.casebook import Casebook
from intake.desk.cases import Case
from intake.desk.reading import Opened
from intake.desk.state import State, fold
from intake.envelope import TESTIMONY
from intake.errors import BadFile
from intake.form import Answer, Form

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
        """Return the envelopes of a case; what is hidden stays closed."""
        if case.hidden:
            return []
        return reading.open_case(self.book.folder, self.state, self.identities, self.form, case)


def load(
    book: Casebook,
    identities: Sequence[Identity],
    form: Form,
    watch: Watch = lambda cases, _: cases,
) -> Caseload:
    """Return what these identities open. ``watch`` shows progress."""
    state = fold(book.chains(identities))
    caseload = Caseload(book, state, identities, form)
    for case in watch(state.cases.values(), len(state.cases)):
        caseload.facts[case.tag] = facts(case, caseload.opened(case), form)
    return caseload


def facts(case: Case, found: Sequence[Opened], form: Form) -> Facts:
    """Return what a case's opened envelopes say."""
    typed = {q.key for q in form.questions() if q.kind == "text"}
    first: Mapping[str, Answer] = {}
    texts: list[str] = []
    for item in found:
        if item.envelope is None:
            continue
        try:
            answers = opened.testimony(item.envelope.body).answers
        except BadFile:
            texts.append(item.envelope.content.decode("utf-8", "replace"))
            continue
        if not first and item.envelope.kind == TESTIMONY:
            first = answers
        texts += [str(answer) for key, answer in answers.items() if key in typed]
    faults = tuple(item.fault for item in found if item.fault)
    return Facts(case, first, "\n".join(texts), faults)
