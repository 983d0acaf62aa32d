"""A disk that is full, or fails: at every write and every sync, one at a time.

Rules:
- strace lets one call fail, the nth of its name in each thread, with ENOSPC or EIO; then the disk
  is well again. Where threads write to more than files, a limit of a file's size does it (EFBIG).
- Of the site, each is one letter, upload or deletion in a worker that goes on. Of a command, each
  is a run of its own, from the same folder.
- What was confirmed holds, nothing is half, and the same again ends well.
"""

from __future__ import annotations

import contextlib
import random
import resource
import signal
import subprocess
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
STORE = (
    ("pwrite64", "ENOSPC"),
    *((name, "EIO") for name in ("pwrite64", "fsync", "fdatasync", "ftruncate")),
)
FAILURES = (("write", "ENOSPC"), ("write", "EIO"), *STORE)
MOST = 400  # calls of one name in one request
WAIT = 60  # seconds
SPOOLED, PIECE = 3 * (16 + SEALED), 8192  # bytes that a file of two slices spools, and of one write
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
        self,
        worker: int,
        site: Site,
        attempt: Callable[[int], Callable[[], None]],
        failures: Sequence[tuple[str, str]] = STORE,
    ) -> None:
        """Let each call of an attempt fail, one at a time; what it returns is done after that."""
        folder, number = site.settings.data.parent, 0
        trace = folder.with_name("failing.trace")
        for name, error in failures:
            for nth in range(1, MOST):
                # The first visit of a day writes a file of Python's.
                (site.settings.data / "floor").unlink(missing_ok=True)
                number += 1
                with failing(worker, name, error, nth, trace):
                    then = attempt(number)
                then()
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
                assert "Nothing was stored" in page
                assert f"စာ {number}" in page, "lost: what was typed"
                tried.refused += 1
                tried.untrue += stored

            receipts.append(digits)

            def again() -> None:
                status, page = source.try_post("/en", fields)
                assert (status, receipt_in(page)) == (200, digits), "half: it does not go on"

            return again

        receipts: list[str] = []
        tried.each(worker, site, letter, FAILURES)
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
            status, _ = source.try_post("/en/file", sent, KIND)
            there = look(folder, site.made).site
            stored = files(there).count(one)
            assert status in {200, 503}, status
            if status == 200:
                assert stored == 1, "lost: a file that was confirmed"
                tried.confirmed += 1
            else:
                tried.refused += 1
                tried.untrue += stored

            def again() -> None:
                assert source.try_post("/en/file", sent, KIND)[0] == 200, "half: it does not go on"
                assert files(there).count(one) == stored + 1, "half: a file is not whole"
                site.store.remove({row for row, _ in sealed_rows(site)} - words)

            return again

        tried.each(worker, site, upload)
        for limit in range(0, SPOOLED, PIECE):
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            then = upload(MOST + limit)
            unlimited = (resource.RLIM_INFINITY,) * 2
            resource.prlimit(worker, resource.RLIMIT_FSIZE, unlimited)
            then()
        tried.calls["write EFBIG"] = len(range(0, SPOOLED, PIECE))
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
                tried.untrue += not opens(name)

            def again() -> None:
                assert source.try_post("/en/back", asked)[0] == 200, "half: it does not go on"
                assert not opens(name), "lost: a reply that was deleted is still there"

            return again

        tried.each(worker, site, delete)
    tried.hold("a reply deleted by its source")
