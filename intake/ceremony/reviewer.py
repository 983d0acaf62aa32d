"""A reviewer's keys: to sign with, to open packages with, and to read a quarter's cases with.

Rules:
- Three secrets, each in its own file, all locked with the reviewer's one passphrase. Stock ``age``
  opens them too, so a passphrase and this folder are enough if Intake is gone.
- The quorum identity lasts as long as the reviewer; a quarter's identity is destroyed after it
  (docs/adr/0005).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import locked
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.ceremony import card, folder
from intake.ceremony.root import SIGNING

QUORUM = "quorum.age"


def make(
    path: Path, body: str, quarters: Sequence[str], passphrase: Passphrase, *, demo: bool
) -> None:
    """Make a reviewer sent by ``body`` in the new folder ``path``, whose last part is the name."""
    key, quorum = Ed25519PrivateKey.generate(), Identity.generate()
    identities = {quarter: Identity.generate() for quarter in quarters}
    recipients = {name: str(own.recipient()) for name, own in identities.items()}
    public = {"body": body, "quarters": recipients, "quorum": str(quorum.recipient())}
    with folder.whole(path) as partial:
        locked.lock(partial / SIGNING, key.private_bytes_raw().hex(), passphrase)
        locked.lock(partial / QUORUM, quorum.encode(), passphrase)
        for name, own in identities.items():
            locked.lock(partial / f"{name}.age", own.encode(), passphrase)
        facts = {"demo": demo, "format": card.REVIEWER, "name": path.name, **public}
        card.write(partial, key, facts)


def unlock(folder: Path, passphrase: Passphrase) -> tuple[Identity, Ed25519PrivateKey]:
    """Return the quorum identity and the signing key. Raises as :func:`intake.locked.unlock`."""
    quorum = locked.identity(folder / QUORUM, passphrase)
    return quorum, locked.signing_key(folder / SIGNING, passphrase)


def quarter_of(day: date) -> str:
    """Return the quarter that ``day`` falls into, as ``2026q4``."""
    return f"{day.year}q{(day.month + 2) // 3}"
