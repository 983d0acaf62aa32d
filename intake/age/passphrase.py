"""A passphrase, which both seals and unseals (age's scrypt stanza).

Rules: it never shows itself in ``repr``, and it stands alone: a file sealed to a passphrase has no
other recipient (C2SP age.md, "The scrypt recipient type").
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass, field
from typing import ClassVar

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from intake.age import grammar
from intake.errors import MachineTrouble, Misuse

WORK = 18  # 2^18: about a second and 256 MiB, age's own default
MAX_WORK = 22  # what a reader accepts at most, as stock age does


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase and the work (log2 of scrypt's N) that sealing with it takes."""

    text: str = field(repr=False)
    work: int = WORK
    kind: ClassVar[bytes] = grammar.SCRYPT

    def wrap(self, file_key: bytes) -> tuple[bytes, ...]:
        """Return the stanza's arguments and body: the file key under the passphrase."""
        salt = secrets.token_bytes(grammar.SCRYPT_SALT)
        body = self.cipher(salt, self.work).encrypt(bytes(12), file_key, None)
        return grammar.encode(salt), b"%d" % self.work, body

    def cipher(self, salt: bytes, work: int) -> ChaCha20Poly1305:
        """Return the cipher for a 16-byte ``salt``.

        The zero nonce is safe: the key comes from a fresh salt and wraps one file key. The text is
        used as UTF-8 in NFC, so that the same words typed on two keyboards agree.

        Raises :class:`Misuse` if it has no UTF-8, :class:`MachineTrouble` if memory is short.
        """
        try:
            text = unicodedata.normalize("NFC", self.text).encode()
            key = Scrypt(grammar.SCRYPT_LABEL + salt, 32, 1 << work, 8, 1).derive(text)
        except UnicodeEncodeError:
            # Dangerous to pass on: the error carries the passphrase.
            raise Misuse(
                "The terminal did not send the passphrase as UTF-8.",
                "Set the terminal and its locale to UTF-8, and type it again.",
            ) from None
        except MemoryError:
            raise MachineTrouble(
                f"A passphrase of this work takes {1 << work >> 10} MiB of memory; there is less.",
                "Close other programs, or take a machine with more memory.",
            ) from None
        return ChaCha20Poly1305(key)
