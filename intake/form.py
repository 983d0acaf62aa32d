"""The declared form: a TOML file says what is asked, and only this module says what is accepted.

Rules:
- A form is data. Another group replaces it with one file and one setting; nothing here knows a
  question, a rank or a place.
- Codes are stored, never labels. Labels are English msgids, translated where they are shown.
- Nothing of what was typed is in an error: an error is one of the sentences of :class:`Sentence`.
- Nothing is guessed or repaired. A field no form of ours sends, a doubled field, a code that is not
  declared: nothing is stored, and the source is told so.
- Text is kept exactly as typed, except that CRLF becomes LF (browsers send CRLF). No strip, no
  Unicode normalisation, no change of Zawgyi: the original is the evidence. White space only is
  not an answer.
- A number is stored in Latin digits without leading zeros, because unit 025 and unit 25 are one
  unit, and one unit must have one spelling to be counted. Burmese and Shan digits are read (as are
  all decimal digits of Unicode), and the letter wa (U+101D) as zero, because many keyboards and
  eyes do not tell it from the Burmese zero.
- A date is a month, or a day of a month. The latest is the day after ``today``: where the source
  is, it may be tomorrow already.
- A consent is ``yes`` or absent. Its default is no, so "no" and "not answered" are one thing.
- What was not answered is absent. Every testimony that this form accepts fits one envelope: the
  greatest is built when the form is loaded, and a form that could exceed it is refused.

Wire names: the key of the question; for a date ``key-year``, ``key-month`` and ``key-day``. A key
begins with a letter, so fields of the page that are no question begin with an underscore.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self

from intake import canonical
from intake.errors import BadFile, Misuse

Answer = str | tuple[str, ...]

WORST_CASE = 30_000  # bytes of canonical JSON; the envelope's 32,768 also hold its own fields
BODY_SPARE = 4096  # bytes for fields of the page that are no question
BYTES_PER_CHARACTER = 12  # urlencoded: four bytes of UTF-8, each as %XX
MOST_DIGITS = 15  # of a number; what canonical JSON lets an integer have, should one be made of it
LETTER_WA = "\u101d"
KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
CODE = re.compile(r"[A-Za-z0-9_]{1,32}")


class Sentence(StrEnum):
    """Every sentence that :meth:`Form.validate` says; msgids, with numbers in braces."""

    REQUIRED = "Please answer this question."
    NO_CONSENT = "Without your yes here we keep nothing. Nothing was stored."
    NOT_A_CHOICE = "Please choose one of the answers shown here."
    DOUBLED = "This question was answered twice. Please answer it once."
    TOO_LONG = "This is {over} characters too long; there is room for {limit}. Please shorten it."
    UNREADABLE = "Some of these characters cannot be read. Please write this again."
    NOT_A_NUMBER = "Please write only a number here, with at most {limit} digits."
    HALF_A_DATE = "Please choose the year and the month, or leave the whole date empty."
    NO_SUCH_DAY = "This day is not in the calendar. Please choose again, or leave the day empty."
    FUTURE = "This date has not come yet. Please choose again."
    TOO_EARLY = "Please choose a year from {from_year} on, or leave the whole date empty."
    UNKNOWN_FIELD = "The page sent something that this form does not ask. Nothing was stored."


class Errors(dict[str, str]):
    """Question key -> :class:`Sentence`; the key "" is for the whole form.

    ``numbers[key]`` fills the braces: ``wording.text(errors[key], **errors.numbers[key])``.
    """

    def __init__(self) -> None:
        """Begin with no error."""
        super().__init__()
        self.numbers: dict[str, dict[str, int]] = {}


class _WrongAnswer(Exception):  # noqa: N818 - never leaves this module
    """Carries a :class:`Sentence` and its numbers to :meth:`Form.validate`."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one source sent in one go: the answers, and which form they answer."""

    form: str
    version: int
    answers: Mapping[str, Answer]

    def as_object(self) -> dict[str, object]:
        """Return the testimony as JSON values."""
        answers = {k: a if isinstance(a, str) else list(a) for k, a in self.answers.items()}
        return {"answers": answers, "form": self.form, "version": self.version}

    def canonical(self) -> bytes:
        """Return the testimony's one spelling."""
        return canonical.dump(self.as_object())

    @classmethod
    def from_object(cls, value: object) -> Self:
        """Return the testimony that ``value`` is. Raises ``BadFile`` unless its structure is right.

        Keys and codes are not checked: a desk may read a testimony of another or a newer form.
        """
        fields = canonical.check_object(value, {"answers", "form", "version"})
        form, version, raw = fields["form"], fields["version"], fields["answers"]
        if isinstance(form, str) and type(version) is int and isinstance(raw, dict):
            lists = {k: tuple(map(str, a)) for k, a in raw.items() if isinstance(a, list)}
            texts = {k: a for k, a in raw.items() if isinstance(a, str)}
            testimony = cls(form, version, {**texts, **lists})
            if testimony.as_object() == value:
                return testimony
        raise BadFile(
            "A testimony in the file does not have the shape of one.",
            "It may come from another version of Intake. Update this machine.",
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer that can be chosen: what is stored, and the msgid that is shown."""

    code: str
    label: str


@dataclass(frozen=True, slots=True)
class Group:
    """Choices under one heading, or under none."""

    label: str | None
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``limit`` counts characters (text) or digits (number)."""

    key: str
    kind: str
    label: str
    help: str = ""
    required: bool = False
    limit: int = 0
    groups: tuple[Group, ...] = ()
    show: str = "radio"
    lines: int = 1
    from_year: int = 0

    def names(self) -> tuple[str, ...]:
        """Return the wire names, in order."""
        parts = ("-year", "-month", "-day") if self.kind == "date" else ("",)
        return tuple(self.key + part for part in parts)

    def codes(self) -> tuple[str, ...]:
        """Return the declared codes, in order."""
        return tuple(choice.code for group in self.groups for choice in group.choices)

    def years(self, today: date) -> range:
        """Return the years to offer for a date, the latest first."""
        return range(_latest(today).year, self.from_year - 1, -1)

    def greatest(self) -> Answer:
        """Return the answer that takes the most bytes."""
        if self.kind == "many":
            return self.codes()
        if self.kind == "text":
            return "\x00" * self.limit  # six bytes each in JSON; no character takes more
        return max(*self.codes(), "9" * self.limit, "2021-02-01", key=len)


@dataclass(frozen=True, slots=True)
class Section:
    """Questions under one title. ``help`` may have several lines, one paragraph each."""

    key: str
    title: str
    help: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A declared form."""

    id: str
    version: int
    title: str
    sections: tuple[Section, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the form declared in the TOML file ``path``. Raises ``Misuse`` with the place."""
        try:
            table = tomllib.loads(path.read_bytes().decode("utf-8"))
        except (OSError, ValueError) as error:
            raise _bad(path.name, f"it cannot be read ({error})") from None
        needed = {"id": KEY, "version": range(1, 10**6), "title": str, "section": list}
        _check(table, needed, {}, path.name)
        sections = tuple(_section(section, path.name) for section in table.pop("section"))
        form = cls(sections=sections, **table)
        _check_doubles([section.key for section in sections], path.name)
        _check_doubles([question.key for question in form.questions()], path.name)
        if form.worst_case() > WORST_CASE:
            what = f"a testimony at every limit takes {form.worst_case()} bytes, over {WORST_CASE}"
            raise _bad(path.name, what)
        return form

    def questions(self) -> Iterator[Question]:
        """Yield every question, in order."""
        for section in self.sections:
            yield from section.questions

    def names(self) -> tuple[str, ...]:
        """Return every wire name, in order."""
        return tuple(name for question in self.questions() for name in question.names())

    def worst_case(self) -> int:
        """Return the size in bytes of the greatest testimony, as canonical JSON."""
        answers = {question.key: question.greatest() for question in self.questions()}
        return len(Testimony(self.id, self.version, answers).canonical())

    def body_limit(self) -> int:
        """Return the greatest urlencoded body, in bytes, that must come back on an error.

        That is every text at 1.25 times its limit, and every other answer at its greatest.
        """
        total = BODY_SPARE
        for question in self.questions():
            greatest = question.greatest()
            for answer in [greatest] if isinstance(greatest, str) else greatest:
                total += (len(answer) * 5 // 4 + 1) * BYTES_PER_CHARACTER
                total += sum(len(name) + len("=&") for name in question.names())
        return total

    def validate(self, answers: Mapping[str, Sequence[str]], today: date) -> Testimony | Errors:
        """Return the testimony, or what is wrong with the ``answers`` (wire name -> values)."""
        accepted: dict[str, Answer] = {}
        errors = Errors()
        if answers.keys() - set(self.names()):
            errors[""], errors.numbers[""] = Sentence.UNKNOWN_FIELD, {}
        for question in self.questions():
            sent = [answers.get(name, ()) for name in question.names()]
            try:
                answer = _read(question, sent, today)
            except _WrongAnswer as wrong:
                errors[question.key], errors.numbers[question.key] = wrong.args
            else:
                if answer:
                    accepted[question.key] = answer
        return errors or Testimony(self.id, self.version, accepted)


# How an answer is read. Each kind has a reader: what was typed -> the answer, "" or () for none.


def _read(question: Question, sent: Sequence[Sequence[str]], today: date) -> Answer:
    typed = [values[0] if values else "" for values in sent]
    if question.kind == "many":
        typed = [value for value in sent[0] if value]
    elif any(len(values) > 1 for values in sent):
        raise _WrongAnswer(Sentence.DOUBLED, {})
    answer = KINDS[question.kind].read(question, typed, today)
    if question.required and not answer:
        consent = question.kind == "consent"
        raise _WrongAnswer(Sentence.NO_CONSENT if consent else Sentence.REQUIRED, {})
    return answer


def _one(question: Question, typed: list[str], _: date) -> Answer:
    if typed[0] and typed[0] not in question.codes():
        raise _WrongAnswer(Sentence.NOT_A_CHOICE, {})
    return typed[0]


def _many(question: Question, typed: list[str], _: date) -> Answer:
    if not set(typed) <= set(question.codes()):
        raise _WrongAnswer(Sentence.NOT_A_CHOICE, {})
    if len(set(typed)) < len(typed):
        raise _WrongAnswer(Sentence.DOUBLED, {})
    return tuple(code for code in question.codes() if code in typed)


def _text(question: Question, typed: list[str], _: date) -> Answer:
    text = typed[0].replace("\r\n", "\n")
    if not text.strip():
        return ""
    if (over := len(text) - question.limit) > 0:
        raise _WrongAnswer(Sentence.TOO_LONG, {"over": over, "limit": question.limit})
    if any("\ud800" <= character <= "\udfff" for character in text):  # has no UTF-8
        raise _WrongAnswer(Sentence.UNREADABLE, {})
    return text


def _number(question: Question, typed: list[str], _: date) -> Answer:
    digits = _digits(typed[0])
    if digits is None or len(digits) > question.limit:
        raise _WrongAnswer(Sentence.NOT_A_NUMBER, {"limit": question.limit})
    return digits


def _date(question: Question, typed: list[str], today: date) -> Answer:
    year, month, day = map(_digits, typed)
    if year is None or month is None or day is None:
        raise _WrongAnswer(Sentence.NOT_A_CHOICE, {})
    if not (year and month):
        if year or month or day:
            raise _WrongAnswer(Sentence.HALF_A_DATE, {})
        return ""
    try:
        exact = date(int(year), int(month), int(day or 1))
    except (ValueError, OverflowError):
        raise _WrongAnswer(Sentence.NO_SUCH_DAY, {}) from None
    if exact.year < question.from_year:
        raise _WrongAnswer(Sentence.TOO_EARLY, {"from_year": question.from_year})
    if exact > _latest(today):
        raise _WrongAnswer(Sentence.FUTURE, {})
    return exact.isoformat() if day else exact.isoformat()[: len("YYYY-MM")]


def _consent(_: Question, typed: list[str], __: date) -> Answer:
    if typed[0] not in {"yes", "no", ""}:
        raise _WrongAnswer(Sentence.NOT_A_CHOICE, {})
    return "yes" if typed[0] == "yes" else ""


def _digits(typed: str) -> str | None:
    """Return a number in Latin digits, "" for none, None for anything else."""
    digits = typed.strip().replace(LETTER_WA, "0")
    if digits.isdecimal() and len(digits) <= MOST_DIGITS:
        return str(int(digits))
    return None if digits else ""


def _latest(today: date) -> date:
    return today + timedelta(days=1)


# What may be declared. A rule is a type, a pattern, or a range or set that holds the value.

Rules = Mapping[str, Any]
CHOICES: Rules = {"choices": dict, "groups": dict}


class Kind(NamedTuple):
    """How answers of a kind are read, and what its declaration needs and may have."""

    read: Callable[[Question, list[str], date], Answer]
    needed: Rules
    optional: Rules


KINDS: Mapping[str, Kind] = {
    "one": Kind(_one, {}, {**CHOICES, "show": {"radio", "select"}}),
    "many": Kind(_many, {}, CHOICES),
    "text": Kind(_text, {"limit": range(1, WORST_CASE)}, {"lines": range(1, 40)}),
    "number": Kind(_number, {"limit": range(1, MOST_DIGITS + 1)}, {}),
    "date": Kind(_date, {"from_year": range(1900, 2100)}, {}),
    "consent": Kind(_consent, {}, {}),
}


def _section(table: dict[str, Any], where: str) -> Section:
    where = f"{where}, section {table.get('key')}"
    _check(table, {"key": KEY, "title": str, "question": list}, {"help": str}, where)
    questions = tuple(_question(question, where) for question in table.pop("question"))
    return Section(**{"help": "", **table}, questions=questions)


def _question(table: dict[str, Any], where: str) -> Question:
    where = f"{where}, question {table.get('key')}"
    _check({"kind": table.get("kind")}, {"kind": KINDS.keys()}, {}, where)
    _, needed, optional = KINDS[table["kind"]]
    needed = {"key": KEY, "kind": str, "label": str, **needed}
    _check(table, needed, {"help": str, "required": bool, **optional}, where)
    groups = table.pop("groups", {})
    _check(groups, dict.fromkeys(groups, dict), {}, where)
    headed = [(None, table.pop("choices"))] if "choices" in table else []
    headed += groups.items()
    question = Question(**table, groups=tuple(_group(label, c, where) for label, c in headed))
    if "choices" in optional and not question.groups:
        raise _bad(where, "there is nothing to choose")
    _check_doubles(question.codes(), where)
    return question


def _group(label: str | None, choices: dict[str, Any], where: str) -> Group:
    _check(choices, dict.fromkeys(filter(CODE.fullmatch, choices), str), {}, where)
    return Group(label, tuple(Choice(*choice) for choice in choices.items()))


def _check(table: Mapping[str, Any], needed: Rules, optional: Rules, where: str) -> None:
    rules = {**optional, **needed}
    for name in [*table, *needed]:
        if name not in rules:
            raise _bad(where, f"“{name}” means nothing here")
        if name not in table:
            raise _bad(where, f"“{name}” is missing")
        if not _fits(table[name], rules[name]):
            raise _bad(where, f"“{name}” cannot be {table[name]!r}")


def _fits(value: Any, rule: Any) -> bool:  # noqa: ANN401 - whatever TOML holds
    if isinstance(rule, re.Pattern):
        return isinstance(value, str) and rule.fullmatch(value) is not None
    if rule is list:
        return isinstance(value, list) and value != [] and all(type(v) is dict for v in value)
    if isinstance(rule, type):
        return type(value) is rule and (bool(value) or rule is bool)
    return type(value) in {int, str} and value in rule


def _check_doubles(names: Sequence[str], where: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _bad(where, f"“{name}” is there twice")


def _bad(where: str, what: str) -> Misuse:
    return Misuse(
        f"The form cannot be used. In {where}: {what}.",
        "Correct the declaration, or set INTAKE_FORM to another file.",
    )
