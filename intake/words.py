"""Words for people: passphrases to write down, and fingerprints to read out loud.

Both come from one list, BIP 39's English one: 2,048 short words (11 bits each), no two of which
begin with the same four letters. The package ``mnemonic`` carries it; docs/adr/0011-words.md says
why this one, and why in English.

Rules:
- A passphrase is ten words, drawn by ``secrets``: 110 bits. Nobody chooses one, and nobody can
  choose a bad one. It is those words in lower case with one space between, and nothing else, so
  that stock ``age`` takes what stands on the paper.
- A fingerprint's words say the first 20 bytes of a SHA-256, as BIP 39 says 160 bits: fifteen words,
  whose last one carries 5 bits of checksum. To make a second keyring with the words of a given one
  takes 2^160 tries, to make two with the same words 2^80. Of twelve words (128 bits) a state could
  make such a pair, with 2^64 tries.
- The site never imports this: it shows what ``admin keyring install`` wrote into its record.
"""

import functools
import secrets

from mnemonic import Mnemonic

DRAWN = 10  # words of a passphrase
_BYTES = 20  # of a hash, said in fifteen words
_GROUP = 3  # words between two commas


def passphrase() -> str:
    """Return ten words, newly drawn."""
    return " ".join(secrets.choice(_list().wordlist) for _ in range(DRAWN))


def as_drawn(typed: str) -> str:
    """Return a passphrase as :func:`passphrase` made it, whatever its capitals and spaces.

    Only ten words of the list are taken so; any other passphrase stays as it was typed.
    """
    found = typed.lower().split()
    drawn = len(found) == DRAWN and set(found) <= set(_list().wordlist)
    return " ".join(found) if drawn else typed


def fingerprint(sha256: bytes) -> str:
    """Return the words of a SHA-256: five groups of three, with commas between."""
    found = _list().to_mnemonic(sha256[:_BYTES]).split()
    groups = (found[start : start + _GROUP] for start in range(0, len(found), _GROUP))
    return ", ".join(map(" ".join, groups))


@functools.cache
def _list() -> Mnemonic:
    return Mnemonic("english")
