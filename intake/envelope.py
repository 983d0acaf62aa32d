"""What is inside a sealed row, and its one size. The writing half; ``desk/opened.py`` reads.

The plaintext is always exactly 32,768 bytes (docs/FORMAT.md)::

    one line of canonical JSON, LF, content, padding with spaces

An envelope without content is valid JSON to a stock parser. One kind of row holds testimonies,
follow-ups, slices of files, withdrawals and decoys, and all rows of a period have one size.

Rules:
- Nothing is sealed that is not padded first: :func:`seal` takes no bytes, only an envelope.
- What says who, when or how much is inside the seal. The day is the finest time there is.
- A row's id follows from what is in it, so that nobody keeps other words under it, nor calls it a
  decoy that is none. Whoever lacks the nonce sees 16 random bytes.

Bodies: of a testimony the form's answers; of words ``{"words"}``; of others ``{}``. A file
is slices ``{"number"}`` from 0 with :data:`CONTENT` bytes of it each (the last one fewer), all with
one nonce, and an end ``{"name", "number", "sha256", "size"}`` without content, numbered after them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from intake import canonical, receipt
from intake.age.recipient import Recipient
from intake.age.sealing import seal as seal_age
from intake.errors import BadRequest, MachineTrouble

VERSION = 1
KINDS = ("testimony", "words", "slice", "withdrawal", "decoy")
TESTIMONY, WORDS, SLICE, WITHDRAWAL, DECOY = KINDS
PLAINTEXT = 32_768  # bytes
CONTENT = 32_000  # bytes of a file in one slice
SEALED = 34_427  # bytes, with one hybrid recipient


@dataclass(frozen=True, slots=True)
class Envelope:
    """One row before it is sealed.

    ``keyring`` is the version and SHA-256 of the keyring that was followed, so that the desk sees
    a server that was served an old one. ``case`` is 16 bytes, ``reply`` and ``nonce`` 32 bytes.
    ``body`` is what the kind needs, a testimony's answers for instance; ``content`` is raw bytes.
    """

    kind: str
    day: date
    language: str
    keyring: tuple[int, bytes]
    case: bytes
    reply: bytes
    nonce: bytes
    body: object
    content: bytes = b""

    @property
    def row(self) -> bytes:
        """The 16-byte id that its row must have."""
        # Dangerous line: without the kind, whoever opened a row records it as one of another kind.
        kind = b"" if self.kind == TESTIMONY else f"{self.kind}\n".encode()
        return receipt.submission_id(self.nonce, kind + canonical.dump(self.body) + self.content)

    def plaintext(self) -> bytes:
        """Return exactly 32,768 bytes. Raises :class:`BadRequest` if the content is too long."""
        line = canonical.dump(
            {
                "body": self.body,
                "case": self.case.hex(),
                "day": self.day.isoformat(),
                "keyring": {"sha256": self.keyring[1].hex(), "version": self.keyring[0]},
                "kind": self.kind,
                "language": self.language,
                "nonce": self.nonce.hex(),
                "reply": self.reply.hex(),
                "size": len(self.content),
                "version": VERSION,
            }
        )
        plaintext = line + b"\n" + self.content
        if len(plaintext) > PLAINTEXT:
            raise BadRequest("This does not fit one envelope.", "Shorten it. Nothing was stored.")
        return plaintext.ljust(PLAINTEXT, b" ")


def seal(envelope: Envelope, recipient: Recipient) -> bytes:
    """Return the sealed row, 34,427 bytes whatever is inside."""
    sealed = seal_age(envelope.plaintext(), [recipient])
    if len(sealed) != SEALED:
        raise MachineTrouble("A sealed envelope has the wrong size.", "Run: make check")
    return sealed


def self_check(recipient: Recipient) -> None:
    """Seal an empty envelope, to find at start-up what would fail at a submission."""
    blank = Envelope(DECOY, date.min, "", (0, b""), b"", b"", b"", {})
    seal(blank, recipient)
