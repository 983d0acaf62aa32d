"""Who signed off a catalogue, as it is now.

``SIGNOFF``, in the language's folder, holds one line: the SHA-256 of ``intake.po`` in hex, a name,
and the day. Change the catalogue, and it is not signed off any more (docs/LANGUAGES.md).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from intake.wording import LOCALE


def signed_off(language: str, locale: Path = LOCALE) -> str | None:
    """Return who signed off the catalogue as it is now, or None."""
    folder = locale / language
    try:
        signed, *name, _day = (folder / "SIGNOFF").read_text(encoding="utf-8").split()
        text = (folder / "LC_MESSAGES" / "intake.po").read_bytes()
    except (OSError, ValueError):
        return None
    return " ".join(name) or None if signed == hashlib.sha256(text).hexdigest() else None
