"""A hybrid identity: the secret key that opens what was sealed to its recipient.

Rule: an identity never shows itself in ``repr`` or ``str``; :meth:`Identity.encode` is the one
place that gives the secret out, and its callers lock what they got at once.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from intake.age import bech32, grammar
from intake.age.recipient import Recipient
from intake.errors import BadFile, MachineTrouble

PREFIX = "AGE-SECRET-KEY-PQ-"
SEED = 32  # bytes
_ML_KEM_SEED = 64  # bytes, FIPS 203


@dataclass(frozen=True, slots=True)
class Identity:
    """A post-quantum hybrid secret key, ``AGE-SECRET-KEY-PQ-1…`` (77 characters)."""

    seed: bytes = field(repr=False)
    ml_kem: MLKEM768PrivateKey = field(repr=False, compare=False)
    x25519: X25519PrivateKey = field(repr=False, compare=False)
    hpke: MLKEM768X25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Identity:
        """Draw a new identity."""
        return cls.from_seed(secrets.token_bytes(SEED))

    @classmethod
    def from_seed(cls, seed: bytes) -> Identity:
        """Expand 32 bytes (C2SP age.md: SHAKE256 to 64 bytes for ML-KEM and 32 for X25519)."""
        if len(seed) != SEED:
            raise _not_an_identity()
        expanded = hashlib.shake_256(seed).digest(_ML_KEM_SEED + 32)
        try:
            ml_kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_ML_KEM_SEED])
        except UnsupportedAlgorithm:
            raise MachineTrouble(
                "This machine's cryptography library has no ML-KEM-768.",
                "Install the pinned wheels with: make setup",
            ) from None
        x25519 = X25519PrivateKey.from_private_bytes(expanded[_ML_KEM_SEED:])
        return cls(seed, ml_kem, x25519, MLKEM768X25519PrivateKey(ml_kem, x25519))

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read ``AGE-SECRET-KEY-PQ-1…``. Raises :class:`BadFile`, without repeating it."""
        try:
            seed = bech32.decode(PREFIX, text)
        except ValueError:
            raise _not_an_identity() from None
        return cls.from_seed(seed)

    def encode(self) -> str:
        """Return the secret ``AGE-SECRET-KEY-PQ-1…``."""
        return bech32.encode(PREFIX, self.seed)

    def recipient(self) -> Recipient:
        """Return the public half."""
        public = self.ml_kem.public_key().public_bytes_raw()
        public += self.x25519.public_key().public_bytes_raw()
        return Recipient.parse(bech32.encode(grammar.HYBRID_PREFIX, public))


def _not_an_identity() -> BadFile:
    return BadFile(
        "This is not a post-quantum identity.",
        "An identity begins with AGE-SECRET-KEY-PQ-1 and has 77 characters. Copy it again, whole.",
    )
