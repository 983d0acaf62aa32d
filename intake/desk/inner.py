"""What a source sealed with age themselves: its key, while the period's key still opens it.

A source may seal a file to the recipient that the site shows, and send that. The period's key
opens it, and is destroyed; so at import the file key (16 bytes) is taken out and kept beside the
file's first slice, sealed to the case's reviewers like the rest.

Rules:
- Every row of the period is sealed to the same recipient. Who stole rows and sends their headers as
  a file of his own would have them opened by us, for whoever is assigned to *his* case. So a key is
  given out only after it opened the beginning of the file itself, and that was no envelope. Nobody
  makes other bytes that a key opens without having the key.
- The beginning is a chunk of age, which is in the first slices. If they came in different bundles,
  the file stays as it is.
"""

from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO

from intake.age import grammar, unsealing
from intake.age.identity import Identity
from intake.envelope import PLAINTEXT, Envelope
from intake.errors import BadFile, NoMatchingKey

SLICES = 3  # that have the header and the first chunk, if the header is a usual one


def is_sealed(envelope: Envelope) -> bool:
    """Return whether a slice is the first of what may be an age file."""
    return envelope.content.startswith(grammar.VERSION_LINE + b"\n")


def key_of(beginning: bytes, period: Sequence[Identity]) -> bytes | None:
    """Return the file key of an age file that begins so, or None if it is none of a source's."""
    source = BytesIO(beginning)
    with suppress(BadFile, NoMatchingKey):
        key = unsealing.read_key(source, period)
        first = bytes(next(unsealing.chunks(source, key)))
        # Dangerous line: without it, a stolen row is opened for whoever sends it again.
        if len(first) != PLAINTEXT or not first.startswith(b"{"):
            return key
    return None
