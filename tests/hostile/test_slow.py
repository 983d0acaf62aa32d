"""Who is slow: lines that drip, bodies that stop. Each is ended, with an answer if a word came.

A server with less patience than the deployed one: a second for a head and for silence, three for a
request.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import door
from tests.door import line
from tests.hostile import answers
from tests.hostile.bodies import FILE, MULTIPART, RIGHT, part
from tests.hostile.cases import CANARY, CLOSED, LETTER, MAYBE, Case, case, head, letter
from tests.hostile.served import CIRCUITS, Attacked
from tests.site_maker import make_site
from tests.spine import WAIT

pytestmark = pytest.mark.hostile

STEP = 0.2  # seconds between two drops
LATE = "below 408"
FILES = {"kind": MULTIPART, "target": "/en/file", "length": 50_000}
TORS = line(1)
HALF = RIGHT + part(FILE.format(CANARY), b"x" * 5000)


class Slow(NamedTuple):
    """A case whose ``sent`` comes at once, and then ``drops``, again and again."""

    case: Case
    drops: Sequence[bytes] = ()


def slow(
    name: str, sent: bytes, *expects: str, drops: Sequence[bytes] = (), own: bool = False
) -> Slow:
    """Return a slow case, whose side of the connection stays open."""
    return Slow(case(name, sent, *expects, own=own, half=False), drops)


CASES = [
    slow("nothing", b"", CLOSED, own=True),
    slow("half of tor's line", TORS[:40], CLOSED, own=True),
    slow("tor's line, drop by drop", b"PROXY ", CLOSED, own=True, drops=[b"x"]),
    slow("tor's line alone", b"", CLOSED),
    slow("an end of line", b"\r\n", LATE),
    slow("a method", b"GET", LATE),
    slow("an address, drop by drop", b"GET /c4n4ry", LATE, drops=[b"x"]),
    slow("a head without an end", head(lines={"X": CANARY})[:-2], LATE),
    slow("lines, one after the other", head()[:-2], LATE, drops=[b"X: c4n4ry\r\n"]),
    slow("a value, drop by drop", head()[:-2] + b"X: c4n4ry", LATE, drops=[b"a"]),
    slow("no body", letter(body=b"", length=len(LETTER)), "en 408"),
    slow("half a body", letter(body=LETTER[:-9], length=len(LETTER)), "en 408"),
    slow("a body, drop by drop", letter(body=b"", length=10_000), LATE, drops=[b"a"]),
    slow("a body at another door", letter(body=b"a", length=99, target="/en/back"), "en 408"),
    slow("a body that is refused", letter(kind="x", body=b"c4n4ry", length=10**6), "en 415"),
    slow("no receipt", letter(body=b"--x\r\n", **FILES), "en 408"),
    slow("half a receipt", letter(body=RIGHT[:-30], **FILES), "en 408"),
    slow("half a file", letter(body=HALF, **FILES), "en 408"),
    slow("a file, drop by drop", letter(body=RIGHT + part(FILE.format(CANARY))[:-2], **FILES), LATE,
         drops=[b"x" * 100]),
    slow("a visit, and then nothing", head(close=False), "en form"),
    slow("a visit, and then half of one", head(close=False) + b"GET /c4n", "en form", MAYBE + LATE),
]  # fmt: skip


@pytest.fixture(params=["1", "0"], ids=["disposable processes", "none"])
def attacked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Attacked]:
    folder = tmp_path
    site, trouble = make_site(folder), folder / "trouble"
    trouble.write_text("")
    more = {"INTAKE_BIND": f"unix:{folder / 's'}", "INTAKE_TROUBLE": str(trouble)}
    more["INTAKE_DISPOSABLE"] = request.param
    options = ("--keep-alive", "1", "tests.troubled_site:app")
    with door.behind(site, folder / "s", options=options, more=more) as served:
        found = Attacked(site, served, answers.constants(site.settings))
        found.empty()
        yield found


def drip(attacked: Attacked, one: Slow) -> bytes:
    """Send it as slowly as it is, until the other side ends; return all that came."""
    first = [] if one.case.own else [line(next(CIRCUITS))]
    with attacked.door.connect(*first, one.case.sent) as link:
        link.settimeout(STEP)
        found, start = b"", time.monotonic()
        while time.monotonic() - start < WAIT:
            with contextlib.suppress(OSError):
                for drop in one.drops:
                    link.sendall(drop)
            try:
                piece = link.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionResetError:
                return found
            if not piece:
                return found
            found += piece
    raise AssertionError("time: it was not ended")


def test_who_is_slow_is_ended(attacked: Attacked, request: pytest.FixtureRequest) -> None:
    """All at the same time; and a visitor among them is served.

    Where a body is taken before a process is, who stops within it is ended below the app.
    """
    wrong = []
    apart = "disposable" in request.node.name
    early = {"en 408", "en 415"} if apart else set()
    with ThreadPoolExecutor(len(CASES)) as pool:
        coming = [pool.submit(drip, attacked, one) for one in CASES]
        attacked.alive()
        for one, found in zip(CASES, coming, strict=True):
            try:
                told = tuple(LATE if name in early else name for name in one.case.expects)
                attacked.check(replace(one.case, expects=told), found.result())
            except AssertionError as broken:
                wrong.append(f"{one.case.name}: {str(broken).splitlines()[0]}")
    assert not wrong, "\n".join(wrong)
    attacked.alive()
