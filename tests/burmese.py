"""Burmese to test with: what is written in this checkout, syllables by chance, and noise.

Rule: what comes by chance has a seed. It holds no 3, 6 or u, which ICU's table displaces.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from functools import cache

from intake.settings import ROOT

LETTER = re.compile("[\u1000-\u109f]")
CONSONANTS = tuple(map(chr, range(0x1000, 0x1022)))
VOWELS = (*"ာါိီုူေဲံ", "", "", "ို", "ော", "ေါ", "ုံ", "ော်")
REST = (" ", "။", "၊", "၎င်း", "\u1040", "၄", "၁၂", "\u200b", "၄င်း", "ဥ", "ဦး", "ဩ", "ဿ")
_OFTEN = "\u1031\u103a\u1039\u1037\u103b\u1040\u1044"


@cache
def texts() -> tuple[str, ...]:
    """Return every Burmese line of the catalogue, of the tests and of docs/, some of it Zawgyi.

    The catalogue has the names of the 330 townships.
    """
    catalogue = (ROOT / "intake/locale/my/LC_MESSAGES/intake.po").read_text("utf-8")
    found = re.findall(r'msgstr(?:\[\d\])? "(.*)"', catalogue.replace('"\n"', ""))
    for path in sorted([*(ROOT / "tests").glob("*.py"), *(ROOT / "docs").glob("*.md")]):
        found += map(str.strip, path.read_text("utf-8").splitlines())
    return tuple(dict.fromkeys(filter(LETTER.search, found)))


def syllables(count: int, seed: int) -> list[str]:
    """Return lines of one to twelve Burmese syllables, well formed and of no meaning."""
    chance = random.Random(seed)
    return ["".join(_syllable(chance) for _ in range(chance.randint(1, 12))) for _ in range(count)]


def noise(count: int, seed: int) -> list[str]:
    """Return lines of one to thirty characters that have nothing to do with each other."""
    chance = random.Random(seed)
    of = [*map(chr, range(0x1000, 0x10A0)), *" \u200b\u200d\xa0ab1-", *_OFTEN * 6]
    return ["".join(chance.choices(of, k=chance.randint(1, 30))) for _ in range(count)]


def seconds(act: Callable[[str], object], text: str) -> float:
    """Return the least time of three that this machine takes to act upon a text."""
    times = []
    for _ in range(3):
        start = time.process_time()
        act(text)
        times.append(time.process_time() - start)
    return min(times)


def _syllable(chance: random.Random) -> str:
    parts = [
        "င်္" if chance.random() < 0.05 else "",
        chance.choice(CONSONANTS),
        "\u1039" + chance.choice(CONSONANTS) if chance.random() < 0.08 else "",
        *(medial if chance.random() < 0.15 else "" for medial in "\u103b\u103c\u103d\u103e"),
        chance.choice(VOWELS),
        chance.choice("ကငစညတနပမယဉ") + "်" if chance.random() < 0.35 else "",
        chance.choice(("", "", "", "့", "း")),
        chance.choice(REST) if chance.random() < 0.06 else "",
    ]
    return "".join(parts)
