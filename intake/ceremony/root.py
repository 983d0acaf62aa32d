"""A root: an offline Ed25519 key. A threshold of roots signs a keyring.

Rule: the key is written once, locked with its holder's passphrase; only the card is public.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import locked
from intake.age.passphrase import Passphrase
from intake.ceremony import card, folder

SIGNING = "signing.age"


def make(path: Path, passphrase: Passphrase, *, demo: bool) -> None:
    """Make a root in the new folder ``path``, whose last part is the root's name."""
    key = Ed25519PrivateKey.generate()
    with folder.whole(path) as partial:
        locked.lock(partial / SIGNING, key.private_bytes_raw().hex(), passphrase)
        card.write(partial, key, {"demo": demo, "format": card.ROOT, "name": path.name})
