"""A case's words: opened from their blob, checked, and put beside the form's questions.

Rules:
- Words are believed only if they are the ones whose salted hash the event names.
- Labels come from the form that this machine has; what that form does not know is shown as it came.
- Everything here is still a source's own text. Whoever shows it goes through ``visible``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from intake import canonical, files
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.desk import opened, record
from intake.desk.state import Bundle, Case, Received, State
from intake.envelope import Envelope
from intake.errors import BadFile, NoMatchingKey, Refused
from intake.form import Form, Question, Testimony

_LIMIT = 1 << 17  # bytes of a blob
SUMMARY = ("urgency", "force", "rank", "unit_type", "unit_no", "posted")


@dataclass(frozen=True, slots=True)
class Words:
    """An answer: ``known``, a label of our form, or ``typed``, what a source wrote."""

    known: str = ""
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One answered question; label and kind are empty where the form does not ask it."""

    key: str
    kind: str
    label: str
    answers: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """One envelope of a case. ``fault`` says why its words cannot be shown, or is empty."""

    received: Received
    bundle: Bundle | None
    envelope: Envelope | None
    testimony: Testimony | None
    sections: Sequence[tuple[str, Sequence[Shown]]]
    fault: str = ""


def open_case(
    folder: Path, state: State, case: Case, identities: Sequence[Identity], form: Form
) -> list[Opened]:
    """Open all envelopes of a case, in their order; damage is named in its place."""
    found = []
    for received in case.received:
        bundle = state.bundle_of(received.id)
        try:
            envelope = open_words(folder, received, identities)
        except Refused as refused:
            fault = f"{refused.what} {refused.hint}"
            found.append(Opened(received, bundle, None, None, (), fault))
            continue
        words = testimony(envelope)
        sections = answered(words, form) if words else _raw(envelope)
        found.append(Opened(received, bundle, envelope, words, sections))
    return found


def open_words(folder: Path, received: Received, identities: Sequence[Identity]) -> Envelope:
    """Return the envelope whose words lie in a blob of the casebook in ``folder``.

    Raises :class:`BadFile` or :class:`NoMatchingKey`.
    """
    path = record.blob_path(folder, received.blob)
    try:
        words = unseal(files.read(path, _LIMIT), identities)
        if record.blob_name(received.salt, words) == received.blob:
            return opened.parse(words)
    except NoMatchingKey:
        raise
    except Refused:
        pass
    raise BadFile(
        f"The words of one envelope are missing or damaged: {path}",
        "Take this file from the second copy of the casebook.",
    )


def testimony(envelope: Envelope) -> Testimony | None:
    """Return the testimony in an envelope, None if there is none."""
    try:
        return Testimony.from_object(envelope.body)
    except BadFile:
        return None


def answered(found: Testimony, form: Form) -> list[tuple[str, list[Shown]]]:
    """Return the answers by section of the form; a consent that was not given is an answer too.

    What the form does not ask comes last, under no title.
    """
    sections = []
    for section in form.sections:
        shown = [_shown(q, found.answers) for q in section.questions if _counts(q, found.answers)]
        if shown:
            sections.append((section.title, shown))
    asked = {question.key for question in form.questions()}
    rest = [
        Shown(key, "", "", tuple(Words(typed=text) for text in _texts(answer)))
        for key, answer in sorted(found.answers.items())
        if key not in asked
    ]
    return [*sections, ("", rest)] if rest else sections


def summary(found: Testimony | None, form: Form) -> dict[str, tuple[Words, ...]]:
    """Return the answers that tell cases apart, by key, as far as they were given."""
    if found is None:
        return {}
    questions = {question.key: question for question in form.questions()}
    return {
        key: _shown(questions[key], found.answers).answers
        for key in SUMMARY
        if key in questions and key in found.answers
    }


def _raw(envelope: Envelope) -> list[tuple[str, list[Shown]]]:
    """Return what an envelope of another kind, or of no form, has: as it came."""
    body = Words(typed=canonical.dump(envelope.body).decode())
    content = Words(typed=envelope.content.decode("utf-8", "backslashreplace"))
    return [("", [Shown("", "text", "", (words,)) for words in (body, content) if words.typed])]


def _counts(question: Question, answers: Mapping[str, object]) -> bool:
    return question.kind == "consent" or question.key in answers


def _shown(question: Question, answers: Mapping[str, str | tuple[str, ...]]) -> Shown:
    labels = {choice.code: choice.label for group in question.groups for choice in group.choices}
    if question.kind == "consent":
        labels = {"yes": "Yes", "": "No"}
    given = answers.get(question.key, "")
    words = tuple(
        Words(known=labels[code]) if code in labels else Words(typed=code) for code in _texts(given)
    )
    return Shown(question.key, question.kind, question.label, words)


def _texts(answer: str | tuple[str, ...]) -> tuple[str, ...]:
    return (answer,) if isinstance(answer, str) else answer
