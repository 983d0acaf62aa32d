"""Deliberate breakages of the spine, and the words of the assertion that must catch each."""

from __future__ import annotations

from tests.boundaries import ROOMS
from tests.mutants import Mutant

SPINE = {
    "sealing does nothing": Mutant(
        "intake/envelope.py",
        "sealed = seal_age(envelope.plaintext(), [recipient])",
        "sealed = envelope.plaintext().ljust(SEALED)",
        "sealed",
    ),
    "unsigned keyring accepted": Mutant(
        "intake/keyring.py",
        "if len(keyring.signers & keyring.roots.keys()) < keyring.threshold:",
        "if False:",
        "signatures",
    ),
    "bundle signature skipped": Mutant(
        "intake/bundle/reading.py",
        "if not verified(bundle_key, signature, header.statement()):",
        "if False:",
        "bundle",
    ),
    "unescaped read": Mutant(
        "intake/desk/visible.py",
        "escape(plain) if plain else",
        "Markup(plain) if plain else",
        "escape",
    ),
    "row stored before sealing": Mutant(
        "intake/server/letterbox.py",
        "        row = self.row(today, source, kind, body)\n",
        "        row = self.row(today, source, kind, body)\n"
        "        from intake import canonical\n"
        "        from intake.rows import Rows\n"
        "        self.store.add([(row[0], canonical.dump(body))], today.period)\n"
        "        Rows(self.settings.url, self.settings.data).remove([row[0]])\n",
        "sealed",
    ),
}

_POST = "        nonce, digits, language = source  # (1)\n"
BOUNDARY = {
    "a request asks for the desk, which is not there": Mutant(
        "intake/server/letterbox.py",
        _POST,
        f"        from intake import desk\n{_POST}",
        "asked for intake.desk",
        without=ROOMS,
    ),
    "a request loads what unlocks secrets, which is there": Mutant(
        "intake/server/letterbox.py",
        _POST,
        f"        from intake import locked\n{_POST}",
        "asked for intake.age.armor, intake.locked",
    ),
}

ROTATION = {
    "the keyring is read once and kept": Mutant(
        "intake/server/inforce.py",
        "def load(settings: Settings) -> InForce:",
        "import functools\n@functools.cache\ndef load(settings: Settings) -> InForce:",
        "dead period",
    ),
}
