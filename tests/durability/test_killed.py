"""The site is killed at moments drawn by chance: whoever saw a receipt has a row.

SIGKILL leaves what is in the cache, so this proves less than the power cut; it is about processes
that share a database, a lock and a line.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from intake import receipt
from intake.settings import ROOT
from tests import spine, table
from tests.durability.cuts import Run
from tests.durability.source import Source, look
from tests.durability.test_failing import below
from tests.site_maker import LEAST, make_site, receipt_in
from tests.test_uploads_served import workers

pytestmark = pytest.mark.durability
KILLS = 25
WAIT = 30  # seconds
LONGEST = 0.2  # seconds from a letter to the kill


def test_whoever_saw_a_receipt_has_a_row_whatever_was_killed(place: Path) -> None:
    """A worker, or one of the processes that it has forked; a letter is under way each time."""
    (place / "disk").mkdir(mode=0o700)
    site, chance = make_site(place / "disk"), random.Random(25)
    shown, asked = set[str](), set[str]()
    with (
        spine.serve(ROOT, Run(place / "disk").environment) as address,
        ThreadPoolExecutor(1) as pool,
    ):
        source = Source(address)

        def send(seed: str) -> None:
            with contextlib.suppress(OSError, HTTPException):
                status, page = source.try_post("/en", {"_seed": seed, **LEAST})
                if status == 200:
                    shown.add(receipt_in(page))

        for _ in range(KILLS):
            seed = chance.randbytes(32).hex()
            asked.add(seed)
            sent = pool.submit(send, seed)
            time.sleep(chance.random() * LONGEST)
            for worker in workers():
                who = chance.choice([worker, *below(worker)])
                with contextlib.suppress(ProcessLookupError):
                    os.kill(who, signal.SIGKILL)
            sent.result()
            while not _served(source):
                time.sleep(0.05)
        for seed in asked:  # again, as a source does that lost the answer: a worker may be ending
            until = time.monotonic() + WAIT
            while receipt.receipt(bytes.fromhex(seed)) not in shown and time.monotonic() < until:
                send(seed)
                time.sleep(0.05)
    found = look(place / "disk", site.made)
    lost = sum(not found.of(digits) for digits in shown)
    twice = sum(len(found.of(receipt.receipt(bytes.fromhex(seed)))) != 1 for seed in asked)
    figure = f"{KILLS} kills, {len(shown)} receipts shown; lost: {lost}, not there once: {twice}"
    table.record("SIGKILL: the site", figure, "`make durability`")
    assert len(shown) == KILLS
    assert not lost
    assert not twice


def _served(source: Source) -> bool:
    with contextlib.suppress(OSError, HTTPException):
        source.ask("GET", "/en")
        return True
    return False
