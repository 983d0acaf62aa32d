"""A process of its own for each request with a body: its cost, its end, and who waits for whom.

That no words stay in memory is looked at by ``make leaks`` (tests/leaks/test_memory.py). No test
asserts a time: that somebody waits is told by who is answered first.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import gevent.event  # type: ignore[import-untyped]
import pytest
from gevent.socket import socket as light  # type: ignore[import-untyped]

from deploy import gunicorn_conf
from deploy.door import disposable
from deploy.door.answers import HEAD
from deploy.door.circuits import MOST
from deploy.door.disposable import WHOLE
from deploy.door.pouring import STEP, pour, upto
from deploy.door.turns import EACH, Crowd, Crowded, Turns
from deploy.door.worker import ROOM, Worker
from intake.server.answers import SIZE
from intake.settings import ROOT
from tests import door
from tests.door import GET, LAST, Door, line, rest
from tests.leaks.memory import Process, family
from tests.site_maker import LEAST, Site, make_site, receipt_in
from tests.spine import WAIT
from tests.test_circuits import Numbers, waits
from tests.test_one_size import measured
from tests.upload_maker import KIND, body, file, files, first

END = b"\r\n\r\n"
URLENCODED = "application/x-www-form-urlencoded"
ALONE = ["first process", "worker", "stem", "child"]
PAGE = HEAD + SIZE
STALLED = 40


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def served(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The site behind a unix socket, with one worker."""
    with door.behind(site, tmp_path_factory.mktemp("door") / "s") as found:
        yield found


def head(length: int, kind: str = URLENCODED, path: str = "", close: str = "close") -> bytes:
    """Return the head of a POST from our own page."""
    lines = ["Host: localhost", "Origin: http://localhost", f"Content-Type: {kind}"]
    lines += [f"Content-Length: {length}", f"Connection: {close}"]
    return "\r\n".join([f"POST /en{path} HTTP/1.1", *lines, "", ""]).encode()


def letter(**more: str) -> bytes:
    """Return the body of a letter that nobody sent before."""
    return urlencode({**LEAST, "_seed": secrets.token_hex(32), **more}, doseq=True).encode()


def post(served: Door, data: bytes, kind: str = URLENCODED, path: str = "") -> Any:  # noqa: ANN401
    """Send a body from a circuit of its own; return the page."""
    started = line(Numbers.next())
    return measured(served.ask(started, head(len(data), kind, path), data, half=False))


def settled(served: Door, kinds: list[str]) -> list[Process]:
    """Return the processes of the site when they are these."""
    deadline = time.monotonic() + WAIT
    found = family(served.process.pid)
    while [what for _, what in found] != kinds:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
        found = family(served.process.pid)
    return found


# Heads


@pytest.mark.parametrize("seed", range(20))
def test_a_head_is_read_and_no_byte_beyond_it(seed: int) -> None:
    """However it arrives, and whatever it is made of."""
    chance = random.Random(seed)
    made = bytes(chance.choice(b"\r\n\r\nab") for _ in range(chance.randrange(60)))
    made = made.replace(b"\r", b"").replace(b"\n", b"\r\n")  # line ends as HTTP has them
    wanted = (made + END).partition(END)[0] + END
    theirs, ours = socket.socketpair()
    with theirs, ours:
        theirs.sendall(wanted + b"\r\n\r\nwords")
        ours.settimeout(2)
        seen, found = bytearray(), b""
        while not seen.endswith(END):
            found += upto(ours.recv, seen, END, chance.randrange(1, 20))
        assert found == seen == wanted
        assert ours.recv(100) == b"\r\n\r\nwords"


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (b"GET / HTTP/1.1\nHost", b"GET / HTTP/1.1\n"),  # no line end of HTTP, at most 3 bytes late
        (b"GET / HT", b"GET / HT"),
        (b"x" * 3000, b"x" * 2052),
        (b"", b""),
    ],
)
def test_a_head_that_is_none(sent: bytes, found: bytes) -> None:
    theirs, ours = socket.socketpair()
    with ours:
        theirs.sendall(sent)
        theirs.close()
        got = upto(ours.recv, bytearray(), END, 2052)
    assert got.startswith(found)
    assert len(got) < len(found) + len(END)


