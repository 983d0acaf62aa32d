"""Tables: how many people gave which answer.

Rules:
- A table has a row for each answer that this machine's form offers. What a source typed is never
  the name of a row: it is in "Another answer".
- "I prefer not to say" and no answer are one row.
- Labels are English msgids: the form's own where it has them.

The tables follow questions of ``forms/cdm.toml``. A form that does not ask one has no such table.
Where a question has headings, a heading's rows are added up, under the first code below it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import NamedTuple

from intake.desk.caseload import Facts
from intake.desk.cases import INSIDE, STATES
from intake.desk.labels import LABELS
from intake.form import Form, Groups

START = (2021, 2)  # year and month of the coup, with which the timeline begins
MILITARY = ("army", "navy", "air")
OTHER, POLICE, LIEUTENANT = "other", "police", "LT"
TITLES: Mapping[str, str] = LABELS["tables"]
# The form's officers in three groups, each under the first code that is in it.
OFFICERS: Mapping[str, str] = LABELS["officers"]
_INTO = {"CAPT": LIEUTENANT, "MAJ": LIEUTENANT} | {code: code for code in OFFICERS}
_ORIGINS: Mapping[str, str] = LABELS["origins"]


class Row(NamedTuple):
    """A number, its code, and its label."""

    code: str
    label: str
    number: float


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one of :data:`TITLES`; ``note``, a msgid, says how to read them."""

    key: str
    rows: tuple[Row, ...]
    note: str = ""

    @property
    def title(self) -> str:
        """The title, a msgid."""
        return TITLES[self.key]

    @property
    def numbers(self) -> Mapping[str, float]:
        """The numbers by code."""
        return {row.code: row.number for row in self.rows}


def by_answer(counted: Sequence[Facts], form: Form, day: date) -> Iterator[Table]:
    """Yield the tables of the people counted. The timeline ends with the month of ``day``."""
    asked = {question.key: question.groups for question in form.questions()}
    for key in ("force", "rank", "posted"):
        if key in asked:
            labels, into = _grouped(asked[key])
            said = {code: label for code, label in labels.items() if code != "skip"}
            yield _table(key, {**said, "": "Not said"}, partial(_group, key, into), counted)
    if "left" in asked:
        yield _table("left", _months(day), _month, counted)
    yield _table("origin", _ORIGINS, _origin, counted)


def by_state(cases: Sequence[Facts]) -> Table:
    """Return how many cases are in each state."""
    return _table("state", STATES, lambda one: one.case.state, cases)


def _table(
    key: str, labels: Mapping[str, str], code_of: Callable[[Facts], str], cases: Iterable[Facts]
) -> Table:
    numbers = Counter(code if code in labels else OTHER for code in map(code_of, cases))
    if numbers[OTHER]:
        labels = {**labels, OTHER: "Another answer"}
    return Table(key, tuple(Row(code, label, numbers[code]) for code, label in labels.items()))


def _grouped(groups: Groups) -> tuple[dict[str, str], dict[str, str]]:
    """Return the labels of a question's groups by code, and by each code the one of its group."""
    labels: dict[str, str] = {}
    into: dict[str, str] = {}
    for heading, choices in groups.items():
        first = next(iter(choices), "")
        headed = OFFICERS if first == "officer" else {first: str(heading)}
        labels |= headed if heading else choices
        into |= {code: first if heading else code for code in choices}
    return labels, into | {code: part for code, part in _INTO.items() if code in into}


def _group(key: str, into: Mapping[str, str], one: Facts) -> str:
    """Return the code of the group that an answer is in."""
    code = _code(one, key)
    if key == "posted" and code not in into:  # a township that the form no longer offers
        code = code[: len("MMR001")]
    group = into.get(code, code)
    force = _code(one, "force") if key == "rank" else ""
    if group == POLICE and force in MILITARY:
        return OTHER
    return POLICE if force == POLICE else group


def _months(day: date) -> dict[str, str]:
    first, last = (year * 12 + month - 1 for year, month in (START, (day.year, day.month)))
    months = [f"{number // 12}-{number % 12 + 1:02}" for number in range(first, last + 1)]
    labels = {"before": "Before February 2021", **dict(zip(months, months, strict=True))}
    return {**labels, "": "Still serving, or not said"}


def _month(one: Facts) -> str:
    left = _code(one, "left")
    try:
        month = date.fromisoformat(f"{left[:7]}-01") if left else None
    except ValueError:
        return OTHER
    if month is None:
        return ""
    return "before" if (month.year, month.month) < START else month.isoformat()[:7]


def _origin(one: Facts) -> str:
    if INSIDE in one.case.marks:
        return INSIDE
    return "eao" if _code(one, "situation") == "eao" else "wrote"


def _code(one: Facts, key: str) -> str:
    """Return the code of an answer, or nothing if it was not said."""
    code = str(one.answers.get(key, ""))
    return "" if code == "skip" else code
