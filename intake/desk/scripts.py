"""Scripts: which letters stand in a word that is written in another one.

A Cyrillic U+0430 in an English word looks like any other "a", and is not.

Rules:
- A word is what stands between spaces, Burmese, and letters of scripts that look like no other.
- Its script is the one of most of its letters, Latin if there are as many of another (UTS #39 calls
  such words mixed-script). The rest are strangers, also if they look like nothing else.
- Beside Burmese, Latin is the rule: Burmese has no spaces there. A stranger is what takes a Burmese
  mark, and what looks like a Burmese letter and has Burmese on both sides.
"""

import re
import unicodedata
from collections import Counter
from functools import cache

# By the first word of the names of their letters.
_ALIKE = re.compile(
    "ARMENIAN|CHEROKEE|COPTIC|CYRILLIC|DESERET|FULLWIDTH|GEORGIAN|GOTHIC|GREEK|LATIN|LISU"
    "|MATHEMATICAL|OSAGE|ROMAN"
)
# No sign that Zawgyi has before its letter: there it may follow anything.
_SIGN = "[\u102b-\u1030\u1032-\u103a\u103d\u103e]"
_ROUND = "[0CcOo\u039f\u03bf\u03f2\u041e\u043e\u0421\u0441\u0555\u0585]"
_BURMESE = "[\u1000-\u103f\u1050-\u109f]"
_IN_BURMESE = re.compile(
    rf"(?:[^\W\d_\u1000-\u109f]|0)(?={_SIGN})|(?<={_BURMESE}){_ROUND}(?={_BURMESE})"
)


@cache
def script(letter: str) -> str:
    """Return the script of a letter, as the first word of its name; empty for all other characters.

    Letters that belong to all scripts have names of their own: ``MICRO``, ``MODIFIER``.
    """
    if not letter.isalpha():
        return ""
    return unicodedata.name(letter, "").partition(" ")[0]


def strangers(text: str) -> set[int]:
    """Return the places of all letters that stand in a word of another script, in linear time."""
    found = {match.start() for match in _IN_BURMESE.finditer(text)}
    word: list[tuple[int, str]] = []
    for place, character in enumerate(text + " "):
        name = script(character)
        if _ALIKE.fullmatch(name):
            word.append((place, name))
        elif character.isspace() or name == "MYANMAR":
            found |= _minority(word)
            word = []
    return found


def _minority(word: list[tuple[int, str]]) -> set[int]:
    count = Counter(name for _, name in word)
    main = max(count, key=lambda name: (count[name], name == "LATIN"), default="")
    return {place for place, name in word if name != main}
