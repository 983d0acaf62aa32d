"""A redacted case file: a page that may leave the desk, from which struck passages are really gone.

Procedure: :func:`redact` chooses and strikes, :func:`html` writes the page and reads it back.

Rules:
- Only answers whose question is kept are in the file. The source's consents always are, and if the
  source agreed to no passing on, the page says so first.
- What a source chose says as much as what they typed: if a struck passage stands in the label of a
  choice, in either language, the whole answer is struck. Our questions and headings are the same in
  every file; they tell nothing, and stay.
- An answer in Zawgyi is shown and struck in its Unicode copy, which any machine can show.
- No case tag or number, row, receipt, keyring, reviewer or fault; a random number instead. No day
  either, but the month, unless days are kept.
- Before a byte is on the disk, the page is searched for every passage in every spelling, and all of
  it that is no answer is compared with a page that has other answers.
- A refusal names a passage by its number, never by its words.
"""

import re
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from markupsafe import Markup

from intake.desk import page, zawgyi
from intake.desk.cases import Case
from intake.desk.passage import SHORTEST, searched, spellings, stands, struck
from intake.desk.reading import Opened, Shown, Words
from intake.envelope import TESTIMONY, WORDS
from intake.errors import Misuse, Unsafe

DAY = "day"  # keep it, and days stay days
_PASSING = frozenset({"c_assist", "c_refer", "c_quote"})  # consents to give something to others
_CONSENT = "consent"
_MONTH = len("2021-08")
_ANSWER = re.compile(r"(?<=<bdi>).*?(?=</bdi>)", re.DOTALL)
_MARKED = re.compile(r'<b class="u">[^<]*</b>|<i>[^<]*</i>|<[^>]*>')  # what ``visible`` adds

Translate = Callable[[str], str]


class Answer(NamedTuple):
    """An answer in pieces; an empty one is a bar.

    ``known``: they are a label in two languages. ``copied``: they are the Unicode copy of Zawgyi.
    """

    known: bool
    pieces: tuple[str, ...]
    copied: bool = False


class Row(NamedTuple):
    """A question and its answers; the label is empty where our form does not ask it."""

    label: str
    kind: str
    answers: tuple[Answer, ...]


class Part(NamedTuple):
    """What is kept of one envelope: rows by the title of their section."""

    kind: str
    when: str
    sections: tuple[tuple[str, tuple[Row, ...]], ...]


@dataclass(frozen=True, slots=True)
class Redacted:
    """What the page shows. ``number`` is random; ``passages`` are there to check the page with."""

    number: str
    parts: tuple[Part, ...]
    consents: tuple[Shown, ...]
    passages: tuple[str, ...] = field(repr=False)

    @property
    def answers(self) -> list[Answer]:
        """All answers in the file."""
        rows = (row for part in self.parts for _, own in part.sections for row in own)
        return [answer for row in rows for answer in row.answers]

    @property
    def strikes(self) -> int:
        """How many bars are in the file."""
        return sum(answer.pieces.count("") for answer in self.answers)

    @property
    def may_pass(self) -> bool:
        """Whether the source agreed that anything is given to others."""
        return any(one.key in _PASSING and one.answers == (Words("Yes"),) for one in self.consents)


