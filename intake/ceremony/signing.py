"""Sign a draft, each root on their own machine, and assemble the keyring.

Rules:
- A root signs only a draft that names it with this key, and that will pass if enough others sign.
- What is assembled went through the reading half before it is written.
- Order and spelling are fixed, so the same signatures always give the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import files, keyring
from intake.ceremony import card
from intake.errors import BadFile, Misuse
from intake.signatures import signature_line


def read_draft(path: Path) -> bytes:
    """Return line 1 from a draft's file, without its LF. Raises :class:`BadFile`."""
    data = files.read(path, keyring.MAX_SIZE)
    if data.count(b"\n") != 1 or not data.endswith(b"\n"):
        raise BadFile(f"{path} is not a draft.", "Ask whoever proposed it for the file again.")
    return data[:-1]


def sign(line: bytes, name: str, key: Ed25519PrivateKey) -> bytes:
    """Return the signature line of the root ``name`` on a draft. Raises :class:`Misuse`."""
    draft = keyring.draft(line)
    if {**draft.roots, **draft.leaving}.get(name) != key.public_key().public_bytes_raw():
        what = f"The draft does not name {name} as a root with this key."
        raise Misuse(what, "Ask whoever proposed it which card they used.")
    return signature_line(name, key.sign(keyring.CONTEXT + line))


def assemble(line: bytes, signatures: Sequence[Path], before: bytes | None) -> bytes:
    """Return the keyring's file: the draft's ``line`` and the ``signatures``, verified.

    Raises :class:`BadFile` for a signature that does not belong to the draft, :class:`Misuse` if
    some are missing, :class:`BadKeyring` if the keyring does not follow the one ``before``.
    """
    draft, message = keyring.draft(line), keyring.CONTEXT + line
    if draft.version > 1 and before is None:
        what = f"Keyring {draft.version} follows another one."
        raise Misuse(what, "Name that one with --previous.")
    keys = {**draft.roots, **draft.leaving}
    found = dict(card.read_signature(path, keys, message) for path in signatures)
    missing = sorted(draft.roots.keys() - found.keys())
    if (signed := len(draft.roots) - len(missing)) < draft.threshold:
        what = f"{draft.threshold} roots must sign; {signed} did."
        raise Misuse(what, f"Still to sign: {', '.join(missing)}.")
    data = line + b"\n" + b"".join(signature_line(*one) for one in sorted(found.items()))
    keyring.follow(keyring.parse(before) if before else None, [data])
    return data
