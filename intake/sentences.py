"""A keyring read aloud: for roots before they sign it, and for any outsider after.

Rules:
- Every fact that a keyring carries has a sentence here, so that none is signed or installed unseen.
- A sentence is one line, whatever stands in the keyring: a name for a body that holds a line feed
  cannot write a line, a fingerprint say, that looks like ours.

Keys are shown in hex, recipients by the SHA-256 of their text, both in groups to be read out loud.
The fingerprint is the SHA-256 of line 1. What is compared between people, the fingerprint and the
keys of roots and reviewers, is said in words too, and first (``intake.words``).
"""

import hashlib

from intake import keyring, words
from intake.errors import BadKeyring
from intake.keyring import Keyring, Period, Reviewer
from intake.terminal import visible


def grouped(key: bytes) -> str:
    """Return hex in groups of four: ``3f2a 91c0 …``."""
    text = key.hex()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def of_recipient(recipient: str) -> str:
    """Return the first 16 bytes of a recipient's SHA-256, grouped."""
    return grouped(hashlib.sha256(recipient.encode()).digest()[:16])


def of_key(key: bytes) -> str:
    """Return a key that is read out face to face: the words of its SHA-256, then its hex."""
    return f"{words.fingerprint(hashlib.sha256(key).digest())} ({grouped(key)})"


def fingerprint(sha256: bytes) -> list[str]:
    """Return a keyring's fingerprint in two sentences."""
    said = words.fingerprint(sha256)
    return [f"Fingerprint in words: {said}", f"Fingerprint in hex: {grouped(sha256)}"]


def describe(keyring: Keyring) -> list[str]:
    """Return the keyring in sentences, one fact a line, the fingerprint last."""
    lines = [
        *(["DEMO: made with a demo's passphrases. No real server takes it."] * keyring.demo),
        f"Keyring {keyring.version}, issued on {keyring.issued}, valid to {keyring.expires}.",
        f"The keyring before: {grouped(keyring.previous) if any(keyring.previous) else 'none'}",
        f"Deployment: {grouped(keyring.deployment)}",
        f"{keyring.threshold} of its {len(keyring.roots)} roots must sign it.",
        *(f"  Root {name}: {of_key(key)}" for name, key in sorted(keyring.roots.items())),
        *(f"  Root {name} leaves: {of_key(key)}" for name, key in sorted(keyring.leaving.items())),
        f"{keyring.quorum} of its {len(keyring.active)} reviewers open what was sent.",
        *(line for reviewer in keyring.reviewers for line in _reviewer(reviewer)),
        f"Archive: {of_recipient(keyring.archive)}",
        f"Server's key for bundles: {grouped(keyring.bundle_key)}",
        f"Periods: {len(keyring.periods)}",
        *map(_period, keyring.periods),
        f"Signed by: {', '.join(sorted(keyring.signers)) or 'nobody yet'}.",
        *fingerprint(keyring.sha256),
    ]
    return [visible(line, keep="") for line in lines]


def compared(old: bytes, new: bytes) -> list[str]:
    """Return what changes from one keyring to another, and how the other follows.

    Raises :class:`BadKeyring` if either is none.
    """
    first, second = keyring.parse(old), keyring.parse(new)
    try:
        keyring.follow(first, [new])
        how = f"Keyring {second.version} follows keyring {first.version}, and old roots signed it."
    except BadKeyring as refused:
        how = f"It does NOT follow keyring {first.version}: {refused.what}"
    return [*differences(first, second), how]


def differences(old: Keyring, new: Keyring) -> list[str]:
    """Return the lines that went (``-``) and that came (``+``)."""
    before, after = describe(old), describe(new)
    gone = [f"- {line.strip()}" for line in before if line not in after]
    return gone + [f"+ {line.strip()}" for line in after if line not in before]


def _reviewer(reviewer: Reviewer) -> list[str]:
    state = "" if reviewer.removed is None else ", REMOVED"
    quarters = (f"{name} {of_recipient(key)}" for name, key in sorted(reviewer.quarters.items()))
    return [
        f"  Reviewer {reviewer.name}, sent by {reviewer.body}{state}: {of_key(reviewer.key)}",
        f"    {reviewer.name} opens packages with {of_recipient(reviewer.quorum)}",
        *(f"    {reviewer.name} reads cases of {quarter}" for quarter in quarters),
        *(
            f"    {reviewer.name}'s chain {chain} ends at event {number}, {grouped(last)}"
            for chain, (number, last) in sorted((reviewer.removed or {}).items())
        ),
    ]


def _period(period: Period) -> str:
    what = f"  Period {period.name}, {period.first} to {period.last}"
    openers = ", ".join(sorted(period.attestations))
    return f"{what}: {of_recipient(period.recipient)}, opened to try by {openers}"
