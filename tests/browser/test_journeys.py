"""The whole journey in each language, in both browsers, as a source has it: no scripts, no cookies.

Rule: every question that the form declares is answered, by its own kind of field, and each answer
is looked for three times: on the page that says what is wrong, in the sealed row, and nowhere else.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import replace

import pytest

from intake import days, receipt
from intake.envelope import TESTIMONY, WORDS
from intake.form import Errors, Form
from intake.settings import FORM, ROOT
from intake.wording import NUMERALS, OFFERED, ZAWGYI
from intake.zawgyi import to_zawgyi
from tests.browser.filling import everything, fill, held
from tests.browser.play import MAIN, Play, play
from tests.spine import serve
from tests.test_zawgyi import UNICODE
from tests.test_zawgyi import ZAWGYI as TYPED_ZAWGYI
from tests.way_back import answer

__all__ = ["play"]

pytestmark = pytest.mark.browser

TYPED = {"my": f"{UNICODE}\n၂၁၂၁ <b>&amp;</b> \u200bမေး 🙏", "en": 'He said: "go".\n\n  & left'}
NEEDED = "consent_store"
SLOW = 1.0  # seconds that an answer is kept back, so that a second tap comes before it


@pytest.mark.parametrize("language", OFFERED)
def test_the_whole_journey_in_each_language(play: Play, language: str) -> None:
    """Everything answered, one consent forgotten; receipt, reload, back, a reply, more words."""
    form, today, text = Form.load(FORM), days.clock(), TYPED.get(language, TYPED_ZAWGYI)
    play = replace(play, language=language)
    shown = play.window
    with serve(ROOT, play.environment) as play.wire.server:
        shown.go(play.at())
        answers = everything(form, today, text)
        forgotten = {name: values for name, values in answers.items() if name != NEEDED}
        fill(shown, form, forgotten)
        shown.press(MAIN)
        assert shown.texts("#errors li")
        assert held(shown, form) == forgotten
        shown.click(f"#{NEEDED}")
        shown.press(MAIN)
        digits = play.digits()
        assert re.fullmatch(r"\d{24}", digits)
        shown.reload()
        assert play.digits() == digits
        accepted = form.validate(answers, today)
        assert not isinstance(accepted, Errors)
        (row,) = play.opened()
        assert (row["kind"], row["language"]) == (TESTIMONY, language)
        assert row["body"] == accepted.as_object()

        reply = TYPED.get(language, TYPED["my"]).splitlines()[0]
        answer(play.site, digits, reply)
        play.come_back(digits.translate(NUMERALS.get(language, {})))
        assert shown.texts(".t") == [to_zawgyi(reply) if language == ZAWGYI else reply]
        shown.write("#words", text)
        shown.press('form[action$="/words"] button')
        shown.reload()
        (words,) = (line for line in play.opened() if line["kind"] == WORDS)
        assert (words["case"], words["body"]) == (row["case"], {"words": text})
        assert play.rows == len((row, words))


def test_a_double_tap_is_one_testimony(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    """Two taps on the button before any answer came: one row, and the receipt of that form."""
    shown = play.window
    with serve(ROOT, play.environment) as play.wire.server:
        play.fill()
        digits = receipt.receipt(bytes.fromhex(shown.value("[name=_seed]")))
        play.wire.slow = SLOW
        shown.press_twice(MAIN)
        assert play.digits() == digits
        time.sleep(SLOW)  # the answer that nobody waits for any more
    posts = sum(head.startswith("POST") for head in play.wire.heads())
    with capsys.disabled():
        sys.stdout.write(f"\n{type(shown).__name__}: two taps, {posts} requests, {play.rows} row\n")
    assert posts
    assert play.rows == 1
