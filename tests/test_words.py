"""Words: drawn evenly, and a fingerprint's say exactly the bytes that they stand for."""

from __future__ import annotations

import hashlib
import itertools
import math
import subprocess
import sys
import unicodedata
from collections import Counter

import mnemonic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake import words
from intake.settings import ROOT

LIST = words._list().wordlist
# The file of the standard, english.txt of BIP 39, which has not changed since 2014.
ENGLISH = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
PHRASE = "love clay climb web planet found act share mystery smooth"


def by_hand(data: bytes) -> list[str]:
    """Return the words of BIP 39, from its text: bits of the data, then of its hash, by elevens."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += f"{hashlib.sha256(data).digest()[0]:08b}"[: len(bits) // 32]
    return [LIST[int(bits[start : start + 11], 2)] for start in range(0, len(bits), 11)]


def test_the_list_is_the_standards() -> None:
    """Another list, or another order, would be other words for the same keyring."""
    data = "".join(f"{word}\n" for word in LIST).encode()
    assert hashlib.sha256(data).hexdigest() == ENGLISH


def test_a_word_is_known_by_four_letters_and_can_be_typed_anywhere() -> None:
    assert len(LIST) == 2048
    assert len({word[:4] for word in LIST}) == len(LIST)
    assert all(word.isascii() and word.isalpha() and word.islower() for word in LIST)
    assert max(map(len, LIST)) == 8


def test_a_passphrase_is_ten_words_of_the_list_with_one_space_between() -> None:
    drawn = words.passphrase()
    assert len(drawn.split(" ")) == words.DRAWN == 10
    assert set(drawn.split(" ")) <= set(LIST)
    assert words.DRAWN * math.log2(len(LIST)) == 110
    assert unicodedata.normalize("NFC", drawn) == drawn  # stock age takes it as it is


def test_words_are_drawn_evenly_from_the_whole_list() -> None:
    """20,000 words: every half and every sixteenth of the list is met as often as chance has it.

    Each of 18 counts is binomial; one passes six standard deviations in fewer than 10^-7 of runs.
    """
    drawn = list(itertools.chain.from_iterable(words.passphrase().split() for _ in range(2000)))
    for parts in (2, 16):
        counts = Counter(LIST.index(word) * parts // len(LIST) for word in drawn)
        spread = math.sqrt(len(drawn) * (1 / parts) * (1 - 1 / parts))
        for part in range(parts):
            assert abs(counts[part] - len(drawn) / parts) < 6 * spread


def test_no_two_passphrases_are_alike() -> None:
    """Nor do two processes draw the same: nothing of it follows from a seed."""
    assert len({words.passphrase() for _ in range(1000)}) == 1000
    script = "import random; random.seed(1); from intake import words; print(words.passphrase())"
    drawn = {
        subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(drawn) == 2


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_is_fifteen_words_that_say_the_first_twenty_bytes(data: bytes) -> None:
    shown = words.fingerprint(data)
    groups = [group.split(" ") for group in shown.split(", ")]
    assert [len(group) for group in groups] == [3] * 5
    said = list(itertools.chain.from_iterable(groups))
    assert said == by_hand(data[:20])
    assert bytes(mnemonic.Mnemonic("english").to_entropy(said)) == data[:20]


def test_any_other_bit_of_the_twenty_bytes_is_other_words() -> None:
    data = hashlib.sha256(b"intake").digest()
    shown = {words.fingerprint(data)}
    for place in range(160):
        other = bytearray(data)
        other[place // 8] ^= 1 << place % 8
        shown.add(words.fingerprint(bytes(other)))
    assert len(shown) == 161


def test_words_of_zeros_and_ones() -> None:
    """The two ends of the list, by the standard's own reckoning."""
    assert words.fingerprint(bytes(32)) == ", ".join(
        ["abandon abandon abandon"] * 4 + ["abandon abandon address"]
    )
    assert words.fingerprint(b"\xff" * 32) == ", ".join(["zoo zoo zoo"] * 4 + ["zoo zoo wrist"])


@pytest.mark.parametrize(
    "typed",
    [
        PHRASE,
        PHRASE.upper(),
        PHRASE.title(),
        f"  {PHRASE}\t",
        PHRASE.replace(" ", "   "),
        PHRASE.replace(" ", "\u00a0"),
        PHRASE.replace(" ", "\u3000"),
    ],
)
def test_capitals_and_spaces_do_not_matter_for_a_drawn_passphrase(typed: str) -> None:
    assert words.as_drawn(typed) == PHRASE


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "short",
        "Seven  Words that somebody Chose before this",
        f"{PHRASE} Love",  # eleven of the list
        " ".join(PHRASE.split()[1:]).upper(),  # nine
        PHRASE.upper().replace("LOVE", "LOVES"),
        PHRASE.replace("love", "lové"),
        PHRASE.replace(" ", "\u200b").upper(),  # a space without width is a letter here
        "တပ်ရင်းမှူးက  ပစ်ခိုင်းတယ်။",
        "ေျပာျပခ်င္တယ္ 😀",
        "demo-One  For  All",
    ],
)
def test_any_other_passphrase_stays_as_it_was_typed(typed: str) -> None:
    """One that a person chose long ago still opens what it locked."""
    assert words.as_drawn(typed) == typed


@given(st.text(max_size=80))
def test_no_text_is_changed_but_into_ten_words_of_the_list(typed: str) -> None:
    taken = words.as_drawn(typed)
    assert taken == typed or set(taken.split(" ")) <= set(LIST)
