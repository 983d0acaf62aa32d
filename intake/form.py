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
  not an answer. U+0000 alone is refused: an error page could not give it back as it was (HTML makes
  U+FFFD of it), and words must not change on their way. Firefox never sends it.
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

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from intake import canonical
from intake.errors import Misuse

Answer = str | tuple[str, ...]
Groups = Mapping[str | None, Mapping[str, str]]

WORST_CASE = 30_000  # bytes of canonical JSON; the envelope's 32,768 also hold its own fields
BODY_SPARE = 4096  # bytes for fields of the page that are no question
BYTES_PER_CHARACTER = 12  # urlencoded: four bytes of UTF-8, each as %XX
BYTES_PER_FIELD = 80  # the longest name and code, and what is between them
A_DAY = timedelta(days=1)
LETTER_WA = "\u101d"


class Sentence(StrEnum):
    """Every sentence that :meth:`Form.validate` says; msgids, with numbers in braces."""

    REQUIRED = "Please answer this question."
    NO_CONSENT = "Without your yes here we keep nothing. Nothing was stored."
    NOT_A_CHOICE = "Please choose one of the answers shown here."
    DOUBLED = "This question was answered twice. Please answer it once."
    TOO_LONG = "There is room for {limit} characters; this is {over} too long. Please shorten it."
    NOT_SHOWN = "A sign in this cannot be shown. It is � now. Please look, and send again."
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


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``limit`` counts characters (text) or digits (number).

    ``groups`` maps a heading, None for none, to the choices under it: code -> label, a msgid.
    """

    key: str
    kind: str
    label: str
    help: str = ""
    required: bool = False
    limit: int = 0
    groups: Groups = field(default_factory=dict)
    show: str = "radio"
    lines: int = 1
    from_year: int = 0

    def names(self) -> tuple[str, ...]:
        """Return the wire names, in order."""
        parts = ("-year", "-month", "-day") if self.kind == "date" else ("",)
        return tuple(self.key + part for part in parts)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of all choices by their codes, in order."""
        return {code: label for group in self.groups.values() for code, label in group.items()}

    def codes(self) -> tuple[str, ...]:
        """Return the declared codes, in order."""
        return tuple(self.labels)

    def years(self, today: date) -> range:
        """Return the years to offer for a date, the latest first."""
        return range((today + A_DAY).year, self.from_year - 1, -1)

    def greatest(self) -> Answer:
        """Return the answer that takes the most bytes."""
        if self.kind == "many":
            return self.codes()
        if self.kind == "text":
            return "\x01" * self.limit  # six bytes each in JSON; no character takes more
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
        """Return the form declared in the TOML file ``path``. Raises ``Misuse``.

        What a declaration may hold is checked by ``intake.declaration``, which ``admin doctor``
        runs; here only what would cost a testimony: that it can be read, that no answer gets
        lost under a doubled or unknown name, and that the greatest testimony fits.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            sections = tuple(map(_section, table["section"]))
            form = cls(table["id"], table["version"], table["title"], sections)
            known = all(question.kind in READERS for question in form.questions())
            once = len(set(form.names())) == len(form.names())
            good = known and once and form.worst_case() <= WORST_CASE
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            good = False
        if not good:
            hint = "To see what is wrong in it: python -m intake.admin doctor"
            raise Misuse(f"{path} cannot be used as the form.", hint)
        return form

    def questions(self) -> Iterator[Question]:
        """Return every question, in order."""
        return (question for section in self.sections for question in section.questions)

    def labels(self) -> dict[str, dict[str, str]]:
        """Return the labels of every question's choices, by its key."""
        return {question.key: question.labels for question in self.questions()}

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
    answer = READERS[question.kind](question, typed, today)
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
    if "\0" in text:
        raise _WrongAnswer(Sentence.NOT_SHOWN, {})
    if (over := len(text) - question.limit) > 0:
        raise _WrongAnswer(Sentence.TOO_LONG, {"over": over, "limit": question.limit})
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


READERS: Mapping[str, Callable[[Question, list[str], date], Answer]] = {
    "one": _one,
    "many": _many,
    "text": _text,
    "number": _number,
    "date": _date,
    "consent": _consent,
}


def each(answer: Answer) -> tuple[str, ...]:
    """Return the codes or texts of an answer, which may be several."""
    return (answer,) if isinstance(answer, str) else answer


# How a declaration is read. ``intake.declaration`` says what is wrong with one, and where.


def _section(table: dict[str, Any]) -> Section:
    questions = tuple(map(_question, table["question"]))
    return Section(table["key"], table["title"], table.get("help", ""), questions)


def _question(table: dict[str, Any]) -> Question:
    plain = {name: value for name, value in table.items() if name != "choices"}
    return Question(**plain, groups=grouped(table.get("choices", {})))


def grouped(choices: Mapping[str, Any]) -> Groups:
    """Return the choices of a table; a table in it holds those under the heading that names it."""
    headed: dict[str | None, Any] = {h: own for h, own in choices.items() if isinstance(own, dict)}
    flat = {code: label for code, label in choices.items() if code not in headed}
    return {None: flat, **headed} if flat else headed
