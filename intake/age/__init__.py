"""The age v1 file format over ``cryptography``: post-quantum recipients and passphrases.

The names that most callers need::

    from intake.age import Identity, Passphrase, Recipient, seal, seal_stream, unseal, unseal_stream

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
from typing import Any

_HOME = {
    "Identity": "identity",
    "Passphrase": "passphrase",
    "Recipient": "recipient",
    **dict.fromkeys(("seal", "seal_stream"), "sealing"),
    **dict.fromkeys(("unseal", "unseal_stream"), "unsealing"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module gives
    """Load one of the public names from its module (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
