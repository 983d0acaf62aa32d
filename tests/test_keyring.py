"""What is read from a keyring that is right. Its refusals, as a table, are in ``test_rotation``."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake import keyring
from intake.errors import BadKeyring
from tests.makers import FIRST, make_deployment

MADE = make_deployment(weeks=2, roots=3)  # threshold 2


def test_what_is_read_is_what_was_written() -> None:
    found = keyring.parse(MADE.raw)
    assert (found.version, found.threshold, found.quorum, found.demo) == (1, 2, 2, False)
    assert found.roots == {
        name: key.public_key().public_bytes_raw() for name, key in MADE.roots.items()
    }
    assert found.archive == str(MADE.archive.recipient())
    assert [period.recipient for period in found.periods] == [
        str(identity.recipient()) for identity in MADE.periods.values()
    ]
    assert found.signers == {"rosa", "ruth", "rhea"}
    assert [one.name for one in found.active] == ["alice", "bob", "carol"]
    assert found.sha256 == hashlib.sha256(MADE.raw.split(b"\n")[0]).digest()


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(BadKeyring):
        keyring.parse(data)


@pytest.mark.parametrize("old", [None, MADE.keyring])
def test_no_keyring_is_no_step(old: keyring.Keyring | None) -> None:
    with pytest.raises(BadKeyring, match="No keyring was given"):
        keyring.follow(old, [])


def test_the_period_of_a_day() -> None:
    found = [MADE.keyring.period_of(FIRST + timedelta(days=day)) for day in (-1, 0, 6, 7, 13, 14)]
    names = [period.name if period else None for period in found]
    assert names == [None, "2026-w47", "2026-w47", "2026-w48", "2026-w48", None]
