"""Classic X25519 files of a colleague's older age: they open, and nothing of ours is sealed so.

The stanza is written by hand here, after C2SP age.md, "The X25519 recipient type".
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from intake.age import bech32
from intake.age.armor import dearmor
from intake.age.classic import ClassicIdentity
from intake.age.header import HeaderFailure
from intake.age.identity import Identity
from intake.age.unsealing import AnyIdentity, unseal
from intake.errors import BadFile, NoMatchingKey
from tests.test_age import ALICE, FILE_KEY, HYBRID, VECTORS, b64, by_hand, hkdf, pattern, stanza

SECRET = bytes(range(32))
TEXT = bech32.encode("AGE-SECRET-KEY-", SECRET)
OURS = ClassicIdentity.parse(TEXT)
OWN = X25519PrivateKey.from_private_bytes(SECRET).public_key().public_bytes_raw()
OTHER = ClassicIdentity.parse(bech32.encode("AGE-SECRET-KEY-", bytes(32)))
EPHEMERAL = X25519PrivateKey.from_private_bytes(bytes(31) + b"\x40")


def parts(file_key: bytes = FILE_KEY) -> tuple[bytes, bytes]:
    """Return the share and the body of a stanza."""
    share = EPHEMERAL.public_key().public_bytes_raw()
    shared = EPHEMERAL.exchange(X25519PublicKey.from_public_bytes(OWN))
    key = hkdf(shared, share + OWN, b"age-encryption.org/v1/X25519")
    return share, ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)


def classic(*arguments: bytes, body: bytes) -> bytes:
    return stanza(b"X25519", *arguments, body=body)


PUBLIC, BODY = parts()
OWN_STANZA = classic(b64(PUBLIC), body=BODY)


def test_a_classic_file_opens() -> None:
    assert unseal(by_hand(OWN_STANZA), [OURS]) == b"words"
    assert unseal(by_hand(OWN_STANZA), [ALICE, OTHER, OURS]) == b"words"
    for stanzas in ((HYBRID, OWN_STANZA), (OWN_STANZA, HYBRID)):
        assert unseal(by_hand(*stanzas), [OURS]) == b"words"
        assert unseal(by_hand(*stanzas), [ALICE]) == b"words"


def test_somebody_elses_does_not() -> None:
    others: list[list[AnyIdentity]] = [[OTHER], [ALICE], [OTHER, ALICE]]
    for identities in others:
        with pytest.raises(NoMatchingKey):
            unseal(by_hand(OWN_STANZA), identities)
    with pytest.raises(NoMatchingKey):
        unseal(by_hand(HYBRID), [OURS])


@pytest.mark.parametrize(
    "wrong",
    [
        classic(body=BODY),
        classic(b64(PUBLIC), b64(PUBLIC), body=BODY),
        classic(b64(PUBLIC[:-1]), body=BODY),
        classic(b64(PUBLIC + b"\x00"), body=BODY),
        classic(b64(PUBLIC) + b"=", body=BODY),
        classic(b64(PUBLIC)[:-1] + b"/", body=BODY),
        classic(b64(PUBLIC), body=BODY[:-1]),
        classic(b64(PUBLIC), body=BODY + b"\x00"),
        classic(b64(PUBLIC), body=b""),
        classic(b64(PUBLIC), body=parts(bytes(32))[1]),
        classic(b64(bytes(32)), body=BODY),  # of low order
        classic(b64(b"\x01" + bytes(31)), body=BODY),
    ],
)
def test_a_classic_stanza_with_a_wrong_part_is_refused(wrong: bytes) -> None:
    with pytest.raises(HeaderFailure):
        unseal(by_hand(wrong), [OURS])


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT.lower(),
        TEXT[:-1],
        TEXT + "Q",
        TEXT[:-1] + ("Q" if TEXT[-1] != "Q" else "P"),
        bech32.encode("AGE-SECRET-KEY-", bytes(31)),
        bech32.encode("AGE-SECRET-KEY-", bytes(33)),
        Identity.from_seed(SECRET).encode(),
    ],
)
def test_what_is_no_classic_identity_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(BadFile) as caught:
        ClassicIdentity.parse(text)
    assert not text or text not in str(caught.value) + caught.value.hint


def test_a_classic_identity_does_not_show_itself() -> None:
    assert TEXT not in repr(OURS)
    assert str(SECRET) not in repr(OURS)


def test_what_others_sealed_opens() -> None:
    assert unseal((VECTORS / "classic-5.age").read_bytes(), [OURS]) == pattern(5)
    armored = (VECTORS / "classic-armored-65537.age").read_bytes()
    assert unseal(dearmor(armored), [OURS]) == pattern(65_537)
