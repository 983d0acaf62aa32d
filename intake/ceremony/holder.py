"""Who holds keys, a root or a reviewer: each has a folder, with a card and locked secrets.

A root is an offline Ed25519 key; a threshold of roots signs a keyring. A reviewer has three kinds
of secret: a key to sign with, a quorum identity to open packages with, and an identity for each
quarter, to read its cases with.

Rules:
- Each secret has its own file, locked with its holder's one passphrase; only the card is public.
  Stock ``age`` opens them too, so a passphrase and this folder are enough if Intake is gone.
- The quorum identity lasts as long as the reviewer; a quarter's identity is destroyed after it
  (docs/adr/0005).
"""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import locked
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.ceremony import card, folder

SIGNING = "signing.age"
QUORUM = "quorum.age"


def make_root(path: Path, passphrase: Passphrase, *, demo: bool) -> None:
    """Make a root in the new folder ``path``, whose last part is the root's name."""
    key = Ed25519PrivateKey.generate()
    with folder.whole(path) as partial:
        locked.lock(partial / SIGNING, key.private_bytes_raw().hex(), passphrase)
        card.write(partial, key, {"demo": demo, "format": card.ROOT, "name": path.name})


def make_reviewer(
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


def add_quarter(path: Path, made: card.Card, quarter: str, passphrase: Passphrase) -> None:
    """Make the identity of ``quarter`` for the reviewer whose folder and card these are.

    What an interrupted run left is taken up again. Raises as :func:`intake.locked.unlock`.
    """
    key, secret = locked.signing_key(path / SIGNING, passphrase), path / f"{quarter}.age"
    if not secret.exists():
        locked.lock(secret, Identity.generate().encode(), passphrase)
    recipient = str(locked.identity(secret, passphrase).recipient())
    quarters = {**made.facts["quarters"], quarter: recipient}
    card.write(path, key, {**made.facts, "quarters": quarters})


def unlock(folder: Path, passphrase: Passphrase) -> tuple[Identity, Ed25519PrivateKey]:
    """Return the quorum identity and the signing key. Raises as :func:`intake.locked.unlock`."""
    quorum = locked.identity(folder / QUORUM, passphrase)
    return quorum, locked.signing_key(folder / SIGNING, passphrase)


def after(quarter: str) -> str:
    """Return the quarter that follows ``quarter``."""
    year, number = map(int, quarter.split("q"))
    return f"{year}q{number + 1}" if number < 4 else f"{year + 1}q1"  # noqa: PLR2004 - quarters
