"""Seal and store: the one place where words become a row.

Procedure of :func:`post` (every step in memory but the last):
1. Take the source's nonce and receipt, which follow from a form's seed.
2. From the receipt and the deployment come the reply secret and the case tag.
3. Put all of it into an envelope of the one size; its row is named after nonce and words, so that
   the same form twice is one row.
4. Seal it to the recipient of today's period.
5. Store the sealed row in one durable transaction, if in it what was followed is still in force;
   else begin again. Only then is there a receipt to show.

Rules:
- Nothing reaches the store that is not sealed, and nothing is sealed to a period but today's.
- Once an installation has returned, no row comes that follows the keyring before it: (5) looks
  under the lock that the installation waits for. A period that is said to be empty stays empty.
"""

import functools
from typing import NamedTuple

from intake import envelope, receipt
from intake.age.recipient import Recipient
from intake.envelope import Envelope
from intake.errors import BadKeyring
from intake.server.inforce import InForce, load
from intake.settings import Settings
from intake.store import Store


class Source(NamedTuple):
    """Whose words: the nonce of their form (32 bytes), the digits of their receipt, a language."""

    nonce: bytes
    digits: str
    language: str


class Letterbox:
    """The installed keyring and the store behind one site."""

    def __init__(self, settings: Settings) -> None:
        """Prepare. ``keyring`` is the one in force when it was last read, and ``demo`` stays."""
        self.settings = settings
        self.store = Store(settings.url, settings.data)
        self._recipient = functools.lru_cache(1)(_checked)
        self.keyring: InForce | None = None
        self.demo = False

    def today(self) -> InForce:
        """Return whom to seal to. Raises :class:`BadKeyring` if the site is closed today.

        The keyring is read each time, about a millisecond, so that one that was just installed is
        followed without a restart.
        """
        self.keyring = None
        self.keyring = keyring = load(self.settings)
        self.demo = keyring.demo
        if not keyring.recipient:
            raise BadKeyring("The keyring has no period for today.")
        self._recipient(keyring.recipient)
        return keyring

    def post(self, today: InForce, source: Source, kind: str, body: object) -> None:
        """Seal ``body`` and store it.

        Raises :class:`NoRoom` or :class:`BadKeyring`; then nothing was stored. After any other
        :class:`MachineTrouble` it may be stored or not, and the same form again is one row.
        """
        row = self.row(today, source, kind, body)
        follows, kept = lambda: load(self.settings) == today, self.settings.kept.words
        if not self.store.add([row], today.period, follows, kept):  # (5)
            self.post(self.today(), source, kind, body)

    def row(
        self, today: InForce, source: Source, kind: str, body: object, content: bytes = b""
    ) -> tuple[bytes, bytes]:
        """Return a row of the source's case: its id, and its bytes sealed for ``today``."""
        nonce, digits, language = source  # (1)
        reply = receipt.reply_secret(today.deployment, digits)  # (2)
        keyring, case = (today.version, today.sha256), receipt.case_tag(reply)
        # (3) The envelope; its row is named after what is in it.
        made = Envelope(kind, today.day, language, keyring, case, reply, nonce, body, content)
        return made.row, envelope.seal(made, self._recipient(today.recipient))  # (4)


def _checked(recipient: str) -> Recipient:
    """Return the recipient, after an empty envelope was sealed to it."""
    found = Recipient.parse(recipient)
    envelope.self_check(found)
    return found
