"""Files over a real gunicorn: cut off, killed, and beside other people's words.

Rules:
- The server runs with the configuration of the deployment and its two workers.
- What is stored is opened as the desk opens it. Words that a source sent before stay, whatever
  happens to a file after them.
- No test waits for a time that is not needed: the server's own state says when to go on.
"""

from __future__ import annotations

import gzip
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from intake.envelope import SEALED
from intake.settings import ROOT
from tests import spine
from tests.site_maker import Site, make_site
from tests.upload_maker import BOUNDARY, KIND, body, file, files, first, sealed_rows

WAIT = 60  # seconds
MOMENTS = 20  # at which a worker is killed
DATA = bytes(range(256)) * 4_000  # 1 MB in 32 slices
WHOLE = body(first(), file("သက်သေ.jpg", DATA))


pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that is open."""
    return make_site(tmp_path)


@contextmanager
def served(site: Site, *tracer: str, **more: str) -> Iterator[str]:
    """Serve the site from this checkout; yield ``host:port``."""
    own = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    quiet = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    with spine.serve(ROOT, {**quiet, **own, **more}, *tracer) as address:
        yield address


def head(address: str, length: int, *lines: str) -> bytes:
    """Return the head of a POST of a body of ``length`` bytes."""
    own = [f"Host: {address}", f"Origin: http://{address}", f"Content-Type: {KIND}"]
    own += [f"Content-Length: {length}"] if length >= 0 else []
    return "\r\n".join(["POST /en/file HTTP/1.1", *own, *lines, "", ""]).encode()


def connect(address: str) -> socket.socket:
    """Open a connection."""
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), WAIT)


def send(address: str, data: bytes = WHOLE) -> tuple[int, str]:
    """Send a body as a browser does; return status and page."""
    headers = {"Origin": f"http://{address}", "Content-Type": KIND}
    with closing(HTTPConnection(address, timeout=WAIT)) as connection:
        connection.request("POST", "/en/file", data, headers)
        answer = connection.getresponse()
        return answer.status, gzip.decompress(answer.read()).decode()


def answer(link: socket.socket) -> bytes:
    """Return what comes until the other side hangs up, however it does."""
    found = b""
    with suppress(ConnectionResetError):
        while piece := link.recv(1 << 16):
            found += piece
    return found


def workers() -> list[int]:
    """Return the ids of the workers of the server that this process started."""
    parents = _parents()
    ours = {pid for pid, parent in parents.items() if parent == os.getpid() and _serves(pid)}
    return sorted(pid for pid, parent in parents.items() if parent in ours and _serves(pid))


def worker_of(pid: int) -> int:
    """Return the worker for which a process works: itself, or what it came of."""
    parents, every = _parents(), workers()
    while pid not in every:
        pid = parents[pid]
    return pid


def servers() -> list[int]:
    """Return the ids of the workers, and of all that came of them."""
    parents, found = _parents(), workers()
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _parents() -> dict[int, int]:
    found: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
    return found


def _serves(pid: int) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"gunicorn" in arguments and b"python" in arguments[0]


def spools(folder: Path) -> dict[int, int]:
    """Return the bytes that each process has spooled, of those that spool into ``folder``."""
    found = {}
    for pid in servers():
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                if link.readlink().match(f"{folder}/*(deleted)"):
                    found[pid] = link.stat().st_size
            except OSError:
                continue
    return found


def wait_for(site: Site, size: int) -> int:
    """Return the process that has spooled at least so many bytes, when there is one."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        for pid, spooled in spools(site.settings.data).items():
            if spooled >= size:
                return pid
        time.sleep(0.01)
    raise AssertionError("nothing is spooled")


def test_a_browser_that_asks_first(site: Site) -> None:
    """Expect: 100-continue has no answer of its own, and the file is taken when it comes."""
    with served(site) as address, connect(address) as link:
        link.sendall(head(address, len(WHOLE), "Expect: 100-continue", "Connection: close"))
        link.sendall(WHOLE)
        assert answer(link).startswith(b"HTTP/1.1 200 OK\r\n")
    assert files(site) == [("သက်သေ.jpg", DATA)]


def test_a_body_in_chunks_or_without_a_length_is_refused(site: Site) -> None:
    with served(site) as address:
        for line in ("Transfer-Encoding: chunked", "X-None: 0"):
            with connect(address) as link:
                link.sendall(head(address, -1, line, "Connection: close"))
                link.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(WHOLE), WHOLE))
                assert answer(link).startswith(b"HTTP/1.1 400 ")
        spine.submit(address)
    assert files(site) == []
    assert len(sealed_rows(site)) == 1


STAGES = {
    "in the head": -1,
    "before the body": 0,
    "in the receipt": WHOLE.index(b'"receipt"') + 20,
    "in the file's head": WHOLE.index(b"octet-stream"),
    "before the file": WHOLE.index(DATA[:100]),
    "in the first slice": WHOLE.index(DATA[:100]) + 10_000,
    "in the middle": len(WHOLE) // 2,
    "before the last line": len(WHOLE) - len(BOUNDARY) - 8,
    "in the last line": len(WHOLE) - 5,
}


