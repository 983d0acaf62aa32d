"""An answer to every question of a declared form: chosen, typed, read back from the page.

Rule: nothing here knows a question, so that what is added to the form is filled, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from intake.form import Form, Question
from tests.browser.windows import Window

Answers = dict[str, list[str]]  # wire name -> values


def everything(form: Form, today: date, text: str) -> Answers:
    """Return the last choice of each question, two where several may be, and ``text``, cut."""
    return {
        name: values
        for item in form.questions()
        for name, values in zip(item.names(), _answer(item, today, text), strict=True)
    }


def _answer(item: Question, today: date, text: str) -> list[list[str]]:
    if item.kind == "date":
        return [[str(item.years(today)[1])], ["2"], ["28"]]
    if item.kind == "number":
        return [["၅၂၈"[: item.limit]]]
    if item.kind == "text":
        return [[text[: item.limit]]]
    if item.kind == "consent":
        return [["yes"]]
    return [list(item.codes()[-2:])] if item.kind == "many" else [[item.codes()[-1]]]


def fill(window: Window, form: Form, answers: Mapping[str, list[str]]) -> None:
    """Give the answers, each as its field takes it."""
    for item in form.questions():
        for name in item.names():
            for value in answers.get(name, ()):
                if item.kind in {"text", "number"}:
                    window.write(f'[name="{name}"]', value)
                elif item.kind == "date" or item.show == "select":
                    window.click(f'[name="{name}"] option[value="{value}"]')
                else:
                    window.click(f'[name="{name}"][value="{value}"]')


def held(window: Window, form: Form) -> Answers:
    """Return what the page has in its fields, without those that are empty."""
    chosen = {"one", "many", "consent"}
    found = {}
    for item in form.questions():
        only = ":is(:checked, select)" if item.kind in chosen else ""
        for name in item.names():
            found[name] = window.values(f'[name="{name}"]{only}')
    return {name: values for name, values in found.items() if any(values)}
