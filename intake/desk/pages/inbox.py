"""Which cases, and in which order: danger first, then who has waited longest.

Rules:
- A filter is a code, and so is all that stands in a URL. What is no code of a filter is ignored.
- The numbers beside a filter say how many cases would be shown if it were chosen too.
- What a reviewer searches for may be a source's words: it is posted, and never in a URL.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from intake.desk import reading
from intake.desk.caseload import Caseload, Facts
from intake.desk.cases import MARKS, STATES, Case
from intake.desk.deciding import Drafts
from intake.desk.reading import Words
from intake.form import Answer, Form, Question

SIZE = 50  # cases on a page
DANGER, FORCE, PLACE = "urgency", "force", "posted"  # questions of the form
REGION = 6  # letters of a place's code that name its region
URGENT = frozenset({"today", "days"})
FLAGS = {
    "undecided": "Waits for my decision",
    "unread": "Not opened yet",
    "conflict": "Reviewers disagree",
    "withdrawn": "Withdrawn",
}
TITLES = {
    "flag": "To do",
    "danger": "Danger",
    "state": "State",
    "mark": "Mark",
    "force": "Force",
    "region": "Region",
    "month": "Month it came",
}
Chosen = Mapping[str, str]


class Row(NamedTuple):
    """One case in a list: what sorts it, what filters it, what is shown of it."""

    case: Case
    danger: str
    order: tuple[int, object, bytes]
    codes: Mapping[str, Collection[str]]
    glance: Sequence[Words]


class Facet(NamedTuple):
    """One filter: its name in the URL, its title, and its codes with their labels."""

    key: str
    title: str
    labels: Mapping[str, str]


def rows(caseload: Caseload) -> list[Row]:
    """Return all cases in their order."""
    questions = {question.key: question for question in caseload.form.questions()}
    urgencies = questions[DANGER].codes() if DANGER in questions else ()
    found = [_row(facts, questions, urgencies) for facts in caseload.facts.values()]
    return sorted(found, key=lambda row: row.order)


def facets(form: Form, found: Iterable[Row]) -> list[Facet]:
    """Return the filters, with the codes that occur."""
    questions = {question.key: question for question in form.questions()}
    months = sorted({code for row in found for code in row.codes["month"]}, reverse=True)
    forces = _labels(questions[FORCE]) if FORCE in questions else {}
    labels = {
        "flag": FLAGS,
        "danger": dangers(form),
        "state": STATES,
        "mark": MARKS,
        "force": forces,
        "region": _regions(questions.get(PLACE)),
        "month": {month: month for month in months},
    }
    return [Facet(key, TITLES[key], labels[key]) for key in TITLES]


def dangers(form: Form) -> dict[str, str]:
    """Return the codes and labels of the question about danger."""
    return next((_labels(q) for q in form.questions() if q.key == DANGER), {})


def chosen(facets: Iterable[Facet], query: Mapping[str, str]) -> dict[str, str]:
    """Return the codes in a URL's query that are codes of a filter."""
    return {f.key: query[f.key] for f in facets if query.get(f.key) in f.labels}


def choose(
    found: Iterable[Row], chosen: Chosen, flags: Mapping[bytes, Collection[str]]
) -> tuple[list[Row], dict[str, Counter[str]]]:
    """Return the rows that fit all codes, and how many would fit with each other code too.

    ``flags`` has the codes of :data:`FLAGS` for each case, which change while somebody reads.
    """
    fit: list[Row] = []
    counts: dict[str, Counter[str]] = {}
    for row in found:
        codes = {**row.codes, "flag": flags[row.case.tag]}
        misses = [key for key, code in chosen.items() if code not in codes[key]]
        if not misses:
            fit.append(row)
        for key in codes if not misses else misses if len(misses) == 1 else ():
            counts.setdefault(key, Counter()).update(codes[key])
    return fit, counts


def flags(found: Iterable[Row], name: str, drafts: Drafts) -> Iterator[tuple[bytes, set[str]]]:
    """Yield what each case still asks of a reviewer."""
    drafted = {draft.case for draft in drafts.pending}
    for case in (row.case for row in found):
        decided = case.tag in drafted or any(one.author == name for one in case.decisions)
        on = {
            "undecided": not decided,
            "unread": case.tag not in drafts.seen,
            "conflict": bool(case.conflict),
            "withdrawn": case.hidden,
        }
        yield case.tag, {flag for flag, is_on in on.items() if is_on}


def _row(facts: Facts, questions: Mapping[str, Question], urgencies: Sequence[str]) -> Row:
    case, answers = facts.case, facts.answers
    danger, force, place = (str(answers.get(key, "")) for key in (DANGER, FORCE, PLACE))
    day = min(item.day for item in case.received)
    place = place if PLACE in questions and place in questions[PLACE].codes() else ""
    codes = {
        "state": (case.state,),
        "danger": (danger,),
        "force": (force,),
        "region": (place[:REGION],),
        "month": (day.isoformat()[:7],),
        "mark": case.marks,
    }
    glance = [
        words
        for key in reading.SUMMARY
        if key != DANGER and key in questions and key in answers
        for words in _words(questions[key], answers[key])
    ]
    rank = urgencies.index(danger) if danger in urgencies else len(urgencies)
    return Row(case, danger, (rank, day, case.tag), codes, glance)


def _words(question: Question, answer: Answer) -> Iterator[Words]:
    labels = _labels(question)
    for code in (answer,) if isinstance(answer, str) else answer:
        yield Words(labels[code]) if code in labels else Words(typed=code)


def _labels(question: Question) -> dict[str, str]:
    return {code: label for group in question.groups.values() for code, label in group.items()}


def _regions(question: Question | None) -> dict[str, str]:
    groups = question.groups.items() if question else ()
    return {next(iter(group))[:REGION]: heading or "" for heading, group in groups}
