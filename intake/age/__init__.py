"""The age v1 file format over ``cryptography``: post-quantum recipients and passphrases.

The five names that most callers need::

    from intake.age import Identity, Recipient, Passphrase, seal, unseal

    identity = Identity.generate()
    sealed = seal(b"...", [identity.recipient()])
    assert unseal(sealed, [identity]) == b"..."

Rules:
- Writing (``sealing``) and reading (``unsealing``) are separate modules that do not import each
  other; both know only the grammar.
- The names here load on first use, so importing this package loads nothing that unseals. Inside
  Intake, import from the module itself: the import contracts then see who can open what.
- Source: C2SP ``age.md``. Why our own: no Python library speaks ``mlkem768x25519`` (docs/adr/0003).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intake.age.identity import Identity
    from intake.age.passphrase import Passphrase
    from intake.age.recipient import Recipient
    from intake.age.sealing import seal, seal_stream
    from intake.age.unsealing import unseal, unseal_stream

__all__ = [
    "Identity",
    "Passphrase",
    "Recipient",
    "seal",
    "seal_stream",
    "unseal",
    "unseal_stream",
]

_HOME = {
    "Identity": "identity",
    "Passphrase": "passphrase",
    "Recipient": "recipient",
    "seal": "sealing",
    "seal_stream": "sealing",
    "unseal": "unsealing",
    "unseal_stream": "unsealing",
}


def __getattr__(name: str) -> object:
    """Load one of the public names from its module (PEP 562)."""
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(name)
