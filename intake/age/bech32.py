"""Bech32 as age uses it: BIP 173 with its checksum and without its limit of 90 characters.

Rules: one case throughout; the human-readable part is compared by the caller; a wrong checksum,
character or padding raises ``ValueError`` with a message that does not repeat the string, because
the string may be a secret key.
"""

from __future__ import annotations

from collections.abc import Iterable

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUE = {character: value for value, character in enumerate(CHARSET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6


def encode(prefix: str, data: bytes) -> str:
    """Return ``data`` under the human-readable ``prefix``, in the prefix's case."""
    words = _regroup(data, 8, 5, pad=True)
    check = _polymod([*_expand(prefix.lower()), *words, *[0] * _CHECKSUM]) ^ 1
    words += [check >> 5 * (_CHECKSUM - 1 - i) & 31 for i in range(_CHECKSUM)]
    text = prefix.lower() + "1" + "".join(CHARSET[word] for word in words)
    return text.upper() if prefix.isupper() else text


def decode(prefix: str, text: str) -> bytes:
    """Return the bytes that ``text`` carries. Raises ``ValueError`` unless it is exact."""
    if text != (text.upper() if prefix.isupper() else text.lower()):
        message = "wrong case"
        raise ValueError(message)
    found, _, rest = text.lower().rpartition("1")
    if found != prefix.lower() or len(rest) < _CHECKSUM or not set(rest) <= _VALUE.keys():
        message = "not a key of this kind"
        raise ValueError(message)
    words = [_VALUE[character] for character in rest]
    if _polymod([*_expand(found), *words]) != 1:
        message = "wrong checksum"
        raise ValueError(message)
    return bytes(_regroup(words[:-_CHECKSUM], 5, 8, pad=False))


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            if top >> i & 1:
                check ^= generator
    return check


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _regroup(data: Iterable[int], width: int, to: int, *, pad: bool) -> list[int]:
    held = bits = 0
    out: list[int] = []
    for value in data:
        held = held << width | value
        bits += width
        while bits >= to:
            bits -= to
            out.append(held >> bits & (1 << to) - 1)
        held &= (1 << bits) - 1
    if pad and bits:
        out.append(held << to - bits)
    elif not pad and (bits >= width or held):
        message = "wrong padding"
        raise ValueError(message)
    return out
