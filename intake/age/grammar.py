r"""The grammar of an age v1 file, and the key derivations that writer and reader share.

After C2SP ``age.md``. A file is a textual header and a binary payload::

    header     = v1-line 1*stanza end
    v1-line    = "age-encryption.org/v1" LF
    stanza     = "-> " argument *(SP argument) LF *full-line final-line
    argument   = 1*VCHAR                         ; 0x21 to 0x7e
    full-line  = 64base64char LF
    final-line = *63base64char LF                ; always there, may be empty
    end        = "--- " 43base64char LF          ; HMAC of all before it, up to and with "---"
    payload    = 16-byte nonce, then STREAM: chunks of 64 KiB, each ChaCha20-Poly1305

Rules:
- Base64 is the standard alphabet without padding, and canonical: the unused bits are zero.
- Nothing here holds a key that opens anything, and nothing here does input or output.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION_LINE = b"age-encryption.org/v1"
STANZA = b"->"
END = b"---"
COLUMNS = 64  # of armor, and of a stanza's body

FILE_KEY = 16  # bytes
NONCE = 16  # bytes
TAG = 16  # bytes, Poly1305
CHUNK = 64 * 1024  # bytes of plaintext
WRAPPED_KEY = FILE_KEY + TAG

# C2SP age.md, "The hybrid recipient type": HPKE (RFC 9180) base mode with KEM 0x647a.
HYBRID = b"mlkem768x25519"
HYBRID_INFO = b"age-encryption.org/mlkem768x25519"
HYBRID_PREFIX = "age1pq"
HYBRID_SHARE = 1088 + 32  # bytes: ML-KEM-768 ciphertext, X25519 share
SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)

# C2SP age.md, "The X25519 recipient type". Only read: see recipient.py for why nothing seals to it.
CLASSIC = b"X25519"
CLASSIC_INFO = b"age-encryption.org/v1/X25519"
CLASSIC_SHARE = 32  # bytes

# C2SP age.md, "The scrypt recipient type": N = 2^work, r = 8, p = 1.
SCRYPT = b"scrypt"
SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
SCRYPT_SALT = 16  # bytes

_SHA256 = hashes.SHA256()  # making one costs as much as using it


def encode(data: bytes) -> bytes:
    """Return base64 without padding."""
    return base64.b64encode(data).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Return the bytes of canonical, unpadded base64, or raise ``ValueError``."""
    data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if encode(data) != text:
        raise ValueError("not canonical base64")
    return data


def derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """Return 32 bytes of HKDF-SHA256 (RFC 5869)."""
    return HKDF(_SHA256, 32, salt, info).derive(secret)


def header_mac(file_key: bytes, header: bytes) -> hmac.HMAC:
    """Return the MAC over ``header``, which ends with ``---``; finalize or verify it."""
    mac = hmac.HMAC(derive(file_key, b"", b"header"), _SHA256)
    mac.update(header)
    return mac


def chunk_nonces() -> Iterator[tuple[bytes, bytes]]:
    """Yield for each chunk the nonce if another follows, and the nonce if it is the last.

    STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015): 11 bytes of counter, one byte of "last".
    """
    for counter in range(1 << 88):
        prefix = counter.to_bytes(11, "big")
        yield prefix + b"\x00", prefix + b"\x01"
