"""What a form's declaration may hold, and where one is wrong.

Rules:
- ``admin doctor`` runs :func:`check` after the form was changed, and the tests run it on ours. The
  site itself only builds the form (``intake.form``), so that what an auditor reads stays short.
- A declaration is refused at its first fault, with its place in words.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intake.errors import Misuse
from intake.form import WORST_CASE, Form, grouped

KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
CODE = re.compile(r"[A-Za-z0-9_]{1,32}")

# A rule is a type, a pattern, or a range or set that holds the value.
Rules = Mapping[str, Any]
KINDS: Mapping[str, tuple[Rules, Rules]] = {
    # kind: what its declaration needs, and what it may have
    "one": ({"choices": dict}, {"show": {"radio", "select"}}),
    "many": ({"choices": dict}, {}),
    "text": ({"limit": range(1, WORST_CASE)}, {"lines": range(1, 40)}),
    "number": ({"limit": range(1, 16)}, {}),
    "date": ({"from_year": range(1900, 2100)}, {}),
    "consent": ({}, {}),
}


def check(path: Path) -> Form:
    """Return the form declared in ``path``. Raises ``Misuse`` with the place of the first fault."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _bad(path.name, f"it cannot be read ({error})") from None
    needed = {"id": KEY, "version": range(1, 10**6), "title": str, "section": list}
    _check(table, needed, {}, path.name)
    keys = [key for section in table["section"] for key in _section(section, path.name)]
    _check_doubles(keys, path.name)
    try:
        return Form.load(path)
    except Misuse:
        raise _bad(path.name, f"its limits allow more than {WORST_CASE} bytes") from None


def _section(table: dict[str, Any], where: str) -> list[str]:
    where = f"{where}, section {table.get('key')}"
    _check(table, {"key": KEY, "title": str, "question": list}, {"help": str}, where)
    return [str(table["key"]), *(_question(question, where) for question in table["question"])]


def _question(table: dict[str, Any], where: str) -> str:
    where = f"{where}, question {table.get('key')}"
    needed, optional = KINDS.get(str(table.get("kind")), ({}, {}))
    needed = {"kind": KINDS.keys(), "key": KEY, "label": str, **needed}
    _check(table, needed, {"help": str, "required": bool, **optional}, where)
    _choices(table.get("choices", {}), where)
    return str(table["key"])


def _choices(choices: dict[str, Any], where: str) -> None:
    groups = grouped(choices)
    headed = {heading: group for heading, group in groups.items() if heading is not None}
    _check(headed, dict.fromkeys(headed, dict), {}, where)
    for group in groups.values():
        _check(group, dict.fromkeys(filter(CODE.fullmatch, group), str), {}, where)
    _check_doubles([code for group in groups.values() for code in group], where)


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