def redact(
    case: Case,
    opened: Sequence[Opened],
    keep: Collection[str],
    strike: Sequence[str],
    my: Translate,
) -> Redacted:
    """Return the file with the answers to the questions ``keep``, from which ``strike`` is struck.

    ``keep`` are keys of questions, and perhaps :data:`DAY`; ``my`` translates a label.

    Raises :class:`Misuse` for a key that no answer has, and for a passage that has less than two
    letters or is nowhere in the case; :class:`Unsafe` if the source has withdrawn, or asked to.
    """
    if case.hidden:
        raise Unsafe("The source has withdrawn this case.", "Nothing of it may be passed on.")
    items = [item for item in opened if item.received.kind in {TESTIMONY, WORDS}]
    asked = [one for item in items for _, section in item.sections for one in section]
    said = [one for one in asked if one.kind != _CONSENT]
    if unknown := sorted(set(keep) - {one.key for one in said} - {DAY}):
        known = ", ".join(dict.fromkeys(one.key for one in said if one.label))
        raise Misuse(f"No answer here has the key {unknown[0]}.", f"Those there are: {known}")
    texts = [piece for one in said for answer in _answers(one, my) for piece in answer.pieces]
    _check(strike, texts)
    parts = (_part(item, keep, strike, my) for item in items)
    # Only a whole testimony asks for consents, and the last one counts.
    asking = [item for item in items if item.received.kind == TESTIMONY][-1:]
    shown = [one for item in asking for _, section in item.sections for one in section]
    consents = tuple(one for one in shown if one.kind == _CONSENT)
    kept = tuple(part for part in parts if part.sections)
    return Redacted(secrets.token_hex(4), kept, consents, tuple(strike))


def html(file: Redacted, my: Translate, *, demo: bool) -> bytes:
    """Return the page, UTF-8. Raises :class:`Unsafe` if any of a struck passage is still in it."""
    made, other = (
        page.render("redacted.html", file=file, my=my, demo=demo, veiled=veiled)
        for veiled in (False, True)
    )
    # Dangerous line: without it, what stands outside the answers is searched for nothing.
    if _ANSWER.sub("", made) != _ANSWER.sub("", other):
        raise Unsafe("An answer stands where only our words should.", "Please report this line.")
    shown = _ANSWER.findall(made)
    plain = [Markup(_MARKED.sub("", text)).unescape() for text in shown]  # noqa: S704 - read only
    everything = "\n".join([*shown, *plain]).encode().lower()
    for number, passage in enumerate(file.passages, 1):
        spelled = any(one in everything for one in spellings(passage))
        if spelled or any(stands(passage, text) for text in plain):
            hint = "Nothing was written. Strike more of it, or leave the answer out."
            raise Unsafe(f"Passage {number} is still in the page, in some spelling.", hint)
    return made.encode()


def _check(strike: Sequence[str], texts: Sequence[str]) -> None:
    """Refuse a passage that is not long enough, or stands nowhere."""
    for number, passage in enumerate(strike, 1):
        if len(searched(passage)) < SHORTEST:
            hint = "Write at least two letters of it, or leave the answer out."
            raise Misuse(f"Passage {number} is empty, or too short to be struck.", hint)
        if not any(stands(passage, text) for text in texts):
            hint = "Nothing was written. Look for a slip of the pen, or copy it from the case."
            raise Misuse(f"Passage {number} is nowhere in this case.", hint)


def _part(item: Opened, keep: Collection[str], strike: Sequence[str], my: Translate) -> Part:
    end = None if DAY in keep else _MONTH
    sections = (
        (title, tuple(_row(one, strike, my, end) for one in section if one.key in keep))
        for title, section in item.sections
    )
    kept = tuple((title, rows) for title, rows in sections if rows)
    return Part(item.received.kind, f"{item.received.day}"[:end], kept)


def _row(one: Shown, strike: Sequence[str], my: Translate, end: int | None) -> Row:
    answers = _answers(one, my)
    if one.kind == "date":
        answers = (Answer(False, (answer.pieces[0][:end],)) for answer in answers)
    return Row(one.label, one.kind, tuple(_struck(answer, strike) for answer in answers))


def _answers(one: Shown, my: Translate) -> Iterator[Answer]:
    """Yield the answers of a question, nothing struck."""
    for words in one.answers:
        if words.known:
            label = my(words.known).replace("\u200b", "")  # where our sentences may break
            yield Answer(True, tuple(dict.fromkeys((words.known, label))))
        elif words.typed:
            text = zawgyi.copy(words.typed)
            yield Answer(False, (text,), text != words.typed)


def _struck(answer: Answer, strike: Sequence[str]) -> Answer:
    pieces = tuple(piece for text in answer.pieces for piece in struck(text, strike))
    if answer.known and "" in pieces:
        return Answer(False, ("",))
    return answer._replace(pieces=pieces)
