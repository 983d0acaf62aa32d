"""A passage that is struck from a case file: where it stands, and every way it could be written.

Rules:
- A passage stands wherever :mod:`searching` finds it: in any case, NFC or NFD, with marks in any
  order, in Burmese, Shan or Latin digits, with spaces, line breaks, punctuation or characters of no
  width between its letters. The letter ra is the digit 7 everywhere here, and not only where it
  surely is: a letter too many may be struck, and none too few.
- What may be Zawgyi is read both ways, passage and text. If a passage stands in the other reading
  only, nobody can say which letters it is, and the whole text goes.
- A letter goes with all its marks, also if a passage ends among them; that end is found as typed.
- A bar is an empty piece: nothing of what it covers is kept, and bars that touch are one.
- All of it in linear time for one passage: a source may type 100,000 marks upon one letter.
"""

import base64
import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence

from markupsafe import escape

from intake.desk import searching, zawgyi
from intake.errors import Misuse
from intake.zawgyi import to_unicode

_MARKS = frozenset({"Mn", "Mc", "Me"})
SHORTEST = 2  # characters of a passage: one would strike half of the page
_ENCODED = 4  # bytes; what is shorter in base64 and the like is found in any text


def read(data: bytes) -> list[str]:
    """Return the passages of a text file, one on each line. Raises :class:`Misuse`."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise Misuse("The passages are not UTF-8.", "Save them as UTF-8, one a line.") from None
    return text.removesuffix("\n").split("\n")


def searched(text: str) -> str:
    """Return the copy of ``text`` in which a passage is looked for."""
    return "".join(map(_key, _letters(text)))


def readings(text: str) -> list[str]:
    """Return the copies of ``text`` to look in or for: one, or two if it may be Zawgyi."""
    doubt = zawgyi.likelihood(text, least=1) >= zawgyi.DOUBT
    return [searched(text), searched(to_unicode(text))] if doubt else [searched(text)]


def stands(passage: str, text: str) -> bool:
    """Return whether ``passage`` is in ``text``, in any spelling and reading."""
    needles = [needle for needle in readings(passage) if len(needle) >= SHORTEST]
    return passage in text or any(one in copy for copy in readings(text) for one in needles)


def struck(text: str, passages: Sequence[str]) -> tuple[str, ...]:
    """Return ``text`` in pieces, with an empty one in the place of what is struck."""
    letters = _letters(text)
    gone: set[int] = set()
    copies = [needle for one in passages for needle in readings(one) if len(needle) >= SHORTEST]
    for key, needles in ((str, passages), (_key, copies)):  # with its punctuation, and without
        keys = [key(letter) for letter in letters]
        copy, owner = "".join(keys), [n for n, own in enumerate(keys) for _ in own]
        for needle in needles:
            at, done = copy.find(needle), 0
            while at >= 0:
                last = owner[at + len(needle) - 1]
                gone.update(range(max(owner[at], done), last + 1))
                at, done = copy.find(needle, at + 1), last + 1
    pieces = itertools.groupby(range(len(letters)), gone.__contains__)
    left = tuple("" if bar else "".join(letters[n] for n in own) for bar, own in pieces)
    return ("",) if any(stands(one, piece) for one in passages for piece in left) else left


def spellings(passage: str) -> Iterator[bytes]:
    """Yield a passage in all encodings that a file could carry it in, with ASCII in lower case.

    UTF-8, UTF-16, HTML, JSON, percent-encoding, hex, and base64 at its three offsets, each as
    typed, in NFC and in NFD; and the copy in which passages are looked for.
    """
    yield searched(passage).encode()
    for text in {passage, *(unicodedata.normalize(form, passage) for form in ("NFC", "NFD"))}:
        raw, code = text.encode(), [ord(c) for c in text]
        yield from (raw.lower(), str(escape(text)).encode().lower())
        coded = [
            *(text.encode(name) for name in ("utf-16-le", "utf-16-be")),
            *("".join(map(one.format, code)).encode() for one in ("&#{};", "&#x{:x};")),
            json.dumps(text)[1:-1].encode(),
            "".join(f"%{byte:02x}" for byte in raw).encode(),
            re.sub(rb"[^0-9A-Za-z]", lambda other: f"%{other[0].hex()}".encode(), raw),
            raw.hex().encode(),
            *(_base64(raw, offset) for offset in range(3)),
        ]
        yield from (one.lower() for one in coded if len(one) >= _ENCODED)


def _base64(raw: bytes, offset: int) -> bytes:
    """Return what base64 makes of ``raw`` after ``offset`` bytes, without its neighbours' bits."""
    code = base64.b64encode(bytes(offset) + raw).rstrip(b"=")
    return code[(8 * offset + 5) // 6 : 8 * (offset + len(raw)) // 6]


def _letters(text: str) -> list[str]:
    """Return ``text`` in letters, each with its marks and whatever stands before one of these."""
    starts, before_mark = [], False
    for n in reversed(range(len(text))):
        kind = unicodedata.category(text[n])
        before_mark = kind in _MARKS or (kind[0] in "CPZ" and before_mark)
        if not (n and (before_mark or kind == "Cf")):
            starts.append(n)
    return [text[start:end] for start, end in itertools.pairwise([*reversed(starts), len(text)])]


def _key(letter: str) -> str:
    """Return what counts of one letter; nothing, if it only stands between letters."""
    kept = [c for c in letter if unicodedata.category(c)[0] not in "CPZ"]
    # In order already: without it, normalising many marks takes the square of their number.
    kept[1:] = sorted(kept[1:], key=unicodedata.combining)
    return searching.key("".join(kept)).replace("ရ", "7")
