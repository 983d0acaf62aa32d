"""An age file that nobody opens, written by hand: its hash is the same on every run.

A keyring that removes a reviewer names the hash of an event, and sealing draws chance. So the event
that it names is one that is sealed to somebody else.
"""

from __future__ import annotations

from intake.age import grammar

FRAME = b"\n".join(
    (
        grammar.VERSION_LINE,
        b"-> somebody else",
        grammar.encode(bytes(32)),
        b"--- " + grammar.encode(bytes(32)),
        bytes(16) + bytes(range(64)),
    )
)
