"""What the site prints: the same, whether nobody came or many, and whatever they sent."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

from tests.door import LAST
from tests.leaks.canaries import BODIES, Search
from tests.leaks.cases import answers, cut, files, letters, marks, refused, urlencoded
from tests.leaks.chain import Chain, ask, head
from tests.leaks.playing import send, settle
from tests.spine import WAIT
from tests.table import record

HOW = "make leaks"
COMERS = 50
QUIET = 1.0  # seconds in which nothing is printed


class Printed(NamedTuple):
    """Bytes that came while it was visited, and all without its folder and processes' numbers."""

    meanwhile: bytes
    whole: bytes


def printed(chain: Chain, comers: int) -> Printed:
    """Serve the site while so many come, and as many other things as there are cases."""
    with chain.served() as opened:
        before = still(chain)
        for _ in range(comers):
            own = marks(BODIES)
            sent = ask(opened, urlencoded("/en", answers(" ".join(own))))
            assert sent.status == 200, f"odd\n{sent.status}"
        if comers:
            for case in (*letters(), *refused(), *cut(), *files()):
                send(opened, case)
            ask(opened, LAST)
            ask(opened, head("/none", method="GET"))
            settle(chain)
        meanwhile = still(chain).removeprefix(before)
    said = chain.log().replace(str(chain.folder).encode(), b"")
    return Printed(meanwhile, re.sub(rb"\d+", b"#", said))


def still(chain: Chain) -> bytes:
    """Return what was printed, when nothing more has come for a moment."""
    until, said = time.monotonic() + WAIT, b""
    while time.monotonic() < until:
        time.sleep(QUIET)
        if said and said == (now := chain.log()):
            return now
        said = chain.log()
    raise AssertionError("log\nit goes on")


def check(nobody: Chain, many: Chain) -> None:
    """Nothing is printed for fifty; and from start to end it is what is printed for nobody."""
    none, all_of_it = printed(nobody, 0), printed(many, COMERS)
    same = "the same" if none.whole == all_of_it.whole else "others"
    sizes = f"{len(none.whole)} and {len(all_of_it.whole)}, {same} but for numbers of processes"
    figure = f"{sizes}; {len(all_of_it.meanwhile)} between the first and the last"
    record(f"bytes printed for nobody, and for {COMERS} letters with all else", figure, HOW)
    assert not none.meanwhile + all_of_it.meanwhile, f"log\n{all_of_it.meanwhile[:300]!r}"
    assert none.whole == all_of_it.whole, f"log\n{all_of_it.whole!r}"
    assert not list(Search().within(many.log())), "log"
