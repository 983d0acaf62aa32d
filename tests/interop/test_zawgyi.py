"""Zawgyi and Unicode, converted by us and by ICU (``uconv``, of Debian's icu-devtools).

Rule: what we do otherwise is named here, and nothing else differs in a single character.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from intake.desk import zawgyi
from tests import burmese
from tests.test_zawgyi import VECTORS

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


def ours(lines: Sequence[str]) -> list[str]:
    """Return what we make of each line; with its end, which ICU is given, too."""
    return [zawgyi.convert(f"{line}\n").removesuffix("\n") for line in lines]


@pytest.mark.parametrize(
    ("name", "is_zawgyi"),
    [("texts", False), ("syllables", False), ("syllables", True), ("noise", True)],
)
def test_every_line_is_what_icu_makes_of_it(name: str, is_zawgyi: bool) -> None:
    made = {
        "texts": lambda: list(burmese.texts()),
        "syllables": lambda: burmese.syllables(20_000, seed=1),
        "noise": lambda: burmese.noise(50_000, seed=2),
    }
    lines = [re.sub("[36u]", "", line) for line in made[name]()]
    lines = lines if is_zawgyi else lines_by_icu("my-Zawgyi", lines)
    assert len(lines) > 700
    differ = [
        (line, theirs, own)
        for line, theirs, own in zip(
            lines, lines_by_icu("Zawgyi-my", lines), ours(lines), strict=True
        )
        if theirs != own
    ]
    assert differ == []


def test_without_an_end_of_line_too() -> None:
    for line in ("", "အ\u1040", "\u1040", "၄", "၁\u1040", " \u1040", "\u200bက\u200b", "ေ", "က္"):
        assert zawgyi.convert(line) == icu("Zawgyi-my", line), line


def test_a_battalions_number_is_displaced_by_icu_and_not_by_us() -> None:
    assert icu("Zawgyi-my", "တပ္ရင္း36") == "တပ်ရင်3း6"
    assert zawgyi.convert("တပ္ရင္း36") == "တပ်ရင်း36"


def test_the_vectors_are_icus() -> None:
    pairs = json.loads(Path(VECTORS).read_text("utf-8"))
    zawgyis, unicodes = zip(*pairs, strict=True)
    assert lines_by_icu("Zawgyi-my", zawgyis) == list(unicodes)
