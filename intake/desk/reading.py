"""A case's words: opened from their blobs, checked, and put beside the form's questions.

Rules:
- Words are believed only if they are the ones whose salted hash the event names, if they are what
  the event says of them, and if the row's id follows from them: the author may be planted. Only a
  file's key is not known to be right until it is used.
- Slices that carry a file's bytes are not opened to be read. Who records words as such hides them
  until they are: in the file (``assembling``), and before the server may delete them.
- A case is read in the order of days. What came on one day begins with the testimony.
- Labels come from the form that this machine has; what that form does not know is shown as it came.
- Everything ``typed`` is a source's own text. Whoever shows it goes through ``visible``.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from intake import canonical, files
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.desk import opened, record, slices
from intake.desk.cases import Case, Received
from intake.desk.slices import File
from intake.desk.state import Bundle, State
from intake.envelope import DECOY, TESTIMONY, Envelope
from intake.errors import BadFile, NoMatchingKey, Refused
from intake.form import Answer, Form, Question, each

SUMMARY = ("urgency", "force", "rank", "unit_type", "unit_no", "posted")  # tell cases apart
MORE = "More words"
ADDED = "What the source added"
_LIMIT = 1 << 17  # bytes of a blob


class Lie(BadFile):
    """Words open, and are not what was recorded of them."""


class Words(NamedTuple):
    """An answer: ``known``, a label of our form, or ``typed``, what a source wrote."""

    known: str = ""
    typed: str = ""


class Shown(NamedTuple):
    """A question and its answers; label and kind are empty where our form does not ask it."""

    key: str
    kind: str
    label: str
    answers: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """One envelope of a case, or a file whose end is not here: then the first slice of it.

    ``fault`` says why its words cannot be shown, or is empty. ``file`` is there for an end too.
    """

    received: Received
    bundle: Bundle | None
    envelope: Envelope | None = None
    sections: Sequence[tuple[str, Sequence[Shown]]] = ()
    fault: str = ""
    file: File | None = None

    @property
    def day(self) -> date:
        """When the source sent it."""
        return self.received.day


def open_case(
    folder: Path, state: State, identities: Sequence[Identity], form: Form, case: Case
) -> list[Opened]:
    """Open all envelopes of a case but the bytes of files; damage is named in its place.

    What is hidden, because its source withdrew, stays closed.
    """
    found: list[Opened] = []
    parts = slices.parts(case.received)
    ends = {item.part.file for item in case.received if item.part and item.part.end}
    for received in sorted(case.received, key=_order) if not case.hidden else ():
        bundle, part = state.bundle_of(received.id), received.part
        of = parts.get(part.file, {}) if part else {}
        if part and received.raw:
            if part.file not in ends:
                ends.add(part.file)
                found.append(Opened(received, bundle, file=File(of)))
            continue
        try:
            envelope = open_words(folder, received, identities)
        except Refused as refused:
            fault = f"{refused.what} {refused.hint}"
            found.append(Opened(received, bundle, fault=fault, file=File(of) if part else None))
            continue
        file = File(of, slices.end_of(envelope)) if part else None
        if file is None:
            found.append(Opened(received, bundle, envelope, _sections(envelope, form)))
        elif not slices.is_again(file, [item.file for item in found if item.file]):
            found.append(Opened(received, bundle, envelope, file=file))
    return found


def _order(received: Received) -> tuple[date, bool]:
    return received.day, received.kind != TESTIMONY


def open_words(folder: Path, received: Received, identities: Sequence[Identity]) -> Envelope:
    """Return the envelope whose words lie in a blob of the casebook in ``folder``.

    Raises :class:`BadFile` or :class:`NoMatchingKey`.
    """
    path = record.blob_path(folder, received.blob)
    try:
        words = unseal(files.read(path, _LIMIT), identities)
        if record.blob_name(received.salt, words) != received.blob:
            raise BadFile("These are other words.")
    except NoMatchingKey:
        raise
    except Refused:
        raise BadFile(
            f"The words of one envelope are missing or damaged: {path}",
            "Take this file from the other copy of the casebook.",
        ) from None
    envelope = opened.parse(words)
    part = received.part and received.part._replace(key=b"")
    told = (received.kind, received.day, received.keyring, received.case, part)
    said = (envelope.kind, envelope.day, envelope.keyring, envelope.case)
    bound = opened.is_bound(received.id, envelope) and envelope.kind != DECOY
    if not bound or told != (*said, slices.part_of(envelope)):
        author = received.event.author
        what = f"{author} recorded one envelope as what it is not: {path}"
        raise Lie(what, f"Its row stays on the server. Ask {author}, and tell the others.")
    return envelope


def answers(envelope: Envelope) -> Mapping[str, Answer] | None:
    """Return what a testimony answers, by key; None for all else, and for no known shape."""
    with contextlib.suppress(BadFile):
        return opened.testimony(envelope.body).answers
    return None


def proven(folder: Path, received: Received, identities: Sequence[Identity]) -> Envelope | None:
    """Return the envelope as :func:`open_words` does, None where that refuses."""
    with contextlib.suppress(Refused):
        return open_words(folder, received, identities)
    return None


def summary(found: Sequence[Opened]) -> dict[str, tuple[Words, ...]]:
    """Return the answers that tell cases apart, by key, from the first testimony."""
    told = (item.sections for item in found if item.received.kind == TESTIMONY)
    first = next(filter(None, told), ())
    given = {shown.key: shown.answers for _, section in first for shown in section if shown.label}
    return {key: given[key] for key in SUMMARY if key in given}


def _sections(envelope: Envelope, form: Form) -> list[tuple[str, list[Shown]]]:
    """Return the answers by section; a consent that was not given is an answer too.

    What the form does not ask, and what has no form, comes last, under no title.
    """
    if (more := opened.more_words(envelope)) is not None:
        return [(MORE, [Shown("words", "text", ADDED, (Words(typed=more),))])]
    if (said := answers(envelope)) is None:
        content = envelope.content.decode("utf-8", "backslashreplace")
        said = {"body": canonical.dump(envelope.body).decode(), "content": content}
        return [("", [_shown(Question(key, "", ""), said) for key in said])]
    sections = [(part.title, part.questions) for part in form.sections]
    asked = {question.key for question in form.questions()}
    sections.append(("", tuple(Question(key, "", "") for key in sorted(said.keys() - asked))))
    return [
        (title, shown)
        for title, questions in sections
        if (shown := [_shown(q, said) for q in questions if q.key in said or _asks(q)])
    ]


def _asks(question: Question) -> bool:
    return question.kind == "consent"


def _shown(question: Question, answers: Mapping[str, Answer]) -> Shown:
    labels = {"yes": "Yes", "": "No"} if _asks(question) else question.labels
    texts = each(answers.get(question.key, ""))
    words = (Words(labels[code]) if code in labels else Words(typed=code) for code in texts)
    return Shown(question.key, question.kind, question.label, tuple(words))
