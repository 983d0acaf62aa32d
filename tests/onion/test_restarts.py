"""Each part of the chain is ended, gently or not, while posts go on: a receipt shown is a row.

Rule: a visitor whose page did not come sends the same form again, on another circuit, as a browser
does when it reloads. What they were shown is compared with what is opened at the desk.
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from tests.onion import figures
from tests.onion.chain import SITE, until
from tests.onion.crowd import post_all
from tests.onion.host import Host
from tests.test_concurrency import Reign, check
from tests.test_journey import Reviewers

pytestmark = pytest.mark.onion

POSTS = 1000
SOURCES = 6
TIMES = 6  # more than the five in ten seconds after which systemd gives a unit up, if it may

PARTS: dict[str, Callable[[Host], None]] = {
    "a worker, killed": lambda host: host.chain.kill_worker(),
    "the site, restarted": lambda host: host.chain.restart_site(),
    "the site, killed": lambda host: host.chain.kill_site(),
    "the socket and the site, restarted": lambda host: host.chain.restart_socket(),
    "tor, restarted": lambda host: host.chain.restart_tor(),
    "tor, killed": lambda host: host.chain.kill_tor(),
}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_comes_back_by_itself(host: Host, part: str) -> None:
    """From the moment that it is ended to the first page, for somebody who tries at once."""
    host.circuit().get()
    with figures.timed(f"to the first page after: {part}"):
        PARTS[part](host)
        host.reach("c0")


def everyone(host: Host, count: int, seen: Callable[[int], None] = lambda _: None) -> int:
    """Send so many testimonies by several clients; each receipt has its row; count them."""
    start = time.monotonic()
    names = list(host.net.clients)
    circuits = [host.circuit(names[n % 3], timeout=30) for n in range(SOURCES)]
    posts = post_all(circuits, count, f"{time.time()}", seen)
    site = host.site
    ruled = Reign(frozenset(site.made.periods), site.made.keyring.version, start, math.inf)
    return check(site, posts, [ruled], dict(site.made.periods))


def test_every_receipt_shown_in_the_middle_of_restarts_opens_at_the_desk(
    host: Host, reviewers: Reviewers, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thousand posts, each part ended once in the middle: each receipt has its row, once."""
    steps = {POSTS * (n + 1) // (len(PARTS) + 1): part for n, part in enumerate(PARTS)}
    reached, news, told = [0], threading.Condition(), []

    def seen(number: int) -> None:
        with news:
            reached[0] = number
            news.notify_all()

    def conduct() -> None:
        for step, part in steps.items():
            with news:
                assert news.wait_for(lambda: reached[0] >= step, 600)  # noqa: B023 - waited for here
            told.append((part, reached[0]))
            PARTS[part](host)

    host.empty()
    start = time.monotonic()
    found: list[int] = []
    posting = threading.Thread(target=lambda: found.append(everyone(host, POSTS, seen)))
    posting.start()
    conduct()  # here, not in a thread of its own: whose parent thread ends, dies
    posting.join()
    figures.note("1,000 posts, in which every part was ended", time.monotonic() - start)
    assert found == [POSTS]
    assert f"{POSTS} in the bundle, {POSTS} opened" in reviewers.bring()
    with capsys.disabled():
        sys.stdout.write("".join(f"\n  after {number} posts: {part}" for part, number in told))


def test_the_site_starts_again_without_end(host: Host) -> None:
    """Killed again and again, as by a defect: systemd brings it back, and the socket stays."""
    before = host.chain.restarts(SITE)
    for _ in range(TIMES):
        killed = host.chain.master()
        host.chain.kill_site()
        until(partial(back, host, killed), "the site")
    host.reach("c0")
    assert host.chain.restarts(SITE) == before + TIMES


def back(host: Host, killed: int) -> bool:
    """Return whether another process than the one that was killed is the site's first."""
    with contextlib.suppress(AssertionError):
        return host.chain.master() != killed
    return False
