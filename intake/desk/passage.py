"""A passage that is struck from a case file: where it stands, and every way it could be written.

Rules:
- A passage stands wherever the same text does: in any case, NFC or NFD, with marks in any order, in
  Burmese, Shan or Latin digits, with spaces, line breaks, punctuation or characters of no width
  between its letters. wa and ra count as the digits 0 and 7, which look like them.
- A letter goes with all its marks. So a passage that ends within a syllable takes the whole letter.
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

from intake.errors import Misuse

_MARKS = frozenset({"Mn", "Mc", "Me"})
_LOOSE = _MARKS | {"Cf"}  # belongs to the letter before it
_BETWEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"})
_ALIKE = {0x101D: "0", 0x101B: "7", **dict.fromkeys((0x034F, *range(0xFE00, 0xFE10)))}
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


def struck(text: str, needles: Sequence[str]) -> tuple[str, ...]:
    """Return ``text`` in pieces, with an empty one in the place of what is struck.

    ``needles`` are the passages, as :func:`searched` returns them, and none is empty.
    """
    letters = _letters(text)
    keys = [_key(letter) for letter in letters]
    copy, owner = "".join(keys), [n for n, key in enumerate(keys) for _ in key]
    gone: set[int] = set()
    for needle in needles:
        at, done = copy.find(needle), 0
        while at >= 0:
            last = owner[at + len(needle) - 1]
            gone.update(range(max(owner[at], done), last + 1))
            at, done = copy.find(needle, at + 1), last + 1
    pieces = itertools.groupby(range(len(letters)), gone.__contains__)
    return tuple("" if bar else "".join(letters[n] for n in own) for bar, own in pieces)


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
    """Return ``text`` in letters, each with the marks and characters of no width after it."""
    starts = [n for n, c in enumerate(text) if not n or unicodedata.category(c) not in _LOOSE]
    return [text[start:end] for start, end in itertools.pairwise([*starts, len(text)])]


def _key(letter: str) -> str:
    """Return what counts of one letter; nothing, if it only stands between letters."""
    # One character at a time: normalising many marks at once takes the square of their number.
    plain = "".join(unicodedata.normalize("NFKD", c) for c in letter).casefold().translate(_ALIKE)
    kept = [c for c in plain if unicodedata.category(c) not in _BETWEEN]
    kept.sort(key=lambda c: c if unicodedata.category(c) in _MARKS else "")
    return "".join(str(unicodedata.digit(c, c)) for c in kept)
