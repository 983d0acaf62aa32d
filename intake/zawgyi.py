"""Burmese from Zawgyi into Unicode, and from Unicode into Zawgyi.

Zawgyi is an older way to write Burmese that uses the code points of Unicode for other letters. Many
phones still have it, and show Unicode wrongly.

Rules:
- Whoever converts makes a copy, and keeps the text as it was written.
- Each direction destroys what is in its target already: which one a text is in, is for the caller
  to know (``desk/zawgyi.py`` finds out).
- The tables are Unicode's own (CLDR, ``*.rules``), run as ICU runs them, but for two slips; and of
  a sign that is repeated more than 99 times, the rest is taken for another.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

_FOLDER = Path(__file__).parent
# Two slips in the tables. The first stands there for "\u1036", and moves "း" behind a 3, a 6 and a
# u. The second makes a four of "၎င်း", "the said", for which Zawgyi has a sign of its own.
_SLIPS = (r"\1u36", r"($nondigits) \u104e > $1 \u1044;")


def to_unicode(text: str) -> str:
    """Return Zawgyi in Unicode, as ICU's ``Zawgyi-my`` does. Destroys what is Unicode already."""
    return _run("zawgyi-to-unicode", text)


def to_zawgyi(text: str) -> str:
    """Return Burmese in Zawgyi, as ICU's ``my-Zawgyi`` does. Destroys what is Zawgyi already."""
    return _run("unicode-to-zawgyi", text)


def _run(table: str, text: str) -> str:
    for stage in _stages(table):
        text = stage.run(text)
    return text


class _Stage(NamedTuple):
    """Rules that are tried at each place from left to right, the first that fits wins.

    ``pattern`` has a group for each rule's left side; ``rights`` are by the number of that group:
    text, the number of a group inside the left side, text, and so on.
    """

    pattern: re.Pattern[str]
    rights: dict[int, list[str]]

    @classmethod
    def of(cls, rules: list[tuple[str, str]]) -> Self:
        """Return the stage that has these rules: left sides for ``re``, right sides as they are."""
        rights, group = {}, 1
        for left, right in rules:
            plain = re.sub(r"\\u(....)", lambda code: chr(int(code[1], 16)), right)
            rights[group] = re.split(r"\$(\d)", plain)
            group += 1 + re.compile(left).groups
        return cls(re.compile("|".join(f"({left})" for left, _ in rules)), rights)

    def run(self, text: str) -> str:
        """Return what the rules make of a text."""
        return self.pattern.sub(self._right, text)

    def _right(self, found: re.Match[str]) -> str:
        left = found.lastindex or 0
        return "".join(
            found[left + int(part)] if number % 2 else part
            for number, part in enumerate(self.rights[left])
        )


@cache
def _stages(table: str) -> list[_Stage]:
    text = (_FOLDER / f"{table}.rules").read_text("utf-8")
    for slip in _SLIPS:
        text = text.replace(slip, "")
    names: dict[str, str] = {}
    stages: list[list[tuple[str, str]]] = [[]]
    for line in text.split("\n"):
        rule = re.sub(r"#.*|\s|;", "", line)
        name, is_name, value = rule.partition("=")
        if is_name:
            names[name] = value
        elif rule == "::Null":
            stages.append([])
        elif rule:
            rule = re.sub(r"\$[a-zA-Z]+", lambda name: names[name[0]], rule)
            # After "|" goes what was only looked at, and is matched again.
            rule = re.sub(r"(\(.*\))→\|(.*)\$1", r"(?=\1)→\2", rule)
            left, right = re.split("[→>]", rule)
            stages[-1].append((_left(left), right))
    return [_Stage.of(rules) for rules in stages]


def _left(rule: str) -> str:
    """Return a left side for ``re``, which gives back what it took, and whose sets have no end."""
    # Dangerous line: without the bound, an answer of 30,000 spaces takes eight seconds.
    rule = rule.replace("+", "{1,99}+").replace("*", "{0,99}+")
    rule = re.sub(r"\[\^.*?\]", r"(?:\g<0>|\\Z)", rule)
    return re.sub(r"^\^", r"\\A", re.sub(r"\$$", r"\\Z", rule))
