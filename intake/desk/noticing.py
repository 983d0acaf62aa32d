"""What a reviewer should notice about a text before believing what it looks like.

Rules:
- A notice has a code, a sentence of ours and a number. It never repeats what a source wrote.
- It is a reason to look twice, never to believe less: Burmese is typed in many ways, and most of
  what is noticed here is a keyboard's doing.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from intake.desk import visible, zawgyi
from intake.desk.labels import LABELS
from intake.desk.scripts import script

# By code, the gravest first. Counted are characters, lines of Zawgyi, and addresses.
SENTENCES: Mapping[str, str] = LABELS["notices"]

_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BREAKS = frozenset("\u200b\u200c\u200d")
_LINK = re.compile(
    r"(?<![a-z0-9])(?:(?:https?|ftp|tg|mailto|javascript|data|file):|www\.)"
    r"|(?<=\w)@(?=\w[\w-]*\.\w)|(?<=[\w-])\.(?:com|org|net|info|io|me|mm|th|onion)(?![a-z0-9])",
    re.IGNORECASE,
)
_DIGITS = re.compile(
    "[\u1040၇](?=[\u102b-\u1037\u1039-\u103e])|(?<![\u1040-\u1049])\u1040(?=[က-အ])"
    "|(?<=[က-ဿ])\u1040(?![\u1040-\u1049])|(?<=[\u1040-\u1049])[\u101dရ](?![က-ဿ])"
)


class Notice(NamedTuple):
    """Something to notice: its code, our sentence (a msgid), and how often it is there."""

    code: str
    sentence: str
    number: int


def notices(text: str) -> list[Notice]:
    """Return what should be noticed about a text, the gravest first. Takes linear time."""
    copy = zawgyi.copy(text)
    changed = sum(a != b for a, b in zip(text.split("\n"), copy.split("\n"), strict=True))
    count = Counter(zawgyi=changed, digits=len(_DIGITS.findall(copy)), script=_foreign(text))
    count["link"] = sum(_LINK.search(word) is not None for word in text.split())
    count["doubt"] = not changed and zawgyi.likelihood(text) >= zawgyi.DOUBT
    for plain, named, often in visible.pieces(text):
        if named:
            count["stranger" if plain else _kind(named)] += often
    return [Notice(code, SENTENCES[code], count[code]) for code in SENTENCES if count[code]]


def _kind(hidden: str) -> str:
    """Return the code of a character that ``visible`` spells, empty for one that means no harm."""
    category = unicodedata.category(hidden)
    if hidden in _DIRECTION:
        return "direction"
    if hidden in _BREAKS:
        return "breaks"
    if hidden in visible.BLANK:
        return "unseen"
    if category == "Cc":
        return "" if hidden in "\t\r" else "control"
    return {"Co": "private", "Mn": "stacked", "Mc": "stacked", "Me": "stacked"}.get(
        category, "unseen"
    )


def _foreign(text: str) -> int:
    """Return how many letters are neither Burmese nor Latin, if most are; else 0."""
    count = Counter(map(script, text))
    ours, total = count["MYANMAR"] + count["LATIN"], count.total() - count[""]
    return total - ours if total > 2 * ours else 0
