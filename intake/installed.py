"""The keyring in force on this server, and the day to act on.

Three small files beside the store: ``installed`` says which keyring ``admin keyring install`` put
in force, ``floor`` is the latest day that was ever acted on, and the keyring itself lies in
``keys/``, where anyone may read it.

Rules:
- A keyring that was merely copied into ``keys/`` is not in force: its hash must be the installed
  one. So an old stick, or an old checkout, cannot bring an old keyring back.
- The floor only rises here; installing a new keyring may lower it (a clock that was set wrong).
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime

from intake import canonical, files, keyring
from intake.errors import BadFile, BadKeyring, Refused
from intake.keyring import Keyring
from intake.settings import Settings

_LIMIT = 4096  # bytes of the small files
_INSTALL = "Install one with: python -m intake.admin keyring install FILE"


def clock() -> date:
    """Return the machine's day, in UTC, so that a day is the same on every machine."""
    return datetime.now(tz=UTC).date()


def load(settings: Settings) -> Keyring:
    """Return the installed keyring, verified. Raises :class:`BadKeyring`; expiry is not checked."""
    record = read_record(settings)
    if record is None:
        raise BadKeyring("No keyring is installed.", _INSTALL)
    try:
        found = keyring.parse(files.read(settings.keyring, keyring.MAX_SIZE))
    except BadKeyring:
        raise
    except Refused as error:
        raise BadKeyring(error.what, _INSTALL) from None
    if (found.version, found.sha256.hex()) != record:
        raise BadKeyring("The keyring in keys/ is not the one that was installed.", _INSTALL)
    return found


def check_days(found: Keyring, day: date) -> None:
    """Refuse a keyring that is not yet, or no longer, valid on ``day``: :class:`BadKeyring`."""
    if day > found.expires:
        raise BadKeyring(f"Keyring {found.version} expired on {found.expires}.", _INSTALL)
    if day < found.issued:
        raise BadKeyring(
            f"Keyring {found.version} was issued on {found.issued}, which is still to come here.",
            "Set this machine's clock right, then run it again.",
        )


def read_record(settings: Settings) -> tuple[int, str] | None:
    """Return version and hex SHA-256 of the installed keyring, or None."""
    try:
        data = files.read(settings.data / "installed", _LIMIT)
        raw = canonical.load_object(data, {"sha256", "version"})
    except BadFile:
        raise BadKeyring("The record of the installed keyring is damaged.", _INSTALL) from None
    except Refused:
        return None
    return int(str(raw["version"])), str(raw["sha256"])


def write_record(settings: Settings, new: Keyring) -> None:
    """Put ``new`` in force."""
    record = canonical.dump({"sha256": new.sha256.hex(), "version": new.version})
    files.write(settings.data / "installed", record)


def today(settings: Settings, found: Keyring) -> date:
    """Return the day to act on, and raise the saved floor if it rose (at most once a day)."""
    now, floor = clock(), read_floor(settings)
    rises = keyring.next_floor(now, floor, found)
    if rises != floor:
        write_floor(settings, rises)
    return keyring.today(now, floor)


def read_floor(settings: Settings) -> date | None:
    """Return the saved floor; None if there is none yet."""
    path = settings.data / "floor"
    if not os.path.lexists(path):
        return None
    try:
        return keyring.day(files.read(path, _LIMIT).decode("ascii"))
    except ValueError:
        raise BadKeyring("The saved day is damaged.", _INSTALL) from None


def write_floor(settings: Settings, floor: date) -> None:
    """Save the floor."""
    files.write(settings.data / "floor", floor.isoformat().encode())
