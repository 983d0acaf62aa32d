"""A passphrase, which both seals and unseals (age's scrypt stanza).

Rules: it never shows itself in ``repr``, and it stands alone: a file sealed to a passphrase has no
other recipient (C2SP age.md, "The scrypt recipient type").
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from intake.age import grammar

WORK = 18  # 2^18: about a second and 256 MiB, age's own default
MAX_WORK = 22  # what a reader accepts at most, as stock age does


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase and the work (log2 of scrypt's N) that sealing with it takes."""

    text: str = field(repr=False)
    work: int = WORK

    def wrapping_key(self, salt: bytes, work: int) -> bytes:
        """Return the 32-byte key that wraps a file key, for a 16-byte ``salt``.

        The text is used as UTF-8 in NFC, so that the same words typed on two keyboards agree.
        """
        text = unicodedata.normalize("NFC", self.text).encode()
        return Scrypt(grammar.SCRYPT_LABEL + salt, 32, 1 << work, 8, 1).derive(text)
