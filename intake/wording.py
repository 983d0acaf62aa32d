"""What is shown, in the source's language: gettext catalogues, read once.

Rules:
- A sentence is found by its English text (its msgid). A lookup never fails: what has no translation
  is shown in English, and a translation with a broken brace gives way to the English sentence.
- A form that replaces ours may bring ``locale/<language>/LC_MESSAGES/intake.mo`` beside its file.
  It is asked first, then ours.
- Numbers are put into sentences in the language's own numerals. Nothing that a source typed passes
  through here.

Languages stand in the order in which they are offered; the first is the default. A source is also
offered Burmese in Zawgyi, for phones that show only that: a copy of the Burmese catalogue, which
``deploy/messages.py zawgyi`` makes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from gettext import NullTranslations, translation
from pathlib import Path
from typing import Self

LANGUAGES = ("my", "en")
ZAWGYI = "my-Qaag"  # as CLDR names it
OFFERED = (*LANGUAGES, ZAWGYI)  # to a source
LOCALE = Path(__file__).resolve().parent / "locale"
_BURMESE = str.maketrans("0123456789", "၀၁၂၃၄၅၆၇၈၉")
NUMERALS: Mapping[str, dict[int, int]] = {"my": _BURMESE, ZAWGYI: _BURMESE}


@dataclass(frozen=True, slots=True)
class Wording:
    """One language."""

    language: str
    catalogue: NullTranslations

    @classmethod
    def load(cls, language: str, form: Path | None = None) -> Self:
        """Return the wording in ``language``, with the catalogue beside ``form`` if it has one."""
        ours = _catalogue(LOCALE, language)
        if form is None:
            return cls(language, ours)
        beside = _catalogue(form.parent / "locale", language)
        beside.add_fallback(ours)
        return cls(language, beside)

    def text(self, msgid: str, **numbers: int) -> str:
        """Return the sentence, with ``numbers`` in its braces."""
        shown = self.catalogue.gettext(msgid) if msgid else ""  # "" is the catalogue's own header
        if not numbers:
            return shown
        numerals = {name: self.numerals(str(number)) for name, number in numbers.items()}
        for sentence in (shown, msgid):
            try:
                return sentence.format_map(numerals)
            except (ValueError, LookupError):
                continue
        return msgid

    def numerals(self, text: str) -> str:
        """Return ``text`` with its Latin digits in the language's own."""
        return text.translate(NUMERALS.get(self.language, {}))


def _catalogue(locale: Path, language: str) -> NullTranslations:
    try:
        return translation("intake", str(locale), [language])
    except (OSError, ValueError):  # absent, or not readable: English then, and `doctor` says so
        return NullTranslations()
