"""The way back, as a source has it: real browsers without scripts or cookies, a real server.

Between browser and server is a wire that notes every request and can lose an answer. The desk's
part is played by the test, which puts a notice and a reply into the store as a return does.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from intake import days, receipt, reply
from intake.age.identity import Identity
from intake.envelope import WITHDRAWAL, WORDS
from intake.replies import Replies
from intake.reply import NOTICE, REPLY, Reply
from intake.server import mailbox
from intake.settings import ROOT
from intake.wording import NUMERALS
from tests.browser.chromium import DESK, NARROW, PHONE, picture, resize
from tests.browser.play import MAIN, Play, play
from tests.browser.windows import ChromiumWindow, Window
from tests.site_maker import Site
from tests.spine import serve
from tests.upload_maker import files

__all__ = ["play"]

pytestmark = pytest.mark.browser

ANSWER = "မင်္ဂလာပါ။ သင့်စာကို ဖတ်ပြီးပါပြီ။\nဘယ်လက ဖြစ်ခဲ့တာလဲ။ အမည်တွေ မရေးပါနဲ့။"
MORE = "နိုဝင်ဘာလက ဖြစ်ပါတယ်။ 🙏 <b>&amp;</b>"
NAME = 'ဓာတ်ပုံ \u202e"1".mp4'
PATHS = {"/", "/back", "/words", "/file", "/withdraw", "/key"}
ID = bytes(16)  # of the reply
LEAVE = 'main > p > a[href="/"]'


def put(site: Site, digits: str) -> None:
    """Put a notice and a reply into the mailbox of a receipt, as a return does."""
    deployment = site.made.keyring.deployment
    box = reply.mailbox(deployment, receipt.reply_secret(deployment, digits))
    to, today = Identity.from_seed(box.seed).recipient(), days.clock()
    both = {box.notice: Reply(NOTICE, today), ID: Reply(REPLY, today, 1, ANSWER)}
    found = [(box.id, name, reply.seal(one, to)) for name, one in both.items()]
    Replies(site.settings.url, site.settings.data).put(found)


def waiting(site: Site, digits: str) -> list[str]:
    """Return the kinds of what the server would show for a receipt."""
    replies = Replies(site.settings.url, site.settings.data)
    found = mailbox.visit(replies, site.made.keyring.deployment, digits)
    return [one.reply.kind for one in found]


def look(shown: Window, name: str = "") -> None:
    """Look at a page in Chromium: it scrolls sideways at no width. With a name, keep a picture."""
    if isinstance(shown, ChromiumWindow):
        folder = os.environ.get("PICTURES") if name else None
        for width in (NARROW, DESK, PHONE):
            resize(shown.browser, width)
            kept = Path(folder) / f"{name}-{width}.png" if folder and width == PHONE else None
            size = picture(shown.browser, kept or Path(os.devnull), 1000)
            assert size["width"] <= size["viewport"], f"{shown.url()} at {width} px"


def test_the_way_back_in_a_browser(play: Play, tmp_path: Path) -> None:
    """Submit, come back, read, add words and 20 MB, delete, withdraw; no receipt in an address."""
    film = tmp_path / NAME
    film.write_bytes(random.Random(1).randbytes(20 << 20))
    with serve(ROOT, play.environment) as play.wire.server:
        digits = submit(play)
        return_and_read(play, digits)
        add(play, film)
        delete_and_withdraw(play, digits)
    check_heads(play, digits)


def submit(play: Play) -> str:
    """Send the form and return its receipt; who comes after on this phone does not find it."""
    shown = play.window
    play.fill()
    shown.press(MAIN)
    digits = play.digits()
    assert re.fullmatch(r"\d{24}", digits)
    shown.reload()
    assert (play.digits(), play.rows) == (digits, 1)
    shown.press(LEAVE)
    assert shown.value("#account") == ""
    shown.back()
    assert play.digits() == ""
    return digits


def return_and_read(play: Play, digits: str) -> None:
    """Type the receipt, wrong and right; read the answer."""
    shown = play.window
    play.come_back(digits[:-1] + str((int(digits[-1]) + 1) % 10))
    assert shown.texts("[role=alert]")
    assert shown.value("#receipt")[:-1] == digits[:-1]
    look(shown)
    put(play.site, digits)
    burmese = digits.translate(NUMERALS["my"])
    play.come_back(f"  {burmese[:5]} - {burmese[5:7]}\u200b{burmese[7:]} ")
    look(shown, "mailbox")
    for _ in range(2):
        assert (shown.texts(".t"), len(shown.texts(".m"))) == ([ANSWER], 2)
        shown.reload()
    shown.press(LEAVE)
    shown.back()
    assert not shown.texts(".t")
    shown.reload()  # what we cannot prevent: docs/THREATS.md, a shared phone
    assert shown.texts(".t") == [ANSWER]


def add(play: Play, film: Path) -> None:
    """Add words, which reloading does not add again, and a file."""
    shown = play.window
    shown.write("#words", MORE)
    shown.press('form[action="/words"] button')
    shown.reload()
    assert (play.rows, play.kinds().count(WORDS)) == (2, 1)
    look(shown)
    shown.write("#file", str(film))
    shown.press('form[action="/file"] button')
    assert not shown.texts("[role=alert]")
    assert files(play.site) == [
        (NAME.replace('"', "%22"), film.read_bytes())
    ]  # as browsers write it


def delete_and_withdraw(play: Play, digits: str) -> None:
    """Delete the answer; ask for all to be deleted, which wants a tick first."""
    shown, this = play.window, f'button[value="{ID.hex()}"]'
    shown.press('form[action="/back"] button')
    assert shown.texts(".t") == [ANSWER]
    shown.press(this)
    assert (shown.texts(".t"), len(shown.texts(".m"))) == ([], 1)
    assert waiting(play.site, digits) == [NOTICE]
    shown.press('form[action="/withdraw"] button')
    assert WITHDRAWAL not in play.kinds()
    look(shown)
    shown.click("#sure")
    shown.press('form[action="/withdraw"] button')
    shown.reload()
    assert play.kinds().count(WITHDRAWAL) == 1
    assert not shown.texts("main form")
    assert shown.title() == "ပုံစံ"
    look(shown)
    shown.go(play.at("/key"))
    assert shown.value("main textarea") == str(play.site.made.keyring.periods[0].recipient)
    look(shown)


def check_heads(play: Play, digits: str) -> None:
    """No request had a receipt in its address or headers, nor an address that we did not make."""
    heads = play.wire.heads()
    assert {head.split(" ", 2)[1] for head in heads} <= PATHS
    assert [head for head in heads if head.startswith("POST /file ")]
    for head in heads:
        assert digits[:8] not in re.sub(r"\D", "", head.replace(play.wire.address, ""))
        assert "cookie:" not in head.lower()
        for address in re.findall(r"(?i)^referer: (\S+)\r$", head, re.MULTILINE):
            assert address.removeprefix(play.at()) in PATHS


def test_a_lost_answer_is_asked_for_again(play: Play) -> None:
    """Cut after the commit, server restarted: reloading gives one row and that form's receipt."""
    shown = play.window
    with serve(ROOT, play.environment) as play.wire.server:
        play.fill()
        digits = receipt.receipt(bytes.fromhex(shown.value("[name=_seed]")))
        play.wire.cut = True
        shown.press(MAIN)
        assert (play.digits(), play.rows) == ("", 1)
    with serve(ROOT, play.environment) as play.wire.server:
        play.wire.cut = False
        shown.reload()
        assert (play.digits(), play.rows) == (digits, 1)

        play.come_back(digits)
        shown.write("#words", MORE)
        play.wire.cut = True
        shown.press('form[action="/words"] button')
        assert play.rows == 2
        play.wire.cut = False
        shown.reload()
        assert not shown.texts("[role=alert]")
        assert (play.rows, play.kinds().count(WORDS)) == (2, 1)


def test_back_after_a_lost_answer_is_an_empty_form(play: Play) -> None:
    """Why the page says not to press Back. Were it otherwise one day, the page should say so."""
    shown = play.window
    with serve(ROOT, play.environment) as play.wire.server:
        play.fill()
        shown.press('a[href="/back"]')
        shown.back()  # from an honest page, too
        assert shown.value("#account") == ""
        play.fill()
        seed = shown.value("[name=_seed]")
        play.wire.cut = True
        shown.press(MAIN)
        assert play.rows == 1
        shown.back()
        shown.go(play.at())
        assert shown.value("#account") == ""
        assert shown.value("[name=_seed]") != seed
