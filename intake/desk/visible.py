"""The one way from a source's words to anything that a reviewer looks at.

Rules:
- What could act on a terminal, or hide on a page, is spelled out as ``U+202E``: control, format
  (bidi), surrogate, private-use and unassigned characters, line separators, and the letters that
  Unicode calls letters but shows as nothing. Only the line feed stays.
- A letter in a word of another script is named beside itself, ``<U+0430 a>``: it may look like one
  that belongs there, and is readable if it does not.
- After eight marks upon one letter, more of the same are spelled with their number. Burmese needs
  five; two thousand would paint over the answers beside them.
- The spelling can be undone: what a source *typed* as ``<U+202E>`` is spelled ``<U+003C>U+202E>``,
  so nobody writes what looks like a mark of ours.
"""

import itertools
import unicodedata
from collections.abc import Iterator

from markupsafe import Markup, escape

from intake.desk.scripts import strangers
from intake.terminal import visible as spelled

MARKS = 8  # upon one letter
# Hangul fillers, the braille blank, Khmer inherent vowels, Mongolian selectors, the joiner of
# nothing: all of them drawn as nothing.
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")


def pieces(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield ``(plain, "", 0)`` and ``("", hidden character, how often)``, in order.

    A letter in a word of another script is ``(letter, letter, how often)``.
    """
    plain, stacked, place = "", 0, 0
    strange = strangers(text)
    for character, run in itertools.groupby(text):
        count = len(list(run))
        is_mark = unicodedata.category(character) in {"Mn", "Me", "Mc"}
        stacked = stacked + count if is_mark else 0
        hidden = character in BLANK or spelled(character) != character
        hidden = hidden or (is_mark and stacked > MARKS)
        if hidden or place in strange:
            if plain:
                yield plain, "", 0
            plain = ""
            yield "" if hidden else character, character, count
        else:
            plain += character * count
        place += count
    if plain:
        yield plain, "", 0


def text(words: object) -> str:
    """Return ``words`` for a terminal: hidden characters as ``<U+202E>``, ``<U+0301×40>``."""
    return "".join(
        f"<{_name(named, count)}{plain and ' '}{plain}>"
        if named
        else plain.replace("<U+", "<U+003C>U+")
        for plain, named, count in pieces(str(words))
    )


def line(words: object) -> str:
    """Return ``words`` as :func:`text`, on one line."""
    return text(words).replace("\n", " ⏎ ")


def html(words: object) -> Markup:
    """Return ``words`` for a page: escaped, hidden characters in ``<b class="u">U+202E</b>``.

    A letter in a word of another script is in ``<b class="u c">a<i>U+0430</i></b>``, as often as it
    was typed. ``bdi`` keeps the direction of what was typed inside. Nothing in it is a link.
    """
    inner = Markup("").join(_marked(*piece) for piece in pieces(str(words)))
    return Markup("<bdi>{}</bdi>").format(inner)


def _marked(plain: str, named: str, count: int) -> Markup:
    if plain and named:
        letters = plain * count
        return Markup('<b class="u c">{}<i>{}</i></b>').format(letters, _name(named, 1))
    return escape(plain) if plain else Markup('<b class="u">{}</b>').format(_name(named, count))


def _name(character: str, count: int) -> str:
    return f"U+{ord(character):04X}" + (f"×{count}" if count > 1 else "")
