"""Zawgyi: is a text written in it, and what does it say in Unicode.

Zawgyi is an older way to write Burmese that uses the code points of Unicode for other letters. Many
phones still have it. Shown as Unicode it is unreadable, and it cannot be found by searching.

Rules:
- What a source wrote is never changed: whoever reads or searches gets a copy.
- Only what is Zawgyi for sure is converted. Unicode that is converted is destroyed.
- Fewer than ten Burmese letters are not judged by themselves. A line that short goes with the rest.
- The converter is Unicode's own table (CLDR 41, ``zawgyi.rules``), run as ICU runs it; only of a
  sign that is repeated more than 99 times, the rest is taken for another.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

from myanmartools import ZawgyiDetector

SURE, DOUBT = 0.95, 0.05  # as those who made the detector advise
ENOUGH = 10  # Burmese letters

_LETTER = re.compile(r"[\u1000-\u103f\u104c-\u109f]")
# What correct Burmese never has in Unicode; Shan, Mon and Karen do. About a text without any, the
# detector, which is slow, is not asked.
_SIGN = re.compile(
    r"[\u1033\u1034\u105a\u1060-\u1097]|\u1039(?![\u1000-\u1021])"
    r"|\u103a[\u102b-\u1036\u103b-\u103e]|\u1031[\u103b-\u103e]"
    r"|(?<![\u1000-\u1021\u103b-\u103f])\u1031|(?<![\u1000-\u1021\u103b-\u103e])[\u103b-\u103d]"
)
_RULES = Path(__file__).with_name("zawgyi.rules")
# A slip in the table: this stands there for "\u1036", and moves "း" behind a 3, a 6 and a u.
_SLIP = r"\1u36"


def likelihood(text: str, least: int = ENOUGH) -> float:
    """Return how likely a text is Zawgyi, 0 to 1; 0 if it has fewer than ``least`` letters."""
    letters = len(_LETTER.findall(text))
    if letters < least or (letters >= ENOUGH and not _SIGN.search(text)):
        return 0.0
    return _detector().get_zawgyi_probability(text)


def copy(text: str) -> str:
    """Return a text with all lines that are Zawgyi for sure in Unicode, the others as they are."""
    if not _SIGN.search(text):
        return text
    lines = text.split("\n")
    short = [len(_LETTER.findall(line)) < ENOUGH for line in lines]
    whole = any(short) and likelihood(text) > SURE
    return "\n".join(
        convert(line) if (whole and is_short) or likelihood(line) > SURE else line
        for line, is_short in zip(lines, short, strict=True)
    )


def convert(text: str) -> str:
    """Return Zawgyi in Unicode, as ICU's ``Zawgyi-my`` does. Destroys what is Unicode already."""
    for stage in _stages():
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
def _stages() -> list[_Stage]:
    names: dict[str, str] = {}
    stages: list[list[tuple[str, str]]] = [[]]
    for line in _RULES.read_text("utf-8").replace(_SLIP, "").split("\n"):
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


@cache
def _detector() -> ZawgyiDetector:
    return ZawgyiDetector()
