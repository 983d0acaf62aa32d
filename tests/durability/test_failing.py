"""A disk that is full, or fails, under the site: at every write and every sync, one at a time.

Rules:
- strace lets one call fail, the nth of its name in each process, with ENOSPC or EIO; then the disk
  is well again. Where a process writes to more than files, a limit of their size does it (EFBIG).
- Each is one letter, upload or deletion at a site that goes on; what comes next is served.
- What was confirmed holds, nothing is half, and the same again ends well.
"""

from __future__ import annotations

import contextlib
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from intake import receipt, reply
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.envelope import SEALED
from intake.errors import NoMatchingKey
from intake.replies import Replies
from intake.reply import Reply
from intake.settings import ROOT
from tests import spine, table
from tests.durability.cuts import Run
from tests.durability.source import Source, look
from tests.makers import FIRST
from tests.site_maker import LEAST, Site, make_site, receipt_in
from tests.test_uploads_served import workers
from tests.upload_maker import KIND, body, file, files, first, sealed_rows

pytestmark = [pytest.mark.durability, pytest.mark.usefixtures("slow_step")]
FAILURES = (
    ("pwrite64", "ENOSPC"),
    *((name, "EIO") for name in ("pwrite64", "fsync", "fdatasync", "ftruncate")),
)
MOST = 400  # calls of one name in one request
WAIT = 60  # seconds
SPOOLED, PIECE = 3 * (16 + SEALED), 8192  # bytes that a file of two slices spools, and of one write
HOW = "`make durability`"


def below(pid: int) -> list[int]:
    """Return the processes that a worker has forked, and those that they have."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [each for child in map(int, children) for each in (child, *below(child))]


def forked(worker: int) -> list[int]:
    """Return a worker's stem and the spare child, when nothing else is left of what was before."""
    deadline = time.monotonic() + WAIT
    found: list[int] = []
    while time.monotonic() < deadline:
        before, found = found, below(worker)
        if len(found) == 2 and found == before:
            return found
        time.sleep(0.02)
    raise AssertionError(f"there are other processes than a stem and a spare child: {found}")


@contextmanager
def failing(worker: int, name: str, error: str, nth: int, trace: Path) -> Iterator[None]:
    """Let the nth call of that name fail in each process of a worker, and no other."""
    trace.write_bytes(b"")
    who = [word for pid in (worker, *forked(worker)) for word in ("-p", str(pid))]
    inject = f"inject={name}:error={error}:when={nth}"
    command = ["strace", "-f", "-y", *who, "-o", str(trace), "-e", f"trace={name}", "-e", inject]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        for _ in who[::2]:
            said = tracer.stderr.readline()
            assert "attached" in said, f"strace cannot attach; run this as root. {said}"
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=WAIT)


@contextmanager
def limited(worker: int, size: int) -> Iterator[None]:
    """Let no file grow beyond a size in the processes that a worker has forked."""
    unlimited = resource.RLIM_INFINITY
    for pid in forked(worker):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, unlimited))
    try:
        yield
    finally:
        for pid in forked(worker):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))


def hit(trace: Path) -> str:
    """Return the call that failed, empty if none did."""
    return "".join(x for x in trace.read_text(errors="replace").splitlines() if "INJECTED" in x)


