"""The key ceremony: making, signing and destroying keys, offline, with witnesses.

It happens on a machine that has never been online and never will be. The order of the steps:

1. ``root``      each root makes a signing key, under their own passphrase.
2. ``reviewer``  each reviewer makes a signing key, a quorum identity and the quarter's identity.
3. ``archive``   makes the archive's identity, and writes it as a quorum package only.
4. ``periods``   the same for each of the coming weeks.
5. ``attest``    k reviewers open each package to try it, and sign that it opened.
6. ``propose``   writes the keyring's draft: who, until when, to which recipients.
7. ``sign``      each root reads the draft in plain sentences and signs it, on their own machine.
8. ``assemble``  puts draft and signatures together: the keyring, for ``admin keyring install``.

``show`` reads a keyring aloud, and ``rehearse`` plays all of it in a temporary folder.

Between steps and machines only public or sealed files travel: cards, packages, attestations, the
draft, signatures. Nothing is ever half written: a step that was interrupted is run again, and what
is there already stays as it is. Only ``__main__`` prints and asks.
"""
