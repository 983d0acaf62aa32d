"""What one form hides: from its seed come the nonce, the receipt and the case.

The form carries one hidden seed of 32 random bytes and nothing else that is secret. So the same
form posted twice, also after a restart or to another worker, gives the same row and the same
receipt, and the server keeps nothing to make that true (docs/adr/0004)::

    seed ──HMAC──▶ nonce      goes into the envelope; names the submission
      └────HMAC──▶ receipt    goes to the source, and is written down nowhere here
                     └─HMAC with the deployment id─▶ reply secret ──HMAC──▶ case tag

Rules:
- Every arrow is HMAC-SHA256 and cannot be walked back: who opens an envelope finds the reply
  secret, but neither the seed nor the receipt.
- Nothing here is stored, logged or shown, but for the receipt, shown once to its source.
"""

import hmac
import secrets

SEED = 32  # bytes
DIGITS = 24  # 23 random ones (76 bits) and a check digit
GROUP = 4


def new_seed() -> bytes:
    """Draw the seed of one form."""
    return secrets.token_bytes(SEED)


def nonce(seed: bytes) -> bytes:
    """Return the 32-byte nonce of a form."""
    return _mac(seed, b"intake nonce 1")


def receipt(seed: bytes) -> str:
    """Return the 24 digits of a form's receipt.

    256 bits taken modulo 10^23 are uniform but for one part in 2^179.
    """
    number = int.from_bytes(_mac(seed, b"intake receipt 1")) % 10 ** (DIGITS - 1)
    digits = f"{number:0{DIGITS - 1}d}"
    return digits + check_digit(digits)


def check_digit(digits: str) -> str:
    """Return the check digit of ``digits`` (ISO/IEC 7064, MOD 11,10).

    It finds every single wrong digit and almost every swap of two neighbours.
    """
    product = 10
    for digit in digits:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def groups(digits: str) -> list[str]:
    """Return the receipt as people copy it: six groups of four."""
    return [digits[i : i + GROUP] for i in range(0, len(digits), GROUP)]


def reply_secret(deployment: bytes, digits: str) -> bytes:
    """Return the 32 bytes from which the mailbox of a receipt follows."""
    return _mac(deployment, digits.encode("ascii"))


def case_tag(secret: bytes) -> bytes:
    """Return the 16 bytes that all envelopes of one case share, inside their seals."""
    return _mac(secret, b"intake case 1")[:16]


def submission_id(form_nonce: bytes, words: bytes) -> bytes:
    """Return the 16-byte row id: the same form with the same words is the same row."""
    return _mac(form_nonce, words)[:16]


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
