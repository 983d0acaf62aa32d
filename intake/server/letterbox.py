"""Seal and store: the one place where a testimony becomes a row.

Procedure of :func:`post` (every step in memory but the last):
1. Take the form's seed: from it come the nonce and the receipt.
2. From the receipt and the deployment come the reply secret and the case tag.
3. Name the row after nonce and answers, so that the same form twice is one row.
4. Put all of it into an envelope of the one size, and seal it to the recipient of today's period.
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
from intake.errors import BadKeyring
from intake.form import Testimony
from intake.server import inforce
from intake.settings import Settings
from intake.store import Store


class Letterbox:
    """The installed keyring and the store behind one site."""

    def __init__(self, settings: Settings) -> None:
        """Prepare. ``keyring`` is the one in force when it was last read, and ``demo`` stays."""
        self._settings = settings
        self._store = Store(settings.url, settings.data)
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

    def post(self, today: inforce.InForce, seed: bytes, testimony: Testimony, language: str) -> str:
        """Seal ``testimony`` and store it; return the receipt's digits.

        Raises :class:`MachineTrouble` or :class:`BadKeyring`; then nothing was stored.
        """
        nonce, digits = receipt.nonce(seed), receipt.receipt(seed)  # (1)
        reply = receipt.reply_secret(today.deployment, digits)  # (2)
        row = receipt.submission_id(nonce, testimony.canonical())  # (3)
        sealed = envelope.seal(  # (4)
            envelope.Envelope(
                kind=envelope.TESTIMONY,
                day=today.day,
                language=language,
                keyring=(today.version, today.sha256),
                case=receipt.case_tag(reply),
                reply=reply,
                nonce=nonce,
                body=testimony.as_object(),
            ),
            self._recipient(today.recipient),
        )
        if not self._store.add(row, today.period, sealed, lambda: self.today() == today):  # (5)
            return self.post(self.today(), seed, testimony, language)
        return digits


def _checked(recipient: str) -> Recipient:
    """Return the recipient, after an empty envelope was sealed to it."""
    found = Recipient.parse(recipient)
    envelope.self_check(found)
    return found
