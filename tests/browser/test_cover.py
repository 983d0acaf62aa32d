"""“Hide”: the page is covered at once, without a request; “Close” leaves it; what each forgets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.browser.play import ACCOUNT, environment
from tests.browser.windows import window
from tests.browser.wire import wire
from tests.site_maker import make_site
from tests.spine import serve

pytestmark = pytest.mark.browser

NUMBERS = re.compile(r"[\d\u1040-\u1049\s×]+")  # all that the covered page may show
HIDE, BACK, CLOSE = 'header a[href="#Cover"]', '#Cover a[href="#"]', '#Cover a[href$="/exit"]'


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_the_cover_hides_at_once_and_keeps_what_was_typed(tmp_path: Path, name: str) -> None:
    site = make_site(tmp_path)
    with (
        wire() as line,
        window(name, tmp_path) as shown,
        serve(ROOT, environment(site)) as line.server,
    ):
        shown.go(f"http://{line.address}/")
        shown.write("#account", ACCOUNT)
        asked = len(line.heads())
        shown.click(HIDE)
        (body,) = shown.texts("body")
        links = shown.texts("#Cover a")
        assert all(links)
        for link in links:
            body = body.replace(link, "")
        assert NUMBERS.fullmatch(body), body
        assert len(line.heads()) == asked
        assert shown.title() == "ပုံစံ"
        shown.click(BACK)
        assert shown.texts("h1") != [""]
        assert shown.value("#account") == ACCOUNT
        shown.click(HIDE)
        shown.press(CLOSE)
        assert [head.split()[1] for head in line.heads()[asked:]] == ["/exit"]
        (body,) = shown.texts("body")
        assert NUMBERS.fullmatch(body), body
        shown.back()  # as the page says: pages come back, but not what was typed in them
        if shown.url().endswith("#Cover"):
            shown.click(BACK)
        assert shown.value("#account") == ""
