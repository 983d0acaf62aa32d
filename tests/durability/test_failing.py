"""A disk that is full, or fails: at every write and every sync, one at a time.

Rules:
- strace lets one call fail, the nth of its name, with ENOSPC or EIO, and no other; then the disk is
  well again.
- Of the site, each is one letter, upload or deletion in a worker that goes on. Of a command, each is
  a run of its own, from the same folder.
- What was confirmed holds, nothing is half, and the same again ends well.
"""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from intake import receipt
from intake.settings import ROOT
from tests import spine, table
from tests.durability.cuts import Run
from tests.durability.source import Source, look
from tests.site_maker import LEAST, Site, make_site, receipt_in, seed_in
from tests.test_uploads_served import workers
from tests.upload_maker import KIND, body, file, files, first

pytestmark = pytest.mark.durability
FAILURES = (
    *((name, "ENOSPC") for name in ("write", "pwrite64")),
    *((name, "EIO") for name in ("write", "pwrite64", "fsync", "fdatasync", "ftruncate")),
)
MOST = 400  # calls of one name in one request
WAIT = 60  # seconds
HOW = "`make durability`"


@contextmanager
def failing(worker: int, name: str, error: str, nth: int, trace: Path) -> Iterator[None]:
    """Let the nth call of that name fail in a process that runs, and no other."""
    trace.write_bytes(b"")
    inject = f"inject={name}:error={error}:when={nth}"
    command = ["strace", "-f", "-y", "-p", str(worker), "-o", str(trace), "-e", f"trace={name}"]
    tracer = subprocess.Popen([*command, "-e", inject], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        said = tracer.stderr.readline()
        assert "attached" in said, f"strace cannot attach; run this as root. {said}"
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=WAIT)


def hit(trace: Path) -> str:
    """Return the call that failed, empty if none did."""
    return "".join(x for x in trace.read_text(errors="replace").splitlines() if "INJECTED" in x)


class Tried:
    """What came of each call that failed."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.confirmed = self.refused = self.untrue = 0

    def each(
        self, worker: int, folder: Path, attempt: Callable[[int], None], before: Callable[[], None]
    ) -> None:
        """Let each call of an attempt fail, one at a time."""
        trace, number = folder.with_name("failing.trace"), 0
        for name, error in FAILURES:
            for nth in range(1, MOST):
                before()
                number += 1
                with failing(worker, name, error, nth, trace):
                    attempt(number)
                if not (call := hit(trace)):
                    self.calls[f"{name} {error}"] = nth - 1
                    break
                assert str(folder) in call, f"this is no call of the store: {call}"

    def hold(self, name: str) -> None:
        """Record a row of the table."""
        figure = (
            f"{sum(self.calls.values())} calls failed; {self.confirmed} confirmed all the same, "
        )
        figure += f"{self.refused} refused; {self.untrue} of these told wrongly; lost: 0, half: 0"
        table.record(f"full or failing disk: {name}", figure, HOW)
        assert self.calls["pwrite64 ENOSPC"] > 10, self.calls
        assert self.calls["fdatasync EIO"] >= 3, self.calls
        assert self.refused, "no failure was ever told"


@pytest.fixture
def site(place: Path) -> Site:
    """A site that is open, below the folder ``disk``."""
    (place / "disk").mkdir(mode=0o700)
    return make_site(place / "disk")


def no_floor(site: Site) -> None:
    """Have the first visit of a day again, which writes a file of Python's."""
    (site.settings.data / "floor").unlink(missing_ok=True)


@contextmanager
def served(site: Site) -> Iterator[tuple[Source, int]]:
    """Serve it with one worker; yield a source who is there, and the worker."""
    folder = site.settings.data.parent
    with spine.serve(ROOT, Run(folder).environment, options=("-w", "1")) as address:
        source = Source(address)
        source.letter("အရင်ဆုံး")  # so that all is loaded
        (worker,) = workers()
        yield source, worker


def test_a_letter_on_a_disk_that_fails(site: Site) -> None:
    """Confirmed and there, or refused and sent again: then it is there once."""
    tried = Tried()
    with served(site) as (source, worker):

        def letter(number: int) -> None:
            seed = random.Random(number).randbytes(32).hex()
            fields = {"_seed": seed, **LEAST, "account": f"စာ {number}"}
            status, page = source.try_post("/en", fields)
            digits = receipt.receipt(bytes.fromhex(seed))
            stored = len(look(site.settings.data.parent, site.made).of(digits))
            assert status in {200, 503}, status
            if status == 200:
                assert receipt_in(page) == digits
                assert stored == 1, "lost: a letter whose receipt was shown"
                tried.confirmed += 1
            else:
                assert "Nothing was stored" in page
                assert f"စာ {number}" in page, "lost: what was typed"
                tried.refused += 1
                tried.untrue += stored
            again.append((fields, digits))

        again: list[tuple[dict[str, object], str]] = []
        tried.each(worker, site.settings.data.parent, letter, lambda: no_floor(site))
        for fields, digits in again:
            status, page = source.try_post("/en", fields)
            assert (status, receipt_in(page)) == (200, digits), "half: it does not go on"
    found = look(site.settings.data.parent, site.made)
    assert all(len(found.of(digits)) == 1 for _, digits in again), "half: a letter twice"
    tried.hold("a letter")
