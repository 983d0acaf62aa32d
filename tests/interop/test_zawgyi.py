"""Zawgyi and Unicode, converted by us and by ICU (``uconv``, of Debian's icu-devtools).

Rule: what we do otherwise is named here, and nothing else differs in a single character.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence

import pytest

from intake.wording import ZAWGYI, Wording
from intake.zawgyi import to_unicode, to_zawgyi
from tests import burmese
from tests.test_wording import MY
from tests.test_zawgyi import TO_ZAWGYI, VECTORS

pytestmark = pytest.mark.interop


def icu(transform: str, text: str) -> str:
    """Return what ICU makes of a text."""
    uconv = shutil.which("uconv")
    assert uconv, "uconv is missing: apt install icu-devtools"
    command = [uconv, "-x", transform]
    return subprocess.run(
        command, input=text.encode(), capture_output=True, check=True
    ).stdout.decode()


def lines_by_icu(transform: str, lines: Sequence[str]) -> list[str]:
    """Return what ICU makes of each line."""
    made = icu(transform, "".join(f"{line}\n" for line in lines)).split("\n")[:-1]
    assert len(made) == len(lines)
    return made


def ours(convert: Callable[[str], str], lines: Sequence[str]) -> list[str]:
    """Return what we make of each line; with its end, which ICU is given, too."""
    return [convert(f"{line}\n").removesuffix("\n") for line in lines]


def made(name: str) -> list[str]:
    """Return lines to convert, by what they are."""
    return {
        "texts": lambda: list(burmese.texts()),
        "syllables": lambda: burmese.syllables(20_000, seed=1),
        "noise": lambda: burmese.noise(50_000, seed=2),
    }[name]()


@pytest.mark.parametrize(
    ("name", "is_zawgyi"),
    [("texts", False), ("syllables", False), ("syllables", True), ("noise", True)],
)
def test_every_line_is_what_icu_makes_of_it(name: str, is_zawgyi: bool) -> None:
    lines = [re.sub("[36u]", "", line) for line in made(name)]
    lines = lines if is_zawgyi else lines_by_icu("my-Zawgyi", lines)
    assert len(lines) > 700
    differ = [
        (line, theirs, own)
        for line, theirs, own in zip(
            lines, lines_by_icu("Zawgyi-my", lines), ours(to_unicode, lines), strict=True
        )
        if theirs != own
    ]
    assert differ == []


@pytest.mark.parametrize("name", ["texts", "syllables", "noise"])
def test_every_line_is_what_icu_makes_of_it_in_zawgyi(name: str) -> None:
    lines = [line.replace("\u104e", "") for line in made(name)]
    theirs = lines_by_icu("my-Zawgyi", lines)
    differ = [x for x in zip(lines, theirs, ours(to_zawgyi, lines), strict=True) if x[1] != x[2]]
    assert differ == []


def test_the_zawgyi_catalogue_is_what_icu_makes_of_the_burmese_one() -> None:
    shown = [Wording.load(ZAWGYI).text(msgid).replace("\u104e", "\u1044") for msgid in MY]
    assert shown == lines_by_icu("my-Zawgyi", list(MY.values()))


def test_without_an_end_of_line_too() -> None:
    for line in ("", "အ\u1040", "\u1040", "၄", "၁\u1040", " \u1040", "\u200bက\u200b", "ေ", "က္"):
        assert to_unicode(line) == icu("Zawgyi-my", line), line
        assert to_zawgyi(line) == icu("my-Zawgyi", line), line


def test_a_battalions_number_is_displaced_by_icu_and_not_by_us() -> None:
    assert icu("Zawgyi-my", "တပ္ရင္း36") == "တပ်ရင်3း6"
    assert to_unicode("တပ္ရင္း36") == "တပ်ရင်း36"


def test_the_said_is_a_four_by_icu_and_not_by_us() -> None:
    assert icu("my-Zawgyi", "သူ၎င်းကို") == "သူ\u1044ကို"
    assert to_zawgyi("သူ၎င်းကို") == "သူ\u104eကို"


def test_the_vectors_are_icus() -> None:
    for path, transform in ((VECTORS, "Zawgyi-my"), (TO_ZAWGYI, "my-Zawgyi")):
        pairs = json.loads(path.read_text("utf-8"))
        typed, converted = zip(*pairs, strict=True)
        assert lines_by_icu(transform, typed) == list(converted)
