"""The age v1 file format over ``cryptography``: post-quantum recipients and passphrases.

Import each name from its module; the package itself holds none, so that the import contracts see
who can open what::

    from intake.age.identity import Identity
    from intake.age.sealing import seal, seal_stream
    from intake.age.unsealing import unseal, unseal_stream

    identity = Identity.generate()
    sealed = seal(b"...", [identity.recipient()])
    assert unseal(sealed, [identity]) == b"..."

Rules:
- Writing (``sealing``) and reading (``unsealing``) are separate modules that do not import each
  other. The writing half knows nothing of the reading half: ``pyproject.toml`` says which is which.
- Source: C2SP ``age.md``. Why our own: no Python library speaks ``mlkem768x25519`` (docs/adr/0003).
"""
