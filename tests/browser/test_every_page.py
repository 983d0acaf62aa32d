"""Every page in every state and language: by axe, by keyboard, at every width, with larger text.

With TOUR set to a folder, pictures of each state at each width go there, to be looked at:

    TOUR=/tmp/tour make browser ARGS="-k every_page"
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from selenium import webdriver

from intake.form import Form
from intake.settings import FORM, ROOT
from intake.wording import OFFERED
from tests.browser import accessible
from tests.browser.chromium import (
    DESK,
    NARROW,
    PHONE,
    TEXT,
    chromium,
    fits,
    picture,
    resize,
    text_size,
)
from tests.browser.play import Play, environment
from tests.browser.tour import SETTINGS, Tour
from tests.browser.windows import UNFOLDS, ChromiumWindow, unfold
from tests.browser.wire import wire
from tests.site_maker import make_site
from tests.spine import serve

pytestmark = pytest.mark.browser

NUMBERS = ("receipt", *(one.key for one in Form.load(FORM).questions() if one.kind == "number"))
TALL = 1500  # CSS pixels of a picture


def shoot(browser: webdriver.Chrome, name: str) -> None:
    """Write pictures of the whole page, none taller than can be looked at."""
    height, top = TALL, 0
    while top < height:
        file = Path(f"{name}-{top // TALL + 1}.png")
        height, top = picture(browser, file, TALL, top)["height"], top + TALL


def look(browser: webdriver.Chrome, file: Path | None, *audited: int) -> list[str]:
    """Return what is wrong with the page as it stands, at each width; axe at the ``audited``."""
    found = []
    for width in (DESK, PHONE, NARROW):
        resize(browser, width)
        if not fits(browser):
            found.append(f"scrolls sideways at {width} px")
        if file:
            shoot(browser, f"{file}-{width}")
        if width in audited:
            found += [f"{width} px: {one}" for one in accessible.axe(browser)]
            found += [f"{width} px: {one}" for one in accessible.small(browser)]
    text_size(browser, 2 * TEXT)
    if not fits(browser):
        found.append("scrolls sideways with text of 200 %")
    text_size(browser, TEXT)
    return found


def check(shown: ChromiumWindow, file: Path | None) -> list[str]:
    """Return what is wrong with a state, as it comes and with all unfolded."""
    browser = shown.browser
    found = accessible.structure(browser, *NUMBERS)
    if shown.texts(UNFOLDS):
        found += look(browser, file, NARROW)
        unfold(shown)
        file = file and file.with_name(f"{file.name}-unfolded")
    return found + look(browser, file, DESK, NARROW) + accessible.keyboard(browser)


LANGUAGES = [OFFERED[0], *(pytest.param(each, marks=pytest.mark.slow) for each in OFFERED[1:])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page(tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No finding of axe or ours; nothing scrolls sideways, nor with text twice as large."""
    site, start = make_site(tmp_path), time.monotonic()
    folder = Path(os.environ["TOUR"]) if os.environ.get("TOUR") else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[str]] = {}
    with (
        wire() as line,
        serve(ROOT, environment(site, **SETTINGS)) as line.server,
        chromium(tmp_path, scripts=True) as browser,
    ):
        browser.set_script_timeout(60)
        shown = ChromiumWindow(browser)
        play = Play(site, line, shown, {}, language)
        for name in Tour(play, shown, tmp_path).states():
            assert name not in found, name
            file = folder / f"{language}-{name}" if folder else None
            found[name] = check(shown, file)
            sys.stdout.writelines(f"{name}: {one}\n" for one in found[name])
    with capsys.disabled():
        took = time.monotonic() - start
        sys.stdout.write(f"\n{language}: {len(found)} states of pages, {took:.0f} s\n")
    assert not {name for name, each in found.items() if each}, "said above"
