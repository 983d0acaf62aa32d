"""Bech32 as age uses it: BIP 173 with its checksum and without its limit of 90 characters.

Rules: one case throughout; the human-readable part is compared by the caller; a wrong checksum,
character or padding raises ``ValueError`` with a message that does not repeat the string, because
the string may be a secret key.
"""

from __future__ import annotations

from collections.abc import Iterable

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUE = {character: value for value, character in enumerate(CHARSET)}
_DIGITS = str.maketrans(CHARSET, "0123456789abcdefghijklmnopqrstuv")
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# What a step of the checksum adds for each of the 32 values that leave at the top.
_FOLDED = [0]
for _generator in _GENERATOR:
    _FOLDED += [folded ^ _generator for folded in _FOLDED]
_CHECKSUM = 6  # characters
_BITS = 5  # of a character


def encode(prefix: str, data: bytes) -> str:
    """Return ``data`` under the human-readable ``prefix``, in the prefix's case."""
    count = -(-len(data) * 8 // _BITS)
    words = _split(int.from_bytes(data) << count * _BITS - len(data) * 8, count)
    check = _polymod([*_expand(prefix.lower()), *words, *[0] * _CHECKSUM]) ^ 1
    text = prefix.lower() + "1" + "".join(CHARSET[w] for w in words + _split(check, _CHECKSUM))
    return text.upper() if prefix.isupper() else text


def decode(prefix: str, text: str) -> bytes:
    """Return the bytes that ``text`` carries. Raises ``ValueError`` unless it is exact."""
    found, _, rest = text.lower().rpartition("1")
    # Some letters outside ASCII fold into it (U+212A becomes "k"), and would spell a key again.
    one_case = text.isascii() and text == (text.upper() if prefix.isupper() else text.lower())
    if not one_case or found != prefix.lower() or not set(rest) <= _VALUE.keys():
        raise ValueError(_NOT_OURS)
    words = [_VALUE[character] for character in rest]
    if len(words) < _CHECKSUM or _polymod([*_expand(found), *words]) != 1:
        raise ValueError(_NOT_OURS)
    bits = (len(words) - _CHECKSUM) * _BITS
    value = int("0" + rest[:-_CHECKSUM].translate(_DIGITS), 32)  # Python's, and linear
    spare = bits % 8
    if spare >= _BITS or value & (1 << spare) - 1:
        raise ValueError(_NOT_OURS)
    return (value >> spare).to_bytes(bits // 8)


_NOT_OURS = "not a key of this kind, or mistyped"


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _FOLDED[check >> 25]
    return check


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _split(value: int, count: int) -> list[int]:
    return [value >> _BITS * (count - 1 - i) & 31 for i in range(count)]
