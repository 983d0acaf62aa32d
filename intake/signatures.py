"""Ed25519 signatures, and the lines of text that carry them.

Rules:
- Lowercase hex has one spelling; base64 would have sixteen for the same signature (measured), and a
  flipped byte would go unnoticed.
- What is signed begins with a line that says what it is, so that a signature on one thing never
  counts for another.
"""

import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_SIGNATURE = re.compile(rb"([a-z0-9-]{1,32}) ([0-9a-f]{128})\Z")


def verified(key: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether ``signature`` is ``key``'s over ``message`` (Ed25519, RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def signature_line(name: str, signature: bytes) -> bytes:
    """Return the line that carries a signature; keyrings and returns share it."""
    return f"{name} {signature.hex()}\n".encode()


def split_signature(line: bytes) -> tuple[str, bytes]:
    """Return name and signature of such a line. Raises ``ValueError`` for any other spelling."""
    match = _SIGNATURE.match(line)
    if match is None:
        raise ValueError
    return match[1].decode(), bytes.fromhex(match[2].decode())


def octets(text: str, size: int) -> bytes:
    """Return the bytes of lowercase hex of exactly ``size`` bytes. Raises ``ValueError``."""
    data = bytes.fromhex(text)
    if data.hex() != text or len(data) != size:
        raise ValueError
    return data
