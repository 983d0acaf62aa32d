"""The desk's words, in the reviewer's language: the form's catalogue, the site's, and the desk's.

Rule: the desk's own catalogue, ``desk.mo``, is asked last, and only here; a source's page never
reads it.
"""

import contextlib
from gettext import translation
from pathlib import Path

from intake.wording import LANGUAGES, LOCALE, Wording

NAMES = {"my": "မြန်မာ", "en": "English"}


def load(form: Path) -> dict[str, Wording]:
    """Return every language's wording, the default one first."""
    found = {language: Wording.load(language, form) for language in LANGUAGES}
    for language, wording in found.items():
        with contextlib.suppress(OSError, ValueError):  # no catalogue: English then
            wording.catalogue.add_fallback(translation("desk", str(LOCALE), [language]))
    return found
