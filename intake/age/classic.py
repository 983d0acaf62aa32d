"""A classic X25519 identity, to open what a colleague's older age sealed. Nothing seals to it.

Rule: there is no classic recipient here, and no way to make an identity. Whoever keeps a file that
was sealed so opens it with a quantum computer one day (``recipient.py`` refuses ``age1…``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from intake.age import bech32
from intake.errors import BadFile

PREFIX = "AGE-SECRET-KEY-"


@dataclass(frozen=True, slots=True)
class ClassicIdentity:
    """A classic secret key, ``AGE-SECRET-KEY-1…`` (74 characters)."""

    x25519: X25519PrivateKey = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> ClassicIdentity:
        """Read ``AGE-SECRET-KEY-1…``. Raises :class:`BadFile`, without repeating it."""
        try:
            return cls(X25519PrivateKey.from_private_bytes(bech32.decode(PREFIX, text)))
        except ValueError:
            raise BadFile(
                "This is not a classic identity.",
                "A classic identity begins with AGE-SECRET-KEY-1 and has 74 characters.",
            ) from None
