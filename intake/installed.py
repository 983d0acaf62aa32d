"""The keyring in force on this server, as the admin sees it: verified anew whenever it is read.

``installed``, a small file beside the store, says which keyring ``admin keyring install`` put in
force: its version, the SHA-256 of its line 1 and its words, and the SHA-256 of the whole file. The
keyring itself lies in ``keys/``, where anyone may read it.

Rule: a keyring that was merely copied into ``keys/`` is not in force. So an old stick, or an old
checkout, cannot bring an old keyring back. The site compares that one hash (``server/inforce.py``);
what it means for a keyring to be good is decided here, before the hash is written.
"""

import hashlib
import os
from datetime import date
from typing import Any

from intake import canonical, files, keyring, words
from intake.errors import BadFile, BadKeyring, Refused
from intake.keyring import Keyring
from intake.settings import Settings

_LIMIT = 4096  # bytes of the record
_NEXT = (
    "See that this machine's clock is right. If it is, ask the roots for the next keyring, and: "
    "python -m intake.admin keyring install FILE"
)
_INSTALL = "Install one with: python -m intake.admin keyring install FILE"


def load(settings: Settings) -> Keyring:
    """Return the installed keyring, verified. Raises :class:`BadKeyring`; expiry is not checked."""
    if (record := read_record(settings)) is None:
        raise BadKeyring("No keyring is installed.", _INSTALL)
    try:
        data = files.read(settings.keyring, keyring.MAX_SIZE)
        found = keyring.parse(data)
    except BadKeyring:
        raise
    except Refused as error:
        raise BadKeyring(error.what, _INSTALL) from None
    if _record(data, found) != record:
        raise BadKeyring("The keyring in keys/ is not the one that was installed.", _INSTALL)
    return found


def check_days(found: Keyring, day: date) -> None:
    """Refuse a keyring that is not yet, or no longer, valid on ``day``: :class:`BadKeyring`."""
    if day > found.expires:
        raise BadKeyring(f"Keyring {found.version} expired on {found.expires}.", _NEXT)
    if day < found.issued:
        what = f"Keyring {found.version} was issued on {found.issued}, which is still to come here."
        raise BadKeyring(what, "Set this machine's clock right, then run it again.")


def read_record(settings: Settings) -> dict[str, Any] | None:
    """Return the record of the installed keyring, or None if there is none.

    Its fields are ``version``, in hex ``sha256`` (of line 1) and ``file`` (of all of it), and
    ``words``, the fingerprint that the site shows.
    Raises :class:`BadKeyring` if the record is damaged.
    """
    if not os.path.lexists(settings.installed):
        return None
    try:
        data = files.read(settings.installed, _LIMIT)
        raw: dict[str, Any] = canonical.load_object(data, {"file", "sha256", "version", "words"})
        if type(raw["version"]) is int and isinstance(raw["sha256"], str):
            return raw
    except BadFile:
        pass
    what = "The record of the installed keyring is damaged."
    hint = f"Move {settings.installed} away and install again; then compare the fingerprint"
    raise BadKeyring(what, f"{hint} with the announcement, as the first time.")


def write_record(settings: Settings, data: bytes) -> None:
    """Put the keyring in ``data``, which was verified, in force."""
    files.write(settings.installed, canonical.dump(_record(data, keyring.parse(data))))


def _record(data: bytes, found: Keyring) -> dict[str, Any]:
    return {
        "file": hashlib.sha256(data).hexdigest(),
        "sha256": found.sha256.hex(),
        "version": found.version,
        "words": words.fingerprint(found.sha256),
    }
