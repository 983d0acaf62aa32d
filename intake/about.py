"""What a group says of itself: its name, how else it can be reached, words of welcome.

Rules:
- One TOML file, with the tables of ``LIMITS`` and in each a text per language. It is read once, at
  start. Without one, no page says who is behind it.
- A text is plain: it is escaped where it is shown, and never a link. A character that could change
  how others are read (control, direction) is refused.
- Who has no text in their language gets the English one, then the Burmese: a phone that shows only
  Zawgyi would break Burmese in Unicode. ``admin doctor`` says what is missing.
"""

import re
import tomllib
from pathlib import Path

from intake.errors import Misuse
from intake.wording import OFFERED

LIMITS = {"organisation": 80, "contact": 200, "welcome": 600}  # characters
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
REMEDY = "Write it as deploy/about.example.toml shows, or unset INTAKE_ABOUT."
Text = tuple[str, list[str]]  # its language, which may not be the page's; its lines


def load(path: Path) -> dict[str, dict[str, Text | None]]:
    """Return, for each language offered, the text of each table, None for none.

    Raises :class:`Misuse` with the place of the first fault.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Misuse(f"{path} cannot be read: {error}.", REMEDY) from None
    for name, table in tables.items():
        known = name in LIMITS and isinstance(table, dict)
        for language, text in table.items() if known else [("", "")]:
            plain = isinstance(text, str) and not UNSEEN.search(text)
            if language not in OFFERED or not plain or len(text) > LIMITS[name]:
                what = "no text for a page, too long, or with a hidden sign"
                raise Misuse(f"{path}, [{name}] {language}: {what}.", REMEDY)
    return {own: {name: _chosen(tables[name], own) for name in tables} for own in OFFERED}


def _chosen(table: dict[str, str], own: str) -> Text | None:
    texts = ((one, table.get(one, "").strip().splitlines()) for one in (own, "en", "my"))
    return next((text for text in texts if text[1]), None)
