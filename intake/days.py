"""The day to act on: the clock's, but never one before a day that was acted on already.

``floor``, a file beside the store, is the latest day that was ever acted on. It only rises here, so
a clock set back revives no expired keyring and no dead period; it never rises beyond the installed
keyring's expiry, so a clock once set far ahead cannot close the site for ever. Installing a new
keyring may lower it.

Rule: days are UTC, so that a day is the same on every machine; nothing finer is ever read or kept.
"""

from datetime import UTC, date, datetime

from intake import files
from intake.errors import BadFile, BadKeyring
from intake.settings import Settings

_LIMIT = 64  # bytes


def clock() -> date:
    """Return the machine's day."""
    return datetime.now(tz=UTC).date()


def day(text: str) -> date:
    """Return the day of exactly ``YYYY-MM-DD``. Raises ``ValueError``."""
    value = date.fromisoformat(text)
    if value.isoformat() != text:
        raise ValueError
    return value


def today(settings: Settings, expires: date) -> date:
    """Return the day to act on, and raise the saved floor if it rose (at most once a day)."""
    now, floor = clock(), read_floor(settings)
    if (rises := max(floor, min(now, expires))) != floor:
        write_floor(settings, rises)
    return max(now, floor)


def read_floor(settings: Settings) -> date:
    """Return the saved floor, the first of all days if none is. Raises :class:`BadKeyring`."""
    path = settings.data / "floor"
    try:
        return day(files.read(path, _LIMIT).decode("ascii")) if path.exists() else date.min
    except (BadFile, ValueError):
        hint = f"See that this machine's clock is right, then move {path} away."
        raise BadKeyring("The saved day is damaged.", hint) from None


def write_floor(settings: Settings, floor: date) -> None:
    """Save the floor."""
    files.write(settings.data / "floor", floor.isoformat().encode())
