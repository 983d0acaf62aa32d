"""Secrets at rest: age files under a passphrase, which stock ``age -d`` opens too.

A reviewer's folder, named after the reviewer, holds ``card.json`` (public) and the locked files
``signing.age``, ``quorum.age`` and one ``2026q4.age`` for each quarter. A root's folder holds
``card.json`` and ``signing.age``. An identity's text is an age identity file, so that stock age
takes it with ``-i``; a signing key's is one line of 64 hex digits.

Rules: a file that others can read is refused; nothing is written unlocked, not even for a moment.
The server and its admin never import this module.
"""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import files
from intake.age.armor import armored, dearmor
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.errors import BadFile, WrongPassphrase
from intake.signatures import octets

_LIMIT = 1 << 16  # bytes of a locked file
_SEED = 32  # bytes of an Ed25519 secret key (RFC 8032)


def lock(path: Path, secret: str, passphrase: Passphrase) -> None:
    """Write ``secret``, one line, under ``passphrase``; refuses to replace a file."""
    files.write(path, seal(secret.encode() + b"\n", [passphrase]), replace=False)


def unlock(path: Path, passphrase: Passphrase) -> str:
    """Return the line in a locked file.

    Raises :class:`WrongPassphrase`, :class:`BadFile`, :class:`Unsafe` or :class:`Misuse`.
    """
    sealed = files.read(path, _LIMIT, private=True)
    if armored(sealed):  # as stock ``age -p -a`` writes one
        sealed = dearmor(sealed)
    try:
        text = unseal(sealed, [passphrase]).decode("ascii", "replace")
    except WrongPassphrase as wrong:
        raise WrongPassphrase(f"The passphrase does not open {path}.", wrong.hint) from None
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    if len(lines) != 1:
        raise _other(path)
    return lines[0]


def identity(path: Path, passphrase: Passphrase) -> Identity:
    """Return the identity in a locked file. Raises as :func:`unlock`."""
    return Identity.parse(unlock(path, passphrase))


def signing_key(path: Path, passphrase: Passphrase) -> Ed25519PrivateKey:
    """Return the Ed25519 key in a locked file. Raises as :func:`unlock`."""
    try:
        seed = octets(unlock(path, passphrase), _SEED)
    except ValueError:
        raise _other(path) from None
    return Ed25519PrivateKey.from_private_bytes(seed)


def destroy(path: Path) -> None:
    """Overwrite a file with random bytes, sync it, delete it. What that is worth on flash: little.

    Raises ``OSError``; the caller says what it was about, and syncs the folder.
    """
    with path.open("r+b", buffering=0) as file:
        file.write(secrets.token_bytes(path.stat().st_size))
        os.fsync(file.fileno())
    path.unlink()


def _other(path: Path) -> BadFile:
    return BadFile(f"{path} holds another kind of secret.", "Check that it is the file you meant.")
