"""Zawgyi: is a text written in it, and its copy in Unicode (``intake/zawgyi.py``).

Shown as Unicode, what was typed in Zawgyi is unreadable, and it cannot be found by searching.

Rules:
- What a source wrote is never changed: whoever reads or searches gets a copy.
- Only what is Zawgyi for sure is converted. Unicode that is converted is destroyed.
- Fewer than ten Burmese letters are not judged by themselves. A line that short goes with the rest.
"""

import re
from functools import cache

from myanmartools import ZawgyiDetector

from intake.zawgyi import to_unicode

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
        to_unicode(line) if (whole and is_short) or likelihood(line) > SURE else line
        for line, is_short in zip(lines, short, strict=True)
    )


def guess(text: str, least: int = ENOUGH) -> str:
    """Return the copy of a text, or all of it from Zawgyi if no line surely is, and it may be."""
    made = copy(text)
    return to_unicode(text) if made == text and likelihood(text, least) >= DOUBT else made


@cache
def _detector() -> ZawgyiDetector:
    return ZawgyiDetector()