class Tried:
    """What came of each call that failed."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.confirmed = self.refused = self.untrue = 0

    def each(
        self,
        worker: int,
        site: Site,
        attempt: Callable[[int], Callable[[], None]],
        limits: Sequence[int] = (0,),
    ) -> None:
        """Let each call of an attempt fail, one at a time; what it returns is done after that."""
        folder, number = site.settings.data.parent, 0
        trace, floor = folder.with_name("failing.trace"), site.settings.data / "floor"
        for name, error in FAILURES:
            for nth in range(1, MOST):
                floor.unlink(missing_ok=True)  # the first visit of a day writes a file of Python's
                number += 1
                with failing(worker, name, error, nth, trace):
                    then = attempt(number)
                then()
                if not (call := hit(trace)):
                    self.calls[f"{name} {error}"] = nth - 1
                    self.confirmed -= 1  # this one nothing befell
                    break
                assert str(folder) in call, f"this is no call of the store: {call}"
        for size in limits:
            floor.unlink(missing_ok=True)
            number += 1
            with limited(worker, size):
                then = attempt(number)
            then()
        self.calls["write EFBIG"] = len(limits)

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
        assert not self.untrue, "it was told that nothing was stored"


@pytest.fixture
def site(place: Path) -> Site:
    """A site that is open, below the folder ``disk``."""
    (place / "disk").mkdir(mode=0o700)
    return make_site(place / "disk")


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

        def letter(number: int) -> Callable[[], None]:
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
                assert f"စာ {number}" in page, "lost: what was typed"
                tried.refused += 1
                tried.untrue += stored and "Nothing was stored" in page

            receipts.append(digits)

            def again() -> None:
                status, page = source.try_post("/en", fields)
                assert (status, receipt_in(page)) == (200, digits), "half: it does not go on"

            return again

        receipts: list[str] = []
        tried.each(worker, site, letter)
    found = look(site.settings.data.parent, site.made)
    assert all(len(found.of(digits)) == 1 for digits in receipts), "half: a letter twice"
    tried.hold("a letter")


def test_a_file_on_a_disk_that_fails(site: Site) -> None:
    """Confirmed and whole, or refused and not there; sent again it is whole."""
    tried, folder = Tried(), site.settings.data.parent
    with served(site) as (source, worker):
        digits = source.letter("စာ")
        words = {row for row, _ in sealed_rows(site)}

        def upload(number: int) -> Callable[[], None]:
            one = (f"ပုံ {number}.jpg", bytes([number % 256]) * 40_000)
            sent = body(first(digits), file(*one))
            status, page = source.try_post("/en/file", sent, KIND)
            there = look(folder, site.made).site
            stored = files(there).count(one)
            assert status in {200, 503}, status
            if status == 200:
                assert stored == 1, "lost: a file that was confirmed"
                tried.confirmed += 1
            else:
                tried.refused += 1
                tried.untrue += stored and "Nothing was stored" in page

            def again() -> None:
                assert source.try_post("/en/file", sent, KIND)[0] == 200, "half: it does not go on"
                assert files(there).count(one) == stored + 1, "half: a file is not whole"
                site.store.remove({row for row, _ in sealed_rows(site)} - words)

            return again

        tried.each(worker, site, upload, range(0, SPOOLED, PIECE))
    tried.hold("a file of two slices")


def test_deleting_a_reply_on_a_disk_that_fails(site: Site) -> None:
    """Deleted and gone, or refused and still there whole; asked again it goes."""
    tried, folder = Tried(), site.settings.data.parent
    digits = receipt.receipt(bytes(range(32)))
    secret = receipt.reply_secret(site.made.deployment, digits)
    box = reply.mailbox(site.made.deployment, secret)
    identity = Identity.from_seed(box.seed)
    store = Replies(site.settings.url, site.settings.data)

    def opens(name: bytes) -> bool:
        waiting = dict(store.waiting(box.id))
        assert name in waiting, "half: a reply has no place any more"
        with contextlib.suppress(NoMatchingKey):
            unseal(waiting[name], [identity])
            return True
        return False

    with served(site) as (source, worker):

        def delete(number: int) -> Callable[[], None]:
            name = number.to_bytes(16)
            answer = Reply(reply.REPLY, FIRST, number, "အဖြေ")
            store.put([(box.id, name, reply.seal(answer, identity.recipient()))])
            asked = {"receipt": digits, "delete": name.hex()}
            status, _ = source.try_post("/en/back", asked)
            look(folder, site.made)
            if status == 200:
                assert not opens(name), "lost: a reply that was deleted is still there"
                tried.confirmed += 1
            else:
                assert status == 503
                tried.refused += 1

            def again() -> None:
                assert source.try_post("/en/back", asked)[0] == 200, "half: it does not go on"
                assert not opens(name), "lost: a reply that was deleted is still there"

            return again

        tried.each(worker, site, delete)
    tried.hold("a reply deleted by its source")