def test_a_head_that_goes_on_is_refused_before_it_ends(served: Door) -> None:
    """Each of its lines is fine, and so is their number."""
    some = b"X: " + b"a" * 1000 + b"\r\n"
    start = GET.removesuffix(b"\r\n") + b"Connection: close\r\n"
    fits, more = (MOST - len(start)) // len(some), 2 * MOST // len(some)
    assert more < 50
    for count, end, status in ((fits, b"\r\n", 200), (more, b"", 400)):
        asked = line(Numbers.next()), start + some * count + end
        assert measured(served.ask(*asked, half=False)).status == status


# Bodies


def test_a_body_is_moved_and_what_follows_stays() -> None:
    theirs, ours = socket.socketpair()
    data = os.urandom(3 * STEP)
    with theirs, ours, contextlib.closing(light(fileno=ours.detach())) as here:
        sink = os.memfd_create("")
        with contextlib.closing(light(fileno=os.dup(theirs.fileno()))) as there:
            sending = gevent.spawn(there.sendall, data + b"next")
            assert pour(here, len(data), sink) == len(data)
            sending.join()
        assert os.pread(sink, 2 * len(data), 0) == data
        assert here.recv(10) == b"next"
        here.settimeout(0.05)
        with pytest.raises(TimeoutError):
            pour(here, 1)
        theirs.sendall(b"more")
        theirs.shutdown(socket.SHUT_WR)
        assert pour(here, 10) == 4
        os.close(sink)


def test_what_a_file_does_not_take_goes_to_nobody_else() -> None:
    """A pipe that somebody else used next would still hold it."""
    theirs, ours = socket.socketpair()
    closed = os.open(os.devnull, os.O_RDONLY)  # nothing can be written to it
    with theirs, ours, contextlib.closing(light(fileno=ours.detach())) as here:
        theirs.sendall(b"words of one")
        with pytest.raises(OSError, match="Bad file descriptor"):
            pour(here, 12, closed)
        theirs.sendall(b"of another")
        sink = os.memfd_create("")
        assert pour(here, 10, sink) == 10
        assert os.pread(sink, 100, 0) == b"of another"
        os.close(sink)
    os.close(closed)


# Turns


def test_so_many_at_a_time_and_so_many_of_one_circuit() -> None:
    crowded: Any = bytearray(1)
    turns = Turns(EACH + 1, 60, crowded)
    leave, inside = gevent.event.Event(), []

    def work(circuit: bytes) -> None:
        with turns.turn(circuit):
            inside.append(circuit)
            leave.wait()

    working = [gevent.spawn(work, b"a") for _ in range(EACH + 2)]
    gevent.idle()
    assert inside == [b"a"] * EACH
    assert not crowded[
        0
    ]  # who waits for their own circuit is nobody whom others must make room for
    working += [gevent.spawn(work, name) for name in (b"b", b"c")]
    gevent.idle()
    assert inside == [*[b"a"] * EACH, b"b"]
    assert crowded[0]
    leave.set()
    gevent.joinall(working, WAIT, raise_error=True)
    assert len(inside) == EACH + 4
    assert not crowded[0]
    assert not turns._own


def test_bodies_that_wait_hold_so_much_and_the_greatest_leaves() -> None:
    """Be it the one that brings more, or another; who holds its share stays."""
    crowd, told, there = Crowd(9, 100), [], []

    def hold(name: str, *sizes: int) -> None:
        try:
            with crowd.waits() as came:
                for size in sizes:
                    came(size)
                    gevent.sleep(0)
                there.append(name)
                gevent.sleep(60)
        except Crowded:
            told.append(name)

    def after(name: str, *sizes: int) -> tuple[list[str], list[str]]:
        stack.callback(gevent.spawn(hold, name, *sizes).kill)
        gevent.sleep(0.01)
        return told, there

    with contextlib.ExitStack() as stack:
        assert after("a", 10, 10) == ([], ["a"])
        assert after("b", *[10] * 5) == ([], ["a", "b"])
        assert after("c", 20, 10) == ([], ["a", "b", "c"])  # 100 are there
        assert after("d", 1) == (["b"], ["a", "b", "c", "d"])
        assert after("e", 30, 19, 1) == (["b", "e"], ["a", "b", "c", "d"])


