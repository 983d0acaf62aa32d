"""A hybrid recipient: the public key that a file is sealed to.

Rule: this module holds public keys only; the identity that matches lives in ``identity.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey

from intake.age import bech32, grammar
from intake.errors import BadFile, MachineTrouble

_ML_KEM = 1184  # bytes of the ML-KEM-768 encapsulation key (FIPS 203)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A post-quantum hybrid public key, ``age1pq1…`` (1,959 characters)."""

    text: str
    key: MLKEM768X25519PublicKey = field(repr=False, compare=False)
    kind: ClassVar[bytes] = grammar.HYBRID

    @classmethod
    def parse(cls, text: str) -> Recipient:
        """Read ``age1pq1…``: ML-KEM-768 encapsulation key, then X25519 public key.

        Raises :class:`BadFile` for anything else, classic ``age1…`` keys among it: sealing to
        X25519 would leave the words to whoever keeps the ciphertext for a quantum computer.
        Raises :class:`MachineTrouble` where the platform has no ML-KEM.
        """
        try:
            raw = bech32.decode(grammar.HYBRID_PREFIX, text)
            ml_kem = MLKEM768PublicKey.from_public_bytes(raw[:_ML_KEM])
            x25519 = X25519PublicKey.from_public_bytes(raw[_ML_KEM:])
            key = MLKEM768X25519PublicKey(ml_kem, x25519)
            # A share of low order parses, and would fail only when a testimony is to be sealed.
            grammar.SUITE.encrypt(b"", key, grammar.HYBRID_INFO)
        except ValueError:
            raise BadFile(
                "This is not a post-quantum recipient.",
                "A recipient begins with age1pq1 and has 1,959 characters. Copy it again, whole.",
            ) from None
        except UnsupportedAlgorithm:
            raise MachineTrouble(
                "This machine's cryptography library has no ML-KEM-768.",
                "Install the pinned wheels with: make setup",
            ) from None
        return cls(text, key)

    def __str__(self) -> str:
        """Return ``age1pq1…``."""
        return self.text

    def wrap(self, file_key: bytes) -> tuple[bytes, ...]:
        """Return the stanza's arguments and body: the file key under HPKE (RFC 9180)."""
        sealed = grammar.SUITE.encrypt(file_key, self.key, grammar.HYBRID_INFO)
        share, body = sealed[: grammar.HYBRID_SHARE], sealed[grammar.HYBRID_SHARE :]
        return grammar.encode(share), body
