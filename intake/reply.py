"""What travels back to a source: the mailbox where it waits, and its one size. The writing half.

The site opens with ``server/mailbox.py`` what is made here. The plaintext is always exactly 4,096
bytes (docs/FORMAT.md): one line of canonical JSON, padded with spaces. So an answer cannot be told
from a notice, which every case gets when its words were opened.

From a reply secret (``receipt.py``) follows the mailbox, slowly::

    reply secret ──scrypt, 32 MiB, salted with the deployment id──▶ key
    key ──HKDF──▶ mailbox id · seed of the age identity that opens the replies · id of the notice

Rules:
- The slow step is taken on return and at the desk, never when words are sent: whoever has the
  database and tries receipts pays it for each. It is pure work and memory; callers bound it.
- Nothing here can open a reply: the seed makes an identity, and whoever needs one makes it.
"""

import hashlib
from dataclasses import asdict, dataclass
from datetime import date

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from intake import canonical
from intake.age.recipient import Recipient
from intake.age.sealing import seal as seal_age
from intake.errors import BadRequest, MachineTrouble

VERSION = 1
NOTICE, REPLY = "notice", "reply"
KINDS = frozenset({NOTICE, REPLY})
TEXT = 1000  # characters
PLAINTEXT = 4096  # bytes
SEALED = 5755  # bytes, with one hybrid recipient
_COST, _BLOCK, _LANES = 1 << 15, 8, 1  # scrypt (RFC 7914): 128 * cost * block = 32 MiB

_LABELS = (b"mailbox 1", b"replies 1", b"notice 1")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where replies to one receipt wait: id (16 bytes), seed of the identity, id of the notice."""

    id: bytes
    seed: bytes
    notice: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply before it is sealed; ``number`` counts those of a case from 1.

    A notice has the number 0 and no text.
    """

    kind: str
    day: date
    number: int = 0
    text: str = ""

    def plaintext(self) -> bytes:
        """Return exactly 4,096 bytes. Raises :class:`BadRequest` if the text is too long."""
        line = canonical.dump({**asdict(self), "version": VERSION}) + b"\n"
        if len(line) > PLAINTEXT or len(self.text) > TEXT:
            raise BadRequest("This does not fit one reply.", f"Write at most {TEXT} characters.")
        return line.ljust(PLAINTEXT, b" ")


def mailbox(deployment: bytes, secret: bytes) -> Mailbox:
    """Return the mailbox of a reply secret: about a tenth of a second, and 32 MiB meanwhile."""
    memory = 2 * 128 * _COST * _BLOCK
    key = hashlib.scrypt(
        secret, salt=deployment, n=_COST, r=_BLOCK, p=_LANES, maxmem=memory, dklen=32
    )
    hkdf = (HKDF(hashes.SHA256(), 32, None, b"intake " + label) for label in _LABELS)  # RFC 5869
    where, seed, notice = (one.derive(key) for one in hkdf)
    return Mailbox(where[:16], seed, notice[:16])


def seal(reply: Reply, recipient: Recipient) -> bytes:
    """Return the sealed reply, 5,755 bytes whatever is inside."""
    sealed = seal_age(reply.plaintext(), [recipient])
    if len(sealed) != SEALED:
        raise MachineTrouble("A sealed reply has the wrong size.", "Run: make check")
    return sealed
