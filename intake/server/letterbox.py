"""Seal and store: the one place where words become a row.

Procedure of :func:`post` (every step in memory but the last):
1. Take the form's seed: from it comes the nonce, and the receipt if the source brings none.
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

from intake import envelope, receipt
from intake.age.recipient import Recipient
from intake.envelope import Envelope
from intake.errors import BadKeyring
from intake.server import inforce
from intake.settings import Settings
from intake.store import Store


class Letterbox:
    """The installed keyring and the store behind one site."""

    def __init__(self, settings: Settings) -> None:
        """Prepare. ``keyring`` is the one in force when it was last read, and ``demo`` stays."""
        self._settings = settings
        self.store = Store(settings.url, settings.data)
        self.folder = settings.data
        self._recipient = functools.lru_cache(1)(_checked)
        self.keyring: inforce.InForce | None = None
        self.demo = False

    def today(self) -> inforce.InForce:
        """Return whom to seal to. Raises :class:`BadKeyring` if the site is closed today.

        The keyring is read each time, about a millisecond, so that one that was just installed is
        followed without a restart.
        """
        self.keyring = None
        self.keyring = keyring = inforce.load(self._settings)
        self.demo = keyring.demo
        if not keyring.recipient:
            raise BadKeyring("The keyring has no period for today.")
        self._recipient(keyring.recipient)
        return keyring

    def post(  # noqa: PLR0913, PLR0917 - what an envelope needs
        self,
        today: inforce.InForce,
        seed: bytes,
        kind: str,
        body: object,
        language: str,
        digits: str = "",
    ) -> str:
        """Seal ``body`` and store it; return the receipt's digits, the form's own without any.

        Raises :class:`MachineTrouble` or :class:`BadKeyring`; then nothing was stored.
        """
        nonce, own = receipt.nonce(seed), digits or receipt.receipt(seed)  # (1)
        row, sealed = self.sealed(today, envelope_of(today, kind, language, nonce, own, body))
        if not self.store.add(row, today.period, sealed, lambda: self.follows(today)):  # (5)
            return self.post(self.today(), seed, kind, body, language, digits)
        return own

    def sealed(self, today: inforce.InForce, made: Envelope) -> tuple[bytes, bytes]:
        """Return the row of an envelope: its id, and its bytes sealed for ``today``."""
        return made.row, envelope.seal(made, self._recipient(today.recipient))  # (4)

    def follows(self, today: inforce.InForce) -> bool:
        """Return whether what was followed is still in force. Asked under the store's lock."""
        return self.today() == today


def envelope_of(  # noqa: PLR0913, PLR0917 - what an envelope needs
    today: inforce.InForce,
    kind: str,
    language: str,
    nonce: bytes,
    digits: str,
    body: object,
    content: bytes = b"",
) -> Envelope:
    """Return an envelope of the case of a receipt."""
    reply = receipt.reply_secret(today.deployment, digits)  # (2)
    keyring, case = (today.version, today.sha256), receipt.case_tag(reply)
    return Envelope(kind, today.day, language, keyring, case, reply, nonce, body, content)  # (3)


def _checked(recipient: str) -> Recipient:
    """Return the recipient, after an empty envelope was sealed to it."""
    found = Recipient.parse(recipient)
    envelope.self_check(found)
    return found
