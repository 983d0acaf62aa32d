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
from intake.desk.cases import MARKS, REPLIED, STATES, Case
from intake.desk.deciding import Drafts
from intake.desk.labels import LABELS
from intake.desk.reading import Words
from intake.form import Answer, Form, Question, each

SIZE = 50  # cases on a page
GLANCE = 40  # characters of an answer that is no code; a form of ours sends six at most
DANGER, FORCE, PLACE = "urgency", "force", "posted"  # questions of the form
REGION = 6  # letters of a place's code that name its region
URGENT = frozenset({"today", "days"})
FLAGS: Mapping[str, str] = LABELS["flags"]
Chosen = Mapping[str, str]
Flags = Mapping[bytes, Collection[str]]
Facets = Mapping[str, Mapping[str, str]]  # the filters by their names in a URL: codes with labels


class Row(NamedTuple):
    """One case in a list: what sorts it, what filters it, what is shown of it."""

    case: Case
    danger: str
    order: tuple[int, object, bytes]
    codes: Mapping[str, Collection[str]]
    glance: Sequence[Words]


def rows(caseload: Caseload) -> list[Row]:
    """Return all cases in their order."""
    labels = caseload.form.labels()
    found = [_row(facts, labels) for facts in caseload.facts.values()]
    return sorted(found, key=lambda row: row.order)


def facets(form: Form, found: Iterable[Row]) -> Facets:
    """Return the filters, with all their codes; months that occur."""
    labels = form.labels()
    place = next((question for question in form.questions() if question.key == PLACE), None)
    months = sorted({code for row in found for code in row.codes["month"]}, reverse=True)
    return {
        "flag": FLAGS,
        "danger": labels.get(DANGER, {}),
        "state": STATES,
        "mark": MARKS,
        "force": labels.get(FORCE, {}),
        "region": _regions(place),
        "month": {month: month for month in months},
    }


def chosen(facets: Facets, query: Mapping[str, str]) -> dict[str, str]:
    """Return the codes in a URL's query that are codes of a filter."""
    return {key: query[key] for key, codes in facets.items() if query.get(key) in codes}


def choose(
    found: Sequence[Row], facets: Facets, chosen: Chosen, flags: Flags
) -> tuple[Sequence[Row], dict[str, Counter[str]]]:
    """Return the rows that fit all codes, and of each filter how many would fit with each code.

    ``flags`` has the codes of :data:`FLAGS` for each case, which change while somebody reads.
    """

    def codes(row: Row, key: str) -> Collection[str]:
        return flags[row.case.tag] if key == "flag" else row.codes[key]

    def fit(wanted: Chosen) -> Sequence[Row]:
        if not wanted:
            return found
        return [row for row in found if all(c in codes(row, key) for key, c in wanted.items())]

    counts = {}
    for key in facets:
        rows = fit({other: code for other, code in chosen.items() if other != key})
        counts[key] = Counter(code for row in rows for code in codes(row, key))
    return fit(chosen), counts


def flags(found: Iterable[Row], name: str, drafts: Drafts) -> Iterator[tuple[bytes, set[str]]]:
    """Yield what each case still asks of a reviewer."""
    drafted = {draft.case for draft in drafts.pending if draft.kind != REPLIED}
    for case in (row.case for row in found):
        said = {one.author for one in case.decisions if one.kind != REPLIED}
        decided = case.tag in drafted or name in said
        on = {
            "undecided": not decided,
            "unread": case.tag not in drafts.seen,
            "conflict": bool(case.conflict),
            "withdrawn": case.hidden,
        }
        yield case.tag, {flag for flag, is_on in on.items() if is_on}


def _row(facts: Facts, labels: Mapping[str, Mapping[str, str]]) -> Row:
    case, answers = facts.case, facts.answers
    danger, force, place = (str(answers.get(key, "")) for key in (DANGER, FORCE, PLACE))
    urgencies = list(labels.get(DANGER, {}))
    codes = {
        "state": (case.state,),
        "danger": (danger,),
        "force": (force,),
        "region": (place[:REGION],),
        "month": (case.day.isoformat()[:7],),
        "mark": case.marks,
    }
    glance = [
        words
        for key in reading.SUMMARY
        if key != DANGER and key in labels and key in answers
        for words in _words(answers[key], labels[key])
    ]
    rank = urgencies.index(danger) if danger in urgencies else len(urgencies)
    return Row(case, danger, (rank, case.day, case.tag), codes, glance)


def _words(answer: Answer, labels: Mapping[str, str]) -> Iterator[Words]:
    for code in each(answer):
        yield Words(labels[code]) if code in labels else Words(typed=code[:GLANCE])


def _regions(question: Question | None) -> dict[str, str]:
    groups = question.groups.items() if question else ()
    return {next(iter(group))[:REGION]: heading or "" for heading, group in groups}
