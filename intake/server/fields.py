"""The declared form as a FlaskForm class, generated, so that WTForms shows and escapes it.

Rules:
- Nothing is validated here: ``FlaskForm.validate`` asks ``intake.form``, the only place that
  decides, and hangs its sentences beside the fields.
- What was typed goes back into the fields as it came.
- CSRF tokens of Flask-WTF are off: they need a cookie and carry a readable time. The Origin rule
  in ``requests`` stands in their place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Self

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    Field,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.widgets import CheckboxInput

from intake.form import Form, Question, Testimony
from intake.wording import Wording


class DeclaredForm(FlaskForm):
    """What the generated classes share."""

    declaration: Form
    wording: Wording
    page_error = ""

    class Meta:
        """Flask-WTF's switches."""

        csrf = False

    def check(self, fields: Mapping[str, Sequence[str]], today: date) -> Testimony | None:
        """Return the testimony, or None with every error beside its field."""
        found = self.declaration.validate(fields, today)
        if isinstance(found, Testimony):
            return found
        for key, sentence in found.items():
            error = self.wording.text(sentence, **found.numbers[key])
            if key:
                self[_first_name(self.declaration, key)].errors = [error]
            else:
                self.page_error = error
        return None

    def telling(self, sentence: str) -> Self:
        """Return the form with one sentence above it."""
        self.page_error = self.wording.text(sentence)
        return self

    @property
    def summary(self) -> list[tuple[str, str, str]]:
        """Anchor, label and error of every field with an error, in the form's order."""
        return [
            (q.key, self.wording.text(q.label), str(error))
            for q in self.declaration.questions()
            for error in self[q.names()[0]].errors
        ]


def generate(form: Form, wording: Wording, today: date) -> type[DeclaredForm]:
    """Return the FlaskForm class of a declaration, in one language."""
    fields: dict[str, Any] = {"declaration": form, "wording": wording}
    for question in form.questions():
        fields |= dict(zip(question.names(), _fields(question, wording, today), strict=True))
    return type("SourceForm", (DeclaredForm,), fields)


def filled(
    form: Form, wording: Wording, today: date, fields: Mapping[str, Sequence[str]]
) -> DeclaredForm:
    """Return the form with what was typed in it."""
    typed = MultiDict((name, value) for name, values in fields.items() for value in values)
    return generate(form, wording, today)(formdata=typed)


def _fields(question: Question, wording: Wording, today: date) -> list[Field]:
    label, kind = wording.text(question.label), question.kind
    if kind == "date":
        return _date_fields(question, wording, today)
    if kind == "one" and question.show == "select":
        return [_select(label, _grouped(question, wording))]
    if kind in {"one", "many"}:
        choices = [(c.code, wording.text(c.label)) for g in question.groups for c in g.choices]
        if kind == "one":
            return [RadioField(label, choices=choices, validate_choice=False)]
        boxes = {"option_widget": CheckboxInput(), "validate_choice": False}
        return [SelectMultipleField(label, choices=choices, **boxes)]
    if kind == "consent":
        return [BooleanField(label)]
    return [TextAreaField(label) if question.lines > 1 else StringField(label)]


def _date_fields(question: Question, wording: Wording, today: date) -> list[Field]:
    text, numerals = wording.text, wording.numerals
    years = [(str(year), numerals(str(year))) for year in question.years(today)]
    months = [(str(number), text(name)) for number, name in enumerate(MONTHS, start=1)]
    days = [(str(number), numerals(str(number))) for number in range(1, 32)]
    parts = {"Year": years, "Month": months, "Day": days}
    return [_select(text(part), [("", text(part)), *some]) for part, some in parts.items()]


def _select(label: str, choices: Any) -> Field:  # noqa: ANN401 - a list, or a dict of lists
    return SelectField(label, choices=choices, validate_choice=False)


def _grouped(question: Question, wording: Wording) -> Any:  # noqa: ANN401 - as WTForms takes them
    text = wording.text
    groups = [(g.label, [(c.code, text(c.label)) for c in g.choices]) for g in question.groups]
    empty = [("", text("— not answered —"))]
    if all(label is None for label, _ in groups):
        return empty + [choice for _, choices in groups for choice in choices]
    headed = {text(label) if label else "": choices for label, choices in groups}
    headed[""] = empty + headed.get("", [])
    return {"": headed.pop(""), **headed}


def _first_name(form: Form, key: str) -> str:
    return next(q.names()[0] for q in form.questions() if q.key == key)


MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
