"""Counting: how many left, in figures that add up.

Rules:
- One person counts once. Cases that repeat each other, in a chain or a circle, are one person's;
  the first of them that may be counted stands for all.
- Counted is a case that two reviewers verified, whose source said yes to being counted. Each other
  case is left out for one reason, the first that fits; so the reasons and the counted add up.
- Certified, in process and expected stand apart. Who is expected is never in a total.
- The figures are exact, and so never to be published: rules of release come between.

A form that does not ask for consent to be counted has no such step, and the tally says so.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from intake import days, words
from intake.desk import tables
from intake.desk.caseload import Caseload, Facts
from intake.desk.cases import CERTIFY, COERCION, VERIFIED
from intake.desk.labels import LABELS
from intake.desk.tables import LIEUTENANT, POLICE, Row, Table
from intake.errors import Misuse
from intake.form import Form

BATTALION = 500  # people; as in the article, where 2,000 are four battalions
CONSENT = "c_count"
COUNTED = "counted"
STEPS: Mapping[str, str] = LABELS["steps"]


class Covers(NamedTuple):
    """What a tally is of: whose keys opened it, of how many cases, when, under which keyring."""

    keys: str
    total: int
    day: date
    keyring: str


class Assumed(NamedTuple):
    """People in a battalion; and how many more are expected, with a note that says who told it."""

    battalion: int
    expected: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Tables by key, of so many cases that were ``opened``."""

    covers: Covers
    assumed: Assumed
    opened: int
    tables: Mapping[str, Table]


def assume(battalion: int = BATTALION, expected: int | None = None, note: str = "") -> Assumed:
    """Return what a tally assumes. Raises :class:`Misuse` for what makes no sense."""
    if battalion < 1 or (expected or 0) < 0 or (expected is None) != (not note.strip()):
        raise Misuse(
            "A battalion has one person or more; who is expected has a number and a note.",
            'For example: --battalion 500 --expected 500 --expected-note "until September"',
        )
    return Assumed(battalion, expected, note)


def of(load: Caseload, opener: str, assumed: Assumed) -> Tally:
    """Return the tally, of today, of all cases that ``opener`` could open."""
    ring = load.book.keyring
    fingerprint = f"{ring.version}: {words.fingerprint(ring.sha256)}"
    covers = Covers(opener, load.total, days.clock(), fingerprint)
    return count(load.facts.values(), load.form, covers, assumed)


def count(facts: Iterable[Facts], form: Form, covers: Covers, assumed: Assumed) -> Tally:
    """Return the tally of ``facts``, which are in the order of arrival."""
    cases = list(facts)
    people = _people(cases)
    consent = any(question.key == CONSENT for question in form.questions())
    steps = list(_sorted(cases, people, consent=consent))
    counted = {
        who: one for who, one, step in zip(people, cases, steps, strict=True) if step == COUNTED
    }
    waiting = counted.keys() & _marked(cases, people, CERTIFY)
    answers = {t.key: t for t in tables.by_answer([*counted.values()], form, covers.day)}
    found = [
        _steps(steps, covers.total, consent=consent),
        _figures(len(counted), answers, assumed.battalion),
        _certification(len(counted), len(waiting), assumed.expected),
        *answers.values(),
        tables.by_state(cases),
    ]
    return Tally(covers, assumed, len(cases), {table.key: table for table in found})


def _sorted(cases: Sequence[Facts], people: Sequence[bytes], *, consent: bool) -> Iterator[str]:
    """Yield, for each case, the one of :data:`STEPS` where it ends."""
    coerced, seen = _marked(cases, people, COERCION), set()
    for who, one in zip(people, cases, strict=True):
        step = _alone(one, consent=consent)
        # Dangerous line: without it, whoever was forced to write twice is counted.
        if step in {"consent", COUNTED} and who in coerced:
            step = COERCION
        if step == COUNTED and who in seen:
            step = "duplicate"
        if step == COUNTED:
            seen.add(who)
        yield step


def _people(cases: Sequence[Facts]) -> list[bytes]:
    """Return for each case the tag that stands for all of one person."""
    heads: dict[bytes, bytes] = {}
    for one in cases:
        if of := one.case.duplicate_of:
            heads[_head(heads, one.case.tag)] = _head(heads, of)
    return [_head(heads, one.case.tag) for one in cases]


def _marked(cases: Sequence[Facts], people: Sequence[bytes], mark: str) -> set[bytes]:
    return {who for who, one in zip(people, cases, strict=True) if mark in one.case.marks}


def _head(heads: dict[bytes, bytes], tag: bytes) -> bytes:
    """Return the tag that stands for all cases that are joined to this one (union-find)."""
    while (above := heads.setdefault(tag, tag)) != tag:
        heads[tag] = tag = heads[above]  # half the way for whoever comes next
    return tag


def _alone(one: Facts, *, consent: bool) -> str:
    """Return where a case ends if it repeats no other."""
    state = one.case.state
    if one.case.hidden:
        return "gone"
    if not one.answers:
        return "unread"
    if state != VERIFIED:
        return state if state in STEPS else "open"
    return COUNTED if not consent or one.answers.get(CONSENT) == "yes" else "consent"


def _steps(steps: Sequence[str], total: int, *, consent: bool) -> Table:
    total = max(total, len(steps))
    numbers = Counter(steps) + Counter(closed=total - len(steps))
    rows = [Row(step, label, numbers[step]) for step, label in STEPS.items()]
    note = "" if consent else "This machine's form does not ask for consent to be counted."
    return Table("steps", (Row("all", "All cases in this casebook", total), *rows), note)


def _figures(total: int, answers: Mapping[str, Table], battalion: int) -> Table:
    rows = [Row(COUNTED, "People counted", total)]
    forces, ranks = (answers[key].numbers if key in answers else {} for key in ("force", "rank"))
    if forces:
        military = sum(forces.get(code, 0) for code in tables.MILITARY)
        police = (ranks or forces).get(POLICE, 0)
        rows += [
            Row("military", "Military: army, navy and air force", military),
            Row(POLICE, "Police", police),
            Row("neither", "Militia, or force not said", total - military - police),
        ]
    if LIEUTENANT in ranks:
        rows.append(Row("officers", tables.OFFICERS[LIEUTENANT], ranks[LIEUTENANT]))
    rows.append(Row("battalions", "Battalion equivalents", round(total / battalion, 1)))
    rows.append(Row("battalion", "People in a battalion, as assumed", battalion))
    return Table("figures", tuple(rows))


def _certification(counted: int, waiting: int, expected: int | None) -> Table:
    rows = [
        Row("certified", "Certified", 0),
        Row("process", "In process", waiting),
        Row("neither", "Counted, and neither of these", counted - waiting),
    ]
    if expected is not None:
        rows.append(Row("expected", "Expected, and in no total", expected))
    return Table("certification", tuple(rows), "Nobody can be certified yet: it is not built.")
