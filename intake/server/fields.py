"""The declared form as a FlaskForm class, generated, so that what was typed can be shown again.

Rules:
- Nothing is validated here: :meth:`DeclaredForm.check` asks ``intake.form``, the only place that
  decides, and hangs its sentences on the fields. The template shows and escapes.
- What was typed goes back into the fields as it came.
- A field is kept under a name that Python cannot spell, so that no question of a form, ``check`` or
  ``meta`` for instance, takes the place of something that the form class does.
- CSRF tokens of Flask-WTF are off: they need a cookie and carry a readable time. The Origin rule
  in ``requests`` stands in their place.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Self

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import Field, SelectMultipleField, StringField

from intake.form import Form, Testimony
from intake.wording import Wording

_KEPT = "field-"


class DeclaredForm(FlaskForm):
    """What the generated classes share. ``trouble`` names the sentence above the whole form."""

    declaration: Form
    trouble = ""

    class Meta:
        """Flask-WTF's switches."""

        csrf = False

    def __getitem__(self, name: str) -> Field:
        """Return the field of a wire name."""
        return super().__getitem__(_KEPT + name)

    @classmethod
    def holding(cls, typed: Mapping[str, Sequence[str]]) -> Self:
        """Return the form with what was typed in it."""
        pairs = ((name, value) for name, values in typed.items() for value in values)
        return cls(formdata=MultiDict(pairs))

    def check(
        self, typed: Mapping[str, Sequence[str]], today: date, wording: Wording
    ) -> Testimony | None:
        """Return the testimony, or None with every error beside its field."""
        found = self.declaration.validate(typed, today)
        if isinstance(found, Testimony):
            return found
        for question in self.declaration.questions():
            if sentence := found.get(question.key):
                error = wording.text(sentence, **found.numbers[question.key])
                self[question.names()[0]].errors = [error]
        self.trouble = "unknown" if "" in found else "answers"
        return None


def generate(form: Form) -> type[DeclaredForm]:
    """Return the FlaskForm class of a declaration: a field for each wire name."""
    fields: dict[str, Any] = {"declaration": form}
    for question in form.questions():
        for name in question.names():
            fields[_KEPT + name] = StringField(name=name)
            if question.kind == "many":
                field = SelectMultipleField(name=name, choices=[], validate_choice=False)
                fields[_KEPT + name] = field
    return type("SourceForm", (DeclaredForm,), fields)
