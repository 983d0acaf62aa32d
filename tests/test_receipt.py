"""Receipts: always the same from one form, found wrong when mistyped, and leading nowhere else."""

from __future__ import annotations

import hmac
import inspect
import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from intake import receipt

SEEDS = st.binary(min_size=32, max_size=32)
DEPLOYMENT = bytes(range(32))


def numbered(number: int) -> bytes:
    """Return a seed that a test can name."""
    return number.to_bytes(32, "big")


@given(SEEDS)
def test_a_form_has_one_receipt_of_24_digits(seed: bytes) -> None:
    digits = receipt.receipt(seed)
    assert digits == receipt.receipt(seed)
    assert len(digits) == 24
    assert digits.isascii()
    assert digits.isdecimal()
    assert receipt.check_digit(digits[:-1]) == digits[-1]
    assert "".join(receipt.groups(digits)) == digits
    assert [len(group) for group in receipt.groups(digits)] == [4] * 6


def test_fixed_vector() -> None:
    """Computed from docs alone, with the standard library: a change of format shows here."""
    seed = numbered(7)
    number = int(hmac.new(seed, b"intake receipt 1", "sha256").hexdigest(), 16) % 10**23
    digits = receipt.receipt(seed)
    assert digits[:23] == str(number).rjust(23, "0")
    assert receipt.nonce(seed) == hmac.digest(seed, b"intake nonce 1", "sha256")
    secret = hmac.digest(DEPLOYMENT, digits.encode(), "sha256")
    assert receipt.reply_secret(DEPLOYMENT, digits) == secret
    assert receipt.case_tag(secret) == hmac.digest(secret, b"intake case 1", "sha256")[:16]
    row = hmac.digest(receipt.nonce(seed), b"{}", "sha256")[:16]
    assert receipt.submission_id(receipt.nonce(seed), b"{}") == row


def test_a_small_number_keeps_its_zeros() -> None:
    # One of 10 receipts begins with a zero; none of them may be shorter.
    firsts = Counter(receipt.receipt(numbered(i))[0] for i in range(200))
    assert firsts["0"] > 0


def test_check_digit_as_in_the_standard() -> None:
    assert receipt.check_digit("0794") == "5"  # ISO/IEC 7064, MOD 11,10: the example "07945"


def test_every_single_wrong_digit_is_found() -> None:
    for number in range(20):
        digits = receipt.receipt(numbered(number))
        for place, wrong in itertools.product(range(24), "0123456789"):
            if wrong != digits[place]:
                mistyped = digits[:place] + wrong + digits[place + 1 :]
                assert receipt.check_digit(mistyped[:-1]) != mistyped[-1]


def test_nearly_every_swap_of_neighbours_is_found() -> None:
    """Count over all receipts of 2,000 fixed seeds; the page says "almost every"."""
    swaps = missed = 0
    for number in range(2000):
        digits = receipt.receipt(numbered(number))
        for i in range(23):
            if digits[i] != digits[i + 1]:
                swapped = digits[:i] + digits[i + 1] + digits[i] + digits[i + 2 :]
                swaps += 1
                missed += receipt.check_digit(swapped[:-1]) == swapped[-1]
    assert swaps > 40_000
    assert missed / swaps < 0.03  # a plain sum of digits would miss all of them


def test_digits_are_spread_evenly() -> None:
    """Chi-square over 24 places of 2,000 fixed seeds.

    9 degrees of freedom, each place P(chi2 > 42) = 3.3e-6: over 24 places a false-alarm
    rate of 8e-5.
    """
    receipts = [receipt.receipt(numbered(number)) for number in range(2000)]
    assert len(set(receipts)) == 2000
    for place in range(24):
        counts = Counter(digits[place] for digits in receipts)
        chi_square = sum((counts[digit] - 200) ** 2 / 200 for digit in "0123456789")
        assert chi_square < 42, place


@given(SEEDS, SEEDS)
def test_nothing_that_is_derived_is_another_thing(seed: bytes, deployment: bytes) -> None:
    digits = receipt.receipt(seed)
    nonce, secret = receipt.nonce(seed), receipt.reply_secret(deployment, digits)
    tag = receipt.case_tag(secret)
    derived = [seed, deployment, nonce, secret, tag, digits.encode()]
    assert [len(value) for value in derived] == [32, 32, 32, 32, 16, 24]
    for one, other in itertools.permutations(derived, 2):
        if (one, other) not in {(seed, deployment), (deployment, seed)}:
            assert one not in other
            assert other[:16] != one[:16]
    # Who opens an envelope has nonce, secret and tag; the receipt must not follow from the nonce.
    assert receipt.receipt(nonce) != digits
    assert receipt.reply_secret(nonce, digits) != secret
    assert receipt.case_tag(nonce) != tag
    assert f"{int.from_bytes(nonce, 'big') % 10**23:023d}" != digits[:23]


@given(SEEDS, SEEDS)
def test_another_deployment_is_another_case(one: bytes, two: bytes) -> None:
    digits = receipt.receipt(numbered(1))
    same = receipt.reply_secret(one, digits) == receipt.reply_secret(two, digits)
    assert same == (one == two)


@given(st.text(min_size=1), st.data())
def test_one_other_character_is_another_row(words: str, data: st.DataObject) -> None:
    nonce = receipt.nonce(numbered(3))
    place = data.draw(st.integers(0, len(words) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != words[place]))
    altered = words[:place] + other + words[place + 1 :]
    row = receipt.submission_id(nonce, words.encode("utf-8", "surrogatepass"))
    assert len(row) == 16
    assert row == receipt.submission_id(nonce, words.encode("utf-8", "surrogatepass"))
    assert row != receipt.submission_id(nonce, altered.encode("utf-8", "surrogatepass"))
    assert row != receipt.submission_id(
        receipt.nonce(numbered(4)), words.encode("utf-8", "replace")
    )


def test_seeds_are_32_random_bytes_from_the_system() -> None:
    seeds = {receipt.new_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert {len(seed) for seed in seeds} == {32}
    assert "secrets.token_bytes" in inspect.getsource(receipt.new_seed)
