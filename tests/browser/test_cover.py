"""“Hide”: the page is covered at once, without a request; “Close” leaves it; what each forgets."""

from __future__ import annotations

import re

import pytest

from intake.settings import ROOT
from tests.browser.play import ACCOUNT, MAIN, Play, play
from tests.browser.windows import Window
from tests.spine import serve

__all__ = ["play"]

pytestmark = pytest.mark.browser

NUMBERS = re.compile(r"[\d\u1040-\u1049\s×]+")  # all that the covered page may show
HIDE, BACK, CLOSE = 'header a[href="#Cover"]', '#Cover a[href="#"]', '#Cover a[href$="/exit"]'


def numbers_alone(shown: Window, links: int) -> bool:
    """Return whether nothing is seen but numbers and so many links of the cover."""
    (body,) = shown.texts("body")
    found = shown.texts("#Cover a")
    for link in found:
        body = body.replace(link, "", 1)
    return len(list(filter(None, found))) == links and NUMBERS.fullmatch(body) is not None


def test_the_cover_hides_at_once_and_keeps_what_was_typed(play: Play) -> None:
    shown = play.window
    with serve(ROOT, play.environment) as play.wire.server:
        shown.go(play.at())
        shown.write("#account", ACCOUNT)
        asked = len(play.wire.heads())
        assert not numbers_alone(shown, 2)
        shown.click(HIDE)
        assert numbers_alone(shown, 2)
        assert len(play.wire.heads()) == asked
        assert shown.title() == "ပုံစံ"
        shown.click(BACK)
        assert shown.texts("main > h1") == ["ကျွန်ုပ်တို့ထံ စာရေးရန်"]
        assert shown.value("#account") == ACCOUNT
        shown.click(HIDE)
        shown.press(CLOSE)
        assert [head.split()[1] for head in play.wire.heads()[asked:]] == ["/exit"]
        assert numbers_alone(shown, 0)
        shown.back()  # as the page says: pages come back, but not what was typed in them
        if shown.url().endswith("#Cover"):
            shown.click(BACK)
        assert shown.value("#account") == ""


def test_a_receipt_is_covered_and_there_again_without_a_request(play: Play) -> None:
    """A page that answers a form is not asked for again, by Hide or by Back in the cover."""
    shown = play.window
    with serve(ROOT, play.environment) as play.wire.server:
        play.fill()
        shown.press(MAIN)
        digits, asked = play.digits(), len(play.wire.heads())
        assert digits
        shown.click(HIDE)
        assert numbers_alone(shown, 2)
        shown.click(BACK)
        assert play.digits() == digits
        assert len(play.wire.heads()) == asked