def test_who_leaves_as_it_goes_to_a_process_is_not_told() -> None:
    """It was chosen, but in the same moment its turn came: nobody says that nothing was stored."""
    crowd, told, turn = Crowd(9, 100), [], gevent.event.Event()

    def great() -> None:
        try:
            with crowd.waits() as came:
                came(90)
                turn.wait()
            gevent.sleep(0.01)
        except Crowded:
            told.append("great")
            raise
        told.append("served")

    def small() -> None:
        with crowd.waits() as came:
            turn.set()
            came(20)

    both = [gevent.spawn(great), gevent.spawn(small)]
    gevent.joinall(both, raise_error=True)
    assert told == ["served"]


def test_who_waits_makes_room_of_the_circuit_that_has_most() -> None:
    """First who has an answer, then who waits longest; who does not wait stays in any case."""
    crowd, gone = Crowd(4, 100), []

    def come(name: str, circuit: bytes, kind: str) -> None:
        try:
            with crowd.joined(circuit):
                if kind == "works":
                    gevent.sleep(60)
                with crowd.waits(answered=kind == "answered"):
                    gevent.sleep(60)
        except Crowded:
            gone.append(name)

    with contextlib.ExitStack() as stack:
        for name, circuit, kind, left in (
            ("a", b"x", "works", ""),
            ("b", b"x", "waits", ""),
            ("c", b"x", "answered", ""),
            ("d", b"y", "answered", ""),
            ("e", b"z", "waits", "c"),
            ("f", b"z", "works", "cb"),  # x and z have two; b waits longer than e
            ("g", b"z", "works", "cbe"),
            ("h", b"v", "works", "cbed"),
            ("i", b"v", "works", "cbed"),
        ):
            stack.callback(gevent.spawn(come, name, circuit, kind).kill)
            gevent.sleep(0.01)
            assert "".join(gone) == left


def test_the_share_of_a_connection_is_more_than_a_letter() -> None:
    """And than the beginning of a file, with heads as browsers send them."""
    assert ROOM // gunicorn_conf.worker_connections > STEP + 1024


def test_who_waits_too_long_is_told() -> None:
    turns = Turns(1, 0)
    with turns.turn(b"a"):
        with pytest.raises(Crowded), turns.turn(b"b"):
            pass
        with pytest.raises(Crowded), turns.turn(b""):
            pass
    with turns.turn(b"b"):
        pass


@pytest.mark.parametrize(
    ("path", "length", "kind"),
    [
        ("/en/back", 100, "slow"),
        ("/en/%62ack", 100, "slow"),
        ("/back", WHOLE, "slow"),
        ("/en/words", 100, "words"),
        ("/en", WHOLE, "words"),
        ("/en/file", WHOLE + 1, "files"),
        ("/en/back", WHOLE + 1, "files"),
    ],
)
def test_whose_turn_it_is(site: Site, path: str, length: int, kind: str) -> None:
    """A mailbox is opened slowly, however its path is written: it must not take others' turns."""
    worker: Any = SimpleNamespace(wsgi=site.client().application)
    stem: Any = SimpleNamespace(slow="slow", words="words", files="files")
    found: Any = Worker.turns(worker, stem, SimpleNamespace(path=path), length)
    assert found == kind


def test_every_page_of_words_fits_in_what_is_there_before_a_process_is(site: Site) -> None:
    shared = site.client().application.extensions["site"]
    assert shared.form.body_limit() + 65_536 < WHOLE  # the greatest filler that can be set


# The processes


def test_one_process_waits_and_each_request_has_its_own(served: Door) -> None:
    """It cannot be dumped, has no other thread, and knows no circuit."""
    (_, worker, stem, spare) = settled(served, ALONE)
    data = b"account=x"
    shown = served.ask(line(0xFACEB00C), head(9).replace(b"/en", b"/environ"), data, half=False)
    for seen in (b"dumpable: 0\n", b"'wsgi.multithread': False", b"'REMOTE_ADDR': ''"):
        assert seen in shown
    assert b"b00c" not in shown.lower()
    (_, same, still, fresh) = settled(served, ALONE)
    assert (same, still) == (worker, stem)
    assert fresh != spare
    for pid, _ in (stem, fresh):
        assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1
        assert {f"{Path(f'/proc/{pid}/fd/{n}').readlink()}" for n in (1, 2)} == {"/dev/null"}


