"""What a first visit and a first testimony cost on the wire, beside what the best others send.

Ours are measured here, on every run, with all headers and with the filler; loopback adds nothing.
The peers' were measured once, over loopback as well, on the releases that are named, and not in
this run: 1 KB is 1,000 bytes, and "-" was not measured.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from intake.settings import ROOT
from tests.browser.play import MAIN, Play, play
from tests.browser.windows import ChromiumWindow
from tests.spine import serve

__all__ = ["play"]

pytestmark = pytest.mark.browser


class Cost(NamedTuple):
    """Requests and bytes of the first page; request-answer pairs until the first word is stored."""

    requests: int | None
    page: int
    exchanges: int | None
    note: str


PEERS = {
    "OnionShare 2.7, receive": Cost(7, 109_600, None, "33,400 bytes of it without JavaScript"),
    "SecureDrop 2.10": Cost(15, 115_159, 6, "no JavaScript; 74,300 bytes if compressed"),
    "GlobaLeaks 4.14.8": Cost(
        None, 570_000, None, "compressed, without the font; needs JavaScript"
    ),
    "Hush Line": Cost(15, 797_000, None, "not compressed; 287,000 bytes without JavaScript"),
}
LEAST = 33_400  # bytes of the lightest page of a peer
EXCHANGES = 2  # the form, and what is stored


def test_bytes_and_requests_to_the_first_stored_word(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    """One request shows the form, a second stores it; the page is lighter than any peer's."""
    line, name = play.wire, "Firefox"
    if isinstance(play.window, ChromiumWindow):
        name = "Chromium"
    with serve(ROOT, play.environment) as line.server:
        play.window.go(play.at())
        requests, page, asked = len(line.heads()), line.down, line.up
        play.answer_least()
        play.window.press(MAIN)
        assert play.rows
        exchanges = len(line.heads())
    told = f"{asked:,} bytes up; {line.down:,} down and {line.up:,} up when it is stored"
    costs = {f"Intake, {name}": Cost(requests, page, exchanges, told)} | PEERS
    form = "{:26}{:>9}{:>11}{:>11}  {}"
    lines = [form.format("first page", "requests", "bytes", "exchanges", "")]
    for who, cost in costs.items():
        lines.append(form.format(who, cost[0] or "-", f"{cost[1]:,}", cost[2] or "-", cost[3]))
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert (requests, exchanges) == (1, EXCHANGES)
    assert page < LEAST
