"""Locked secrets: what opens, what is refused, and that nothing is ever written unlocked."""

from __future__ import annotations

from pathlib import Path

import pytest

from intake import locked
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.errors import BadFile, Misuse, Refused, Unsafe, WrongPassphrase
from tests import makers

WORDS = Passphrase("seven words that nobody else has drawn", 4)
OTHER = Passphrase("seven words that somebody else has drawn", 4)
KEY = makers.signing_key("locked")
IDENTITY = makers.identity("locked")
SEED = KEY.private_bytes_raw().hex()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secret.age"


def test_a_signing_key_comes_back(path: Path) -> None:
    locked.lock(path, SEED, WORDS)
    assert locked.signing_key(path, WORDS).private_bytes_raw() == KEY.private_bytes_raw()


def test_an_identity_comes_back(path: Path) -> None:
    locked.lock(path, IDENTITY.encode(), WORDS)
    assert locked.identity(path, WORDS) == IDENTITY


def test_the_file_is_private_and_holds_no_secret_in_the_clear(path: Path) -> None:
    locked.lock(path, IDENTITY.encode(), WORDS)
    assert path.stat().st_mode & 0o777 == 0o600
    data = path.read_bytes()
    assert data.startswith(b"age-encryption.org/v1\n-> scrypt ")
    assert b"AGE-SECRET-KEY" not in data
    assert IDENTITY.seed not in data
    assert list(path.parent.iterdir()) == [path]


def test_what_is_inside_is_an_age_identity_file(path: Path) -> None:
    """One line with its LF, as ``age -i`` wants it."""
    locked.lock(path, IDENTITY.encode(), WORDS)
    assert unseal(path.read_bytes(), [WORDS]) == IDENTITY.encode().encode() + b"\n"


def test_comments_of_age_keygen_are_passed_over(path: Path) -> None:
    text = f"# created: by age-keygen\n\n{IDENTITY.encode()}\n"
    path.write_bytes(seal(text.encode(), [WORDS]))
    path.chmod(0o600)
    assert locked.identity(path, WORDS) == IDENTITY


def test_a_file_is_never_replaced(path: Path) -> None:
    locked.lock(path, SEED, WORDS)
    before = path.read_bytes()
    with pytest.raises(Misuse, match="exists already"):
        locked.lock(path, SEED, WORDS)
    assert path.read_bytes() == before


def test_a_wrong_passphrase_is_called_so(path: Path) -> None:
    locked.lock(path, SEED, WORDS)
    with pytest.raises(WrongPassphrase):
        locked.signing_key(path, OTHER)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_can_touch_is_refused(path: Path, mode: int) -> None:
    locked.lock(path, SEED, WORDS)
    path.chmod(mode)
    with pytest.raises(Unsafe, match="Other users"):
        locked.signing_key(path, WORDS)


def test_a_missing_file_is_called_so(path: Path) -> None:
    with pytest.raises(Misuse, match="is not there"):
        locked.signing_key(path, WORDS)


def test_any_altered_byte_is_refused(path: Path) -> None:
    locked.lock(path, SEED, WORDS)
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(Refused):
            locked.signing_key(path, WORDS)


@pytest.mark.parametrize(
    "secret",
    [
        *("", "zz" * 32, "00" * 31, "00" * 33, f"{SEED}\n{SEED}"),
        *(SEED.upper(), f" {SEED}", f"{SEED[:2]} {SEED[2:]}"),
    ],
)
def test_what_is_no_signing_key_is_refused(path: Path, secret: str) -> None:
    locked.lock(path, secret, WORDS)
    with pytest.raises(BadFile, match="another kind of secret"):
        locked.signing_key(path, WORDS)


def test_one_kind_is_not_taken_for_the_other(path: Path) -> None:
    locked.lock(path, IDENTITY.encode(), WORDS)
    with pytest.raises(BadFile):
        locked.signing_key(path, WORDS)
    other = path.with_name("signing.age")
    locked.lock(other, SEED, WORDS)
    with pytest.raises(BadFile, match="not a post-quantum identity"):
        locked.identity(other, WORDS)


def test_no_message_carries_the_secret(path: Path) -> None:
    locked.lock(path, IDENTITY.encode(), WORDS)
    with pytest.raises(BadFile) as refusal:
        locked.signing_key(path, WORDS)
    said = f"{refusal.value!r} {refusal.value.what} {refusal.value.hint}"
    assert IDENTITY.encode() not in said
    assert WORDS.text not in said
    assert WORDS.text not in repr(WORDS)
    assert IDENTITY.encode() not in repr(Identity.parse(IDENTITY.encode()))


def test_of_several_files_the_one_that_a_passphrase_does_not_open_is_named(path: Path) -> None:
    locked.lock(path, SEED, WORDS)
    with pytest.raises(WrongPassphrase, match=r"does not open .*secret\.age") as caught:
        locked.unlock(path, OTHER)
    assert "Type it again" in caught.value.hint