WARM = """
import sys
from app import app
from tests.site_maker import LEAST
client, site = app.test_client(), app.extensions["site"]
def there():
    return len(sys.modules), len(site.letterbox.store._engine._compiled_cache)
cold = there()
app.extensions["warm"]()
warm = there()
seed = "ab" * 32
answer = client.post("/", data={**LEAST, "_seed": seed}, headers={"Origin": "http://localhost"})
print(answer.status_code, all(a < b for a, b in zip(cold, warm)), warm == there())
"""


def test_what_a_letter_needs_is_there_before_it_comes(site: Site) -> None:
    """Else each process would load modules and compile statements, at every letter."""
    before = site.store.counts()
    command = [sys.executable, "-W", "error", "-c", WARM]
    env = {**door.settings(site), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=env, check=False, capture_output=True, text=True, timeout=2 * WAIT
    )
    assert (done.stdout, done.stderr) == ("200 True True\n", "")
    assert site.store.counts().total() == before.total() + 1  # the letter, and nothing else


def test_a_closed_site_is_warmed_and_says_nothing(tmp_path: Path) -> None:
    site = make_site(tmp_path, install=False)
    script = "from app import app; app.extensions['warm']()"
    env = {**door.settings(site), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(b"The site is closed.")
    assert not site.store.counts()


def test_many_requests_on_one_connection(served: Door) -> None:
    """Each begins where the body before it ends, and they are answered in their order."""
    one, two = letter(account="သက်သေ"), letter()
    pieces = [head(len(one), close="keep-alive"), one, GET, head(len(two), close="keep-alive"), two]
    raw = served.ask(line(Numbers.next()), *pieces, LAST)
    pages = [measured(raw[at : at + PAGE]) for at in range(0, len(raw), PAGE)]
    assert [page.status for page in pages] == [200] * 4
    assert receipt_in(pages[0].text) != receipt_in(pages[2].text)


def test_who_stalls_in_a_body_costs_no_process(served: Door) -> None:
    """In short bodies and in long ones; and who comes after them is answered."""
    sent = head(1000) + b"account=", head(20 * WHOLE, KIND, "/file") + b"x" * (STEP // 2)
    with contextlib.ExitStack() as stack:
        for number in range(STALLED):
            began = line(Numbers.next()) + sent[number % 2]
            stack.enter_context(served.connect(began))
        assert post(served, letter()).status == 200
        settled(served, ALONE)


def test_who_does_not_read_costs_no_process(site: Site, tmp_path: Path) -> None:
    """As long as answers before it are not taken, a request waits: its own would not fit."""
    data, many = letter(), _fit()
    with (
        door.behind(site, tmp_path / "s", options=("--workers", "1")) as served,
        served.connect(line(Numbers.next()), GET * many) as link,
    ):
        while len(link.recv(many * PAGE, socket.MSG_PEEK)) < many * PAGE:
            time.sleep(0.01)
        link.sendall(head(len(data)) + data)
        for _ in range(3):
            assert post(served, letter()).status == 200
        settled(served, ALONE)
        pages = rest(link)
    ends = range(0, (many + 1) * PAGE, PAGE)
    assert [measured(pages[at : at + PAGE]).status for at in ends] == [200] * (many + 1)


def _fit() -> int:
    """Return how many answers a socket like the site's holds, whole, if nobody reads them."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        ours.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            while ours.send(bytes(PAGE)) == PAGE:
                count += 1
    return count


def test_a_circuit_with_long_bodies_leaves_room_for_others(served: Door, site: Site) -> None:
    """It has ``EACH`` processes at a time."""
    greedy = Numbers.next()
    data, some = body(first(), file("x", bytes(WHOLE))), STEP + 50_000  # 50,000 wait in the socket
    started = head(len(data), KIND, "/file") + data[:some]
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(served.connect(line(greedy), started)) for _ in range(4)]
        settled(served, [*ALONE, *["child"] * EACH])
        assert post(served, data, KIND, "/file").status == 200
        assert waits(links[0])
        with ThreadPoolExecutor(len(links)) as together:
            list(together.map(lambda link: link.sendall(data[some:]), links))
        assert {measured(rest(link)).status for link in links} == {200}
    settled(served, ALONE)
    assert len(files(site)) == 5


def test_who_is_silent_gives_way_when_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = socket.socketpair()
    monkeypatch.setattr(disposable, "SHORT", 1)
    looks: list[int] = []

    def silent(*_: object) -> tuple[list[int], list[int], list[int]]:
        looks.append(1)
        return [], [], []

    monkeypatch.setattr(select, "select", silent)
    ours.settimeout(5)
    crowded: Any = bytearray(1)
    for count, flag in ((5, 0), (1, 1)):
        looks.clear()
        crowded[0] = flag
        with Path(os.devnull).open("rb") as nothing:
            source = disposable.Source(nothing.fileno(), ours, 9, 1e12, crowded)
            with pytest.raises(TimeoutError):
                next(source)
        assert len(looks) == count
    ours.close()
    theirs.close()


@pytest.mark.parametrize("which", [1, 2, 3])
def test_whoever_is_killed_another_takes_its_place(site: Site, tmp_path: Path, which: int) -> None:
    """A worker, its stem, the process that waits: what came of it ends with it; none is missing."""
    with door.behind(site, tmp_path / "s") as served:
        before = settled(served, ALONE)
        os.kill(before[which].pid, signal.SIGKILL)
        deadline = time.monotonic() + WAIT
        while not all(_ended(each.pid) for each in before[which:]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        settled(served, ALONE)
        assert post(served, letter()).status == 200


def _ended(pid: int) -> bool:
    """Return whether a process is gone, or nothing but its number is left of it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in {"Z", "X"}


def test_a_process_that_is_killed_while_it_answers(served: Door) -> None:
    """Who sent it sees that there is no answer. Nobody else sees anything."""
    data = body(first(), file("x", bytes(2 * WHOLE)))
    with served.connect(line(Numbers.next()), head(len(data), KIND, "/file"), data[:-9]) as link:
        every = settled(served, [*ALONE, "child"])
        busy = {pid for pid, what in every if what == "child" and _holds_a_client(pid)}
        assert len(busy) == 1
        os.kill(busy.pop(), signal.SIGKILL)
        assert rest(link) == b""
    settled(served, ALONE)
    assert post(served, letter()).status == 200


def _holds_a_client(pid: int) -> bool:
    return any("memfd" in f"{path.readlink()}" for path in Path(f"/proc/{pid}/fd").iterdir())


@pytest.mark.parametrize("mode", ["0", "1"])
def test_both_modes_answer_alike(tmp_path: Path, mode: str) -> None:
    site = make_site(tmp_path)
    more = {"INTAKE_BIND": f"unix:{tmp_path / 's'}", "INTAKE_DISPOSABLE": mode}
    with door.behind(site, tmp_path / "s", more=more) as served:
        settled(served, ALONE if mode == "1" else ALONE[:2])
        digits = receipt_in(post(served, letter(account="သက်သေ")).text)
        upload = body(first(digits), file("သက်သေ.jpg", bytes(300_000)))
        back = urlencode({"receipt": digits, "_seed": "5" * 64, "words": "ထပ်ပြောမယ်"}).encode()
        asked = {"/file": (upload, KIND), "/words": (back, URLENCODED), "/back": (back, URLENCODED)}
        for path, (data, kind) in asked.items():
            assert post(served, data, kind, path).status == 200
        wrong = post(served, letter(account="သက်သေ", force="?"))
        assert (wrong.status, "သက်သေ" in wrong.text) == (400, True)
        assert post(served, b"x" * 300_000).status == 413
        assert measured(served.ask(line(Numbers.next()), head(100), b"account=x")).status == 400
    assert len(files(site)) == 1
