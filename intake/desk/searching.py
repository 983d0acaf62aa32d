"""Searching: what is written differently and read alike is found alike.

Rules:
- Texts and queries are compared by their ``key``, a copy that nobody is shown.
- In it Zawgyi is Unicode; spaces, punctuation, accents and what nobody sees are gone; digits are
  Latin, and so are the Cyrillic and Greek letters that look so; the marks of a syllable stand in
  one order, each once; letters that people take for each other in Burmese are one.
- What may be Zawgyi is searched both ways: a hit too many costs a look, a miss may cost a case.
- There is no index: reading through the keys of fifteen thousand texts takes a few milliseconds.
"""

import contextlib
import re
import unicodedata
from collections.abc import Mapping, Sequence

from intake.desk import cores, visible, zawgyi

_ALIKE = {
    "ဉ": "ဥ",
    "ါ": "ာ",
    "ဈ": "စျ",
    "ဩ": "သြ",
    "ဪ": "သြော်",
    "ဿ": "သ္သ",
    "\u101d": "0",  # the letter for the digit, and the digit for it, are too common to tell apart
    "၎": "4",
    # Cyrillic, then Greek, and what they look like; small ones, by the look of the capitals, too.
    **dict(zip("авсԁеһіјкмнорԛѕтуԝх", "abcdehijkmhopqstywx", strict=True)),
    **dict(zip("αβγεηικμνορτυχ", "abyehikmvoptux", strict=True)),
}
_MARKS = "".join(c for c in map(chr, range(0x1000, 0x10A0)) if unicodedata.category(c)[0] == "M")
_RUN = re.compile(f"[{_MARKS}]{{2,}}")
# The digit seven for "ra" below a mark (not in a time of day) and in the names of battalions;
# "ra" for seven at the end of a number.
_RA = re.compile(f"၇(?!း)(?=[{_MARKS}])|(?<=ခ[မလ])၇")
_SEVEN = re.compile("(?<=[\u1040-\u1049])ရ(?![က-ဿ])")
# Accents can be piled upon a word to hide it. Selectors choose between two pictures of one thing.
_DROPPED = re.compile("[\u0300-\u036f\ufe00-\ufe0f]")


class _Table(dict[int, str]):
    """What each character is in a key, by its code point; found out when it is first met.

    Each by itself: to normalise a text takes the square of the number of marks upon one letter.
    """

    def __missing__(self, code: int) -> str:
        self[code] = "".join(map(_plain, unicodedata.normalize("NFKD", chr(code)).casefold()))
        return self[code]


_TABLE = _Table()


def _plain(character: str) -> str:
    digit, kind = unicodedata.decimal(character, None), unicodedata.category(character)[0]
    if character in _ALIKE:
        return _ALIKE[character]
    if character.isspace() or kind in "PZ":
        return " "  # until the marks are in order: none goes over to the word before
    if kind == "C" or character in visible.BLANK or _DROPPED.match(character):
        return ""
    return character if digit is None else str(digit)


def key(text: str) -> str:
    """Return the search copy of a text: a query is in the text if its key is in the text's."""
    return _key(zawgyi.copy(text))


def _key(text: str) -> str:
    letters = _SEVEN.sub("၇", _RA.sub("ရ", text)).translate(_TABLE)
    return _RUN.sub(_in_order, letters).replace(" ", "")


def _in_order(marks: re.Match[str]) -> str:
    return "".join(sorted(set(marks[0])))


def _keys(text: str) -> list[str]:
    """Return the keys of a text as it was typed, and of what it says if it is Zawgyi or may be."""
    both = dict.fromkeys((text, zawgyi.guess(text, least=1)))
    return [key for text in both if (key := _key(text))]


class _Keys:
    """Makes the keys of texts."""

    def __call__(self, texts: Sequence[str]) -> list[str]:
        return ["\n".join(_keys(text)) for text in texts]


class Index:
    """Texts by the tag of their case, to be searched."""

    def __init__(self, texts: Mapping[bytes, str]) -> None:
        """Make the keys of all texts, on all cores."""
        with contextlib.closing(cores.each(_Keys, (), texts.values())) as keys:
            self._keys = dict(zip(texts, keys, strict=True))

    def find(self, query: str) -> list[bytes]:
        """Return the tags of the texts that have all words of a query, in the order given.

        A word is what stands between spaces; none, or nothing but punctuation, finds nothing.
        """
        words = [keys for word in query.split() if (keys := _keys(word))]
        return [
            tag
            for tag, text in self._keys.items()
            if words and all(any(key in text for key in keys) for keys in words)
        ]
