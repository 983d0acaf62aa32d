"""Bech32: what BIP 173 says, without its limit of length, and nothing of a secret in an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.age import bech32

# BIP 173, "Test vectors", the valid ones whose data is empty or whole bytes.
VALID = [
    ("a", "a12uel5l", ""),
    ("?", "?1ezyfcl", ""),
    (
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
        "",
    ),
    (
        "abcdef",
        "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
        "00443214c74254b635cf84653a56d7c675be77df",
    ),
]
WRONG = [
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxx",  # checksum
    "abcdef1bpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",  # a character outside the set
    "abcdefqpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",  # no separator
    "abcdeg1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",  # another prefix
    "Abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",  # mixed case
    "ABCDEF1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LMQQQXW",  # the other case
    "abcdef1qqqxw",  # shorter than a checksum
    " abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw\n",
    "",
]


@pytest.mark.parametrize(("prefix", "text", "data"), VALID)
def test_vectors_of_bip_173(prefix: str, text: str, data: str) -> None:
    assert bech32.decode(prefix, text).hex() == data
    assert bech32.encode(prefix, bytes.fromhex(data)) == text


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_exact_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a key"):
        bech32.decode("abcdef", text)


def checked(words: list[int]) -> str:
    """Return a string of these words with a right checksum."""
    check = bech32._polymod([*bech32._expand("x"), *words, *[0] * 6]) ^ 1
    words = words + [check >> 5 * (5 - i) & 31 for i in range(6)]
    return "x1" + "".join(bech32.CHARSET[word] for word in words)


def test_padding_must_be_short_and_zero() -> None:
    # Eight bits are two words with two bits of padding: set one, or add a word of nothing.
    assert bech32.decode("x", checked([0, 0])) == b"\x00"
    for words in ([0, 1], [0, 2], [0, 0, 0], [0]):
        with pytest.raises(ValueError, match="not a key"):
            bech32.decode("x", checked(words))


@given(st.binary(max_size=1300))
def test_round_trip_in_both_cases(data: bytes) -> None:
    assert bech32.decode("age1pq", bech32.encode("age1pq", data)) == data
    text = bech32.encode("AGE-SECRET-KEY-PQ-", data)
    assert text == text.upper()
    assert bech32.decode("AGE-SECRET-KEY-PQ-", text) == data


@given(st.binary(min_size=32, max_size=32), st.data())
def test_one_wrong_character_is_found_and_not_repeated(seed: bytes, data: st.DataObject) -> None:
    text = bech32.encode("AGE-SECRET-KEY-PQ-", seed)
    place = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[place]))
    altered = text[:place] + wrong + text[place + 1 :]
    with pytest.raises(ValueError, match=r"^not a key") as caught:
        bech32.decode("AGE-SECRET-KEY-PQ-", altered)
    assert str(caught.value) == "not a key of this kind, or mistyped"


def test_letters_that_only_fold_to_ascii_are_refused() -> None:
    text = bech32.encode("AGE-SECRET-KEY-PQ-", bytes(32))
    assert "K" in text
    with pytest.raises(ValueError, match="not a key"):
        bech32.decode("AGE-SECRET-KEY-PQ-", text.replace("K", "\N{KELVIN SIGN}"))