@pytest.mark.parametrize("way", [socket.SHUT_WR, socket.SHUT_RDWR], ids=["half", "both"])
def test_a_line_that_is_cut_at_any_stage_leaves_nothing(site: Site, way: int) -> None:
    with served(site) as address:
        spine.submit(address)
        words = sealed_rows(site)
        for place in STAGES.values():
            begun = head(address, len(WHOLE)) + WHOLE[: max(place, 0)]
            with connect(address) as link:
                link.sendall(begun if place >= 0 else begun[:-9])
                link.shutdown(way)
                assert b" 200 OK" not in answer(link)
        end = time.monotonic() + WAIT
        while spools(site.settings.data):  # the server has not noticed yet
            assert time.monotonic() < end
            time.sleep(0.01)
        assert sealed_rows(site) == words
        status, page = send(address)
        assert status == 200, page
    assert files(site) == [("သက်သေ.jpg", DATA)]


@pytest.mark.parametrize("who", [int, worker_of], ids=["itself", "its worker"])
def test_a_process_that_is_killed_in_the_middle(site: Site, who: Callable[[int], int]) -> None:
    """SIGKILL while it spools: nothing of the file, the words are safe, the next one arrives."""
    with served(site) as address:
        spine.submit(address)
        words = sealed_rows(site)
        with connect(address) as link:
            link.sendall(head(address, len(WHOLE)) + WHOLE[:-1000])
            os.kill(who(wait_for(site, 20 * SEALED)), signal.SIGKILL)
            assert answer(link) == b""
        assert sealed_rows(site) == words
        assert {path.name for path in site.settings.data.iterdir()} <= {
            *("bundle.key", "installed", "intake.db", "intake.db-journal", "lock", "floor"),
            *(f"place-{number}" for number in range(os.cpu_count() or 1)),
        }
        assert send(address)[0] == 200
    assert files(site) == [("သက်သေ.jpg", DATA)]
    assert set(words) < set(sealed_rows(site))


def test_a_worker_that_is_killed_at_any_moment_leaves_a_file_whole_or_absent(site: Site) -> None:
    """Also in the transaction: the moments are spread over what one upload takes."""
    large = body(first(), file("x", DATA * 8))
    outcomes: list[int] = []
    with served(site) as address, ThreadPoolExecutor(1) as pool:
        spine.submit(address)
        words = sealed_rows(site)
        for step in (None, None, *range(60)):  # the first two are whole: the second says how long
            if len(outcomes) >= MOMENTS and set(outcomes) == {0, 1}:
                break  # else it takes longer than it did: later moments are tried
            start = time.monotonic()
            sent = pool.submit(_status, address, large)
            if step is None:
                assert sent.result() == 200
                taken = time.monotonic() - start
            else:
                time.sleep(taken * step / 16)
                for pid in servers():
                    with suppress(ProcessLookupError):  # it went with another
                        os.kill(pid, signal.SIGKILL)
                stored = files(site)
                assert stored in ([], [("x", DATA * 8)])
                assert stored or sent.result() != 200
                outcomes.append(len(stored))
            added = {row for row, _ in sealed_rows(site)} - {row for row, _ in words}
            assert site.store.remove(added) == len(added)
            assert sealed_rows(site) == words
            _wait_for_workers()
            while not _status(address, body(first())):  # no file: a worker is ready, nothing more
                time.sleep(0.05)
    assert set(outcomes) == {0, 1}, outcomes


def _status(address: str, data: bytes) -> int:
    try:
        return send(address, data)[0]
    except (OSError, HTTPException):
        return 0


def _wait_for_workers() -> None:
    end = time.monotonic() + WAIT
    while len(workers()) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_other_sources_are_answered_while_a_large_file_comes_in(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words go through while it spools and while it is stored, in the very same worker."""
    large = body(first(), file("large", DATA * 50))
    with served(site, INTAKE_FILE_MB="60") as address, ThreadPoolExecutor(1) as pool:
        _wait_for_workers()
        sent = pool.submit(send, address, large)
        busy = worker_of(wait_for(site, SEALED))
        (other,) = set(workers()) - {busy}
        os.kill(other, signal.SIGSTOP)  # so that only the busy one can answer
        waits = []
        while not sent.done():
            start = time.monotonic()
            spine.submit(address)
            waits.append(time.monotonic() - start)
        os.kill(other, signal.SIGCONT)
        assert sent.result()[0] == 200
    with capsys.disabled():
        told = f"{len(waits)} letters while 51 MB came in; the slowest took {max(waits):.2f} s"
        print(f"\n  one worker: {told}")  # noqa: T201
    assert len(waits) >= 5
    assert files(site) == [("large", DATA * 50)]


def test_a_large_file_takes_no_more_memory_than_a_small_one(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """50 MB through workers that are warm: no peak grows by 8 MB, nor that of what takes it."""
    with served(site, INTAKE_FILE_MB="60") as address, ThreadPoolExecutor(1) as pool:
        for _ in range(20):
            send(address)
            spine.submit(address)
        for pid in workers():
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from here
        before = {pid: _kilobytes(pid, "VmRSS") for pid in workers()}
        sent = pool.submit(send, address, body(first(), file("large", DATA * 50)))
        busy = wait_for(site, SEALED)
        peaks = [_kilobytes(busy, "VmHWM")]
        while not sent.done():
            with suppress(OSError, AssertionError):  # it may have ended
                peaks.append(_kilobytes(busy, "VmHWM"))
            time.sleep(0.01)
        assert sent.result()[0] == 200
        grown = {pid: _kilobytes(pid, "VmHWM") - before[pid] for pid in workers()}
        grown[busy] = max(grown.get(busy, 0), peaks[-1] - peaks[0])
    with capsys.disabled():
        print(f"\n  51 MB: peaks grew by {sorted(grown.values())} KiB")  # noqa: T201
    assert len(before) == 2
    assert max(grown.values()) < 8 * 1024
    assert ("large", DATA * 50) in files(site)


def _kilobytes(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])
