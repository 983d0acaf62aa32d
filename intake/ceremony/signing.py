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
from intake.ceremony import proposal
from intake.errors import BadFile, Misuse
from intake.keyring import Keyring

_LIMIT = 4096  # bytes of a signature's file


def read_draft(path: Path) -> bytes:
    """Return line 1 from a draft's file, without its LF. Raises :class:`BadFile`."""
    data = files.read(path, keyring.MAX_SIZE)
    if data.count(b"\n") != 1 or not data.endswith(b"\n"):
        raise BadFile(f"{path} is not a draft.", "Ask whoever proposed it for the file again.")
    return data[:-1]


def sign(line: bytes, name: str, key: Ed25519PrivateKey) -> bytes:
    """Return the signature line of the root ``name`` on a draft. Raises :class:`Misuse`."""
    draft = proposal.check(line, None)
    if {**draft.roots, **draft.leaving}.get(name) != key.public_key().public_bytes_raw():
        raise Misuse(
            f"The draft does not name {name} as a root with this key.",
            "Ask whoever proposed it which card they used.",
        )
    return keyring.signature_line(name, key.sign(keyring.CONTEXT + line))


def assemble(line: bytes, signatures: Sequence[Path], before: bytes | None) -> bytes:
    """Return the keyring's file: the draft's ``line`` and the ``signatures``, verified.

    Raises :class:`BadFile` for a signature that does not belong to the draft, :class:`Misuse` if
    some are missing, :class:`BadKeyring` if the keyring does not follow the one ``before``.
    """
    draft = proposal.check(line, before)
    keys = {**draft.roots, **draft.leaving}
    found: dict[str, bytes] = {}
    for path in signatures:
        try:
            data = files.read(path, _LIMIT)
            name, signature = keyring.split_signature(data.removesuffix(b"\n"))
        except ValueError:
            name, signature = "", b""
        if name not in keys or not keyring.verified(keys[name], signature, keyring.CONTEXT + line):
            raise BadFile(
                f"{path} is not a root's signature on this draft.",
                "It may be of an earlier draft. Let that root sign this one.",
            )
        found[name] = keyring.signature_line(name, signature)
    missing = sorted(draft.roots.keys() - found.keys())
    if len(draft.roots) - len(missing) < draft.threshold:
        raise Misuse(
            f"{draft.threshold} roots must sign; {len(draft.roots) - len(missing)} did.",
            f"Still to sign: {', '.join(missing)}.",
        )
    if draft.version > 1 and before is None:
        raise Misuse(
            f"Keyring {draft.version} follows another one.", "Name that one with --previous."
        )
    data = line + b"\n" + b"".join(found[name] for name in sorted(found))
    keyring.follow(_parsed(before), [data])
    return data


def _parsed(before: bytes | None) -> Keyring | None:
    return None if before is None else keyring.parse(before)
