"""Which texts have passages in common, however they are spaced.

A text is cut into all pieces of ``PIECE`` letters of its search copy that begin with a letter and
not with a mark: Burmese has no spaces to cut it at. A piece that few have is worth more, by
``log2(all / those that have it)`` bits (Spärck Jones, A statistical interpretation of term
specificity, 1972).

Rules:
- No piece is left out, as sketches (MinHash, winnowing) would: so nobody can write what escapes
  the sketch, and a short text is compared as well as a long one.
- What is read for one text is bounded by ``REACH``, its rarest pieces first. Five thousand equal
  texts cost five thousand times one text, and not its square; ``crowd`` still counts them.
- Letters are never shown or kept apart from the pieces; nothing here is logged.
"""

import math
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

PIECE = 6  # letters
REACH = 4000  # entries of the pieces' lists
NEAR = 16  # texts
UNSEEN = 1000  # texts that are not here, and have nothing rare in common with ours
COMMON = 4.0  # bits; a piece that one text in 16 has says nothing
A_LETTER_IN = 6  # a letter is in up to so many pieces, which are no news each for itself
LONG = 200.0  # bits of a text from which on it matters that nothing is shared


class Shared(NamedTuple):
    """What two texts have in common: bits, shares of both, pieces; ``long``, that both are long."""

    bits: float = 0
    of_shorter: float = 0
    of_longer: float = 0
    pieces: int = 0
    long: bool = False


class Pieces:
    """Search copies of texts, by their place in the order given."""

    def __init__(self, copies: Iterable[str]) -> None:
        """Cut and count them all."""
        numbers: dict[str, int] = {}
        cut = [array("I", {numbers.setdefault(p, len(numbers)) for p in _cut(c)}) for c in copies]
        self._lists: list[array[int]] = [array("I") for _ in numbers]
        for text, pieces in enumerate(cut):
            for piece in pieces:
                self._lists[piece].append(text)
        every = len(cut) + UNSEEN
        self._worth = array("f", (math.log2(every / len(texts)) for texts in self._lists))
        self._texts = [
            array("I", sorted(c, key=self._worth.__getitem__, reverse=True)) for c in cut
        ]
        self._weights = array("f", (sum(map(self._worth.__getitem__, c)) for c in cut))

    def near(self, text: int) -> list[int]:
        """Return the texts that have most of a text's rarest pieces, at most ``NEAR``."""
        found = most([self._lists[piece] for piece in self._texts[text]], NEAR + 1)
        return [other for other in found if other != text][:NEAR]

    def crowd(self, text: int) -> int:
        """Return how many other texts have each of three quarters of a text's pieces, or more."""
        pieces = self._texts[text]
        return len(self._lists[pieces[len(pieces) // 4]]) - 1 if pieces else 0

    def pieces(self, text: int) -> set[int]:
        """Return what :meth:`shared` compares with other texts."""
        return set(self._texts[text])

    def shared(self, pieces: set[int], text: int, other: int) -> Shared:
        """Return what two texts have in common; ``pieces`` are those of ``text``."""
        worths = [self._worth[piece] for piece in pieces.intersection(self._texts[other])]
        shorter, longer = sorted((self._weights[text], self._weights[other]))
        if not worths:
            return Shared(long=shorter > LONG)
        both = sum(worths)
        rare = sum(worth - COMMON for worth in worths if worth > COMMON) / A_LETTER_IN
        return Shared(rare, both / shorter, both / longer, len(worths), shorter > LONG)


def most(lists: Iterable[Sequence[int]], wanted: int) -> list[int]:
    """Return who is in most of ``lists``, the shortest first, as far as ``REACH`` goes."""
    found, left = Counter[int](), REACH
    for entries in sorted(lists, key=len):
        found.update(entries[:left])
        left -= len(entries)
        # Dangerous line: without it, a flood of equal texts makes the work grow with its square.
        if left <= 0:
            break
    return [one for one, _ in found.most_common(wanted)]


def _cut(copy: str) -> set[str]:
    starts = (n for n in range(len(copy) - PIECE + 1) if unicodedata.category(copy[n])[0] != "M")
    return {copy[n : n + PIECE] for n in starts}
