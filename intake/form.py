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
from typing import Any, Self

from intake import canonical
from intake.errors import BadFile, Misuse

Answer = str | tuple[str, ...]

WORST_CASE = 30_000  # bytes of canonical JSON; the envelope's 32,768 also hold its own fields
BODY_SPARE = 4096  # bytes for fields of the page that are no question
BYTES_PER_CHARACTER = 12  # urlencoded: four bytes of UTF-8, each as %XX
BYTES_PER_FIELD = 80  # the longest name and code, and what is between them
A_DAY = timedelta(days=1)
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
    UNKNOWN_FIELD = "The page sent something that this form does not ask. Nothing was stored."


class Errors(dict[str, str]):
    """Question key -> :class:`Sentence`; the key "" is for the whole form.

    ``numbers[key]`` fills the braces: ``wording.text(errors[key], **errors.numbers[key])``.
    """

    def __init__(self) -> None:
        """Begin with no error."""
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
            read = {
                k: tuple(map(str, a)) if isinstance(a, list) else str(a) for k, a in raw.items()
            }
            testimony = cls(form, version, read)
            if testimony.as_object() == value:
                return testimony
        raise BadFile("A testimony has the wrong shape.", "Update Intake on this machine.")


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
        return range((today + A_DAY).year, self.from_year - 1, -1)

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
        _check_doubles([*(s.key for s in sections), *(q.key for q in form.questions())], path.name)
        if form.worst_case() > WORST_CASE:
            raise _bad(path.name, f"its limits allow {form.worst_case()} bytes, not {WORST_CASE}")
        return form

    def questions(self) -> Iterator[Question]:
        """Return every question, in order."""
        return (question for section in self.sections for question in section.questions)

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
        characters = sum(question.limit * 5 // 4 + 1 for question in self.questions())
        many = [question for question in self.questions() if question.kind == "many"]
        fields = len(self.names()) + sum(len(question.codes()) for question in many)
        return BODY_SPARE + characters * BYTES_PER_CHARACTER + fields * BYTES_PER_FIELD

    def validate(self, answers: Mapping[str, Sequence[str]], today: date) -> Testimony | Errors:
        """Return the testimony, or what is wrong with the ``answers`` (wire name -> values)."""
        accepted: dict[str, Answer] = {}
        errors = Errors()
        if answers.keys() - set(self.names()):
            errors[""], errors.numbers[""] = Sentence.UNKNOWN_FIELD, {}
        for question in self.questions():
            sent = [answers.get(name, ()) for name in question.names()]
            try:
                if answer := _read(question, sent, today):
                    accepted[question.key] = answer
            except _WrongAnswer as wrong:
                errors[question.key], errors.numbers[question.key] = wrong.args
        return errors or Testimony(self.id, self.version, accepted)


# How an answer is read. Each kind has a reader: what was typed -> the answer, "" or () for none.


def _read(question: Question, sent: Sequence[Sequence[str]], today: date) -> Answer:
    typed = [values[0] if values else "" for values in sent]
    if question.kind == "many":
        typed = [value for value in sent[0] if value]
    elif any(len(values) > 1 for values in sent):
        raise _WrongAnswer(Sentence.DOUBLED, {})
    answer = KINDS[question.kind][0](question, typed, today)
    if answer or not question.required:
        return answer
    consent = question.kind == "consent"
    raise _WrongAnswer(Sentence.NO_CONSENT if consent else Sentence.REQUIRED, {})


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
    wrong = _WrongAnswer(Sentence.NOT_A_NUMBER, {"limit": question.limit})
    return _digits(typed[0], question.limit, wrong)


def _date(question: Question, typed: list[str], today: date) -> Answer:
    wrong = _WrongAnswer(Sentence.NOT_A_CHOICE, {})
    year, month, day = (_digits(part, len("YYYY"), wrong) for part in typed)
    if not (year and month):
        if year or month or day:
            raise _WrongAnswer(Sentence.HALF_A_DATE, {})
        return ""
    try:
        exact = date(int(year), int(month), int(day or 1))
    except ValueError:
        raise _WrongAnswer(Sentence.NO_SUCH_DAY, {}) from None
    if exact.year < question.from_year:
        raise wrong
    if exact > today + A_DAY:
        raise _WrongAnswer(Sentence.FUTURE, {})
    return exact.isoformat() if day else exact.isoformat()[: len("YYYY-MM")]


def _consent(_: Question, typed: list[str], __: date) -> Answer:
    if typed[0] not in {"yes", "no", ""}:
        raise _WrongAnswer(Sentence.NOT_A_CHOICE, {})
    return "yes" if typed[0] == "yes" else ""


def _digits(typed: str, limit: int, wrong: _WrongAnswer) -> str:
    """Return a number in Latin digits, or "" for none; anything else is ``wrong``."""
    digits = typed.strip().replace(LETTER_WA, "0")
    if digits and not (digits.isdecimal() and len(digits) <= limit):
        raise wrong
    return str(int(digits)) if digits else ""


# What may be declared. A rule is a type, a pattern, or a range or set that holds the value.

Rules = Mapping[str, Any]
KINDS: Mapping[str, tuple[Callable[[Question, list[str], date], Answer], Rules, Rules]] = {
    # kind: how its answers are read, what its declaration needs, and what it may have
    "one": (_one, {"choices": dict}, {"show": {"radio", "select"}}),
    "many": (_many, {"choices": dict}, {}),
    "text": (_text, {"limit": range(1, WORST_CASE)}, {"lines": range(1, 40)}),
    "number": (_number, {"limit": range(1, 16)}, {}),
    "date": (_date, {"from_year": range(1900, 2100)}, {}),
    "consent": (_consent, {}, {}),
}


def _section(table: dict[str, Any], where: str) -> Section:
    where = f"{where}, section {table.get('key')}"
    _check(table, {"key": KEY, "title": str, "question": list}, {"help": str}, where)
    questions = tuple(_question(question, where) for question in table.pop("question"))
    return Section(**{"help": "", **table}, questions=questions)


def _question(table: dict[str, Any], where: str) -> Question:
    where = f"{where}, question {table.get('key')}"
    _, needed, optional = KINDS.get(str(table.get("kind")), KINDS["consent"])
    needed = {"kind": KINDS.keys(), "key": KEY, "label": str, **needed}
    _check(table, needed, {"help": str, "required": bool, **optional}, where)
    question = Question(groups=_groups(table.pop("choices", {}), where), **table)
    _check_doubles(question.codes(), where)
    return question


def _groups(choices: dict[str, Any], where: str) -> tuple[Group, ...]:
    """Return the choices of a table; a table in it holds those under the heading that names it."""
    headed = {heading: under for heading, under in choices.items() if type(under) is dict}
    flat = {code: label for code, label in choices.items() if code not in headed}
    _check(headed, dict.fromkeys(headed, dict), {}, where)
    groups: list[tuple[str | None, dict[str, Any]]] = [(None, flat), *headed.items()]
    for _, under in groups:
        _check(under, dict.fromkeys(filter(CODE.fullmatch, under), str), {}, where)
    return tuple(Group(h, tuple(Choice(*c) for c in g.items())) for h, g in groups if g)


def _check(table: Mapping[str, Any], needed: Rules, optional: Rules, where: str) -> None:
    rules = {**optional, **needed}
    for name in [*needed, *table]:
        if name not in rules:
            raise _bad(where, f"“{name}” means nothing here")
        if not _fits(table.get(name), rules[name]):
            raise _bad(where, f"“{name}” is missing, or is not what it must be")


def _fits(value: Any, rule: Any) -> bool:  # noqa: ANN401 - whatever TOML holds
    if isinstance(rule, re.Pattern):
        return isinstance(value, str) and rule.fullmatch(value) is not None
    if rule is list:
        return isinstance(value, list) and value != [] and all(type(v) is dict for v in value)
    if isinstance(rule, type):
        return type(value) is rule and (bool(value) or rule is bool)
    return type(value) in {int, str} and value in rule


def _check_doubles(names: Sequence[str], where: str) -> None:
    if doubled := {name for name in names if names.count(name) > 1}:
        raise _bad(where, f"“{min(doubled)}” is there twice")


def _bad(where: str, what: str) -> Misuse:
    return Misuse(f"The form is wrong. In {where}: {what}.", "Correct it, or use another form.")
