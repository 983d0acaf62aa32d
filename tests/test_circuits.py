"""Behind tor: its line is required, and a circuit has so many connections and asks so often.

No test asserts a time. That somebody waits is told by who is answered first; a clock that counts is
a made-up one.
"""

from __future__ import annotations

import contextlib
import re
import select
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gevent  # type: ignore[import-untyped]
import pytest

from deploy.door import circuits, worker
from deploy.door.answers import HEAD, refusal
from deploy.door.circuits import BURST, LONGEST, OPEN, PACE, Circuits, Line
from deploy.gunicorn_conf import graceful_timeout
from intake.errors import BadKeyring
from intake.server.answers import SIZE
from intake.settings import ROOT
from tests import door, shown_site
from tests.door import GET, LAST, Door, line, rest
from tests.site_maker import Site, make_site, receipt_in
from tests.spine import WAIT, serve
from tests.test_one_size import Source, measured

A, B, C = (bytes([letter]) for letter in b"abc")
GARBAGE = b"canary\r\n\r\n"
PAGE = HEAD + SIZE  # bytes of an answer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def served(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The site behind a unix socket, with one worker: limits are each worker's own."""
    path = tmp_path_factory.mktemp("door") / "s"
    with door.behind(site, path) as found:
        yield found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still, and moves when its one number is changed."""
    now = [1000.0]
    monkeypatch.setattr(circuits, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(gevent, "spawn", lambda *_: None)
    return now


class Numbers:
    """Circuits that no other test has."""

    last = 0x1FFF0

    @classmethod
    def next(cls) -> int:
        cls.last += 1
        return cls.last


# tor's line


def greeted(*pieces: bytes) -> tuple[bool, bytes, bytes]:
    """Return what becomes of these pieces: whether they are tor's, the circuit, what follows."""
    theirs, ours = socket.socketpair()
    with theirs:
        found = Line(fileno=ours.detach())
        for piece in pieces[:-1]:
            theirs.sendall(piece)
        theirs.sendall(pieces[-1])
        theirs.shutdown(socket.SHUT_WR)
        good = found.greet()
        rest = b""
        while good and (piece := found.recv(10)):
            rest += piece
        found.close()
    return good, found.circuit, rest


@pytest.mark.parametrize("number", [0, 1, 0x1C, 0xFFFF, 0x10000, 0xFFFFFFFF])
def test_the_line_that_tor_sends(number: int) -> None:
    circuit = f"fc00:dead:beef:4dad::{number >> 16:x}:{number & 0xFFFF:x}".encode()
    assert greeted(line(number)) == (True, circuit, b"")
    assert greeted(line(number), GET) == (True, circuit, GET)
    assert greeted(line(number) + GET) == (True, circuit, GET)
    assert greeted(*(bytes([byte]) for byte in line(number) + GET)) == (True, circuit, GET)
    long = GET + b"x" * 10_000
    assert greeted(line(number) + long) == (True, circuit, long)


NOT_TORS = {
    "nothing": b"",
    "half of it": line(1)[:-2],
    "a request": GET,
    "an empty line": b"\r\n" + line(1),
    "a space before": b" " + line(1),
    "small letters": line(1).lower(),
    "no return": line(1).replace(b"\r", b""),
    "IPv4": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 80\r\n",
    "unknown": b"PROXY UNKNOWN\r\n",
    "another network": line(1).replace(b"4dad", b"4dae"),
    "another end": line(1).replace(b"::1 ", b"::2 "),
    "a long number": line(1).replace(b"0:1", b"0:12345"),
    "no port": line(1).replace(b" 80", b""),
    "a long port": line(1).replace(b" 80", b" 123456"),
    "version 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
    "too long": b"PROXY " + b"x" * LONGEST + b"\r\n",
    "long, then it": b"x" * LONGEST + line(1),
}


@pytest.mark.parametrize("what", NOT_TORS)
def test_what_tor_does_not_send(served: Door, what: str) -> None:
    """Nobody is served, and nothing is said."""
    assert greeted(NOT_TORS[what])[:2] == (False, b"")
    assert served.ask(NOT_TORS[what], LAST) == b""


def test_no_more_is_read_than_a_line_has() -> None:
    """Who sends no line end is not listened to for ever."""
    theirs, ours = socket.socketpair()
    with theirs:
        found = Line(fileno=ours.detach())
        theirs.sendall(b"x" * LONGEST + b"y")
        with gevent.Timeout(WAIT):
            assert not found.greet()  # though the other side is still open
            assert found.recv(10) == b"y"
        found.close()


def test_line_and_request_come_together_or_apart(served: Door) -> None:
    for pieces in (
        [line(Numbers.next()) + LAST],
        [line(Numbers.next()), LAST],
        [bytes([byte]) for byte in line(Numbers.next()) + LAST],
    ):
        assert measured(served.ask(*pieces)).status == 200


def test_a_second_line_is_no_request(served: Door) -> None:
    """Whoever is behind tor can send one too: it is a request that cannot be parsed."""
    assert measured(served.ask(line(Numbers.next()), line(7), LAST)).status == 400
    with served.connect(line(Numbers.next()), GET) as link:
        assert len(link.recv(PAGE, socket.MSG_WAITALL)) == PAGE
        link.sendall(line(7) + LAST)
        assert measured(rest(link)).status == 400


def test_on_tcp_there_is_no_line(site: Site) -> None:
    """Where tor does not speak its line is garbage, and a request needs none."""
    with serve(ROOT, door.settings(site), options=["tests.shown_site:app()"]) as address:
        host, port = address.split(":")
        for first, status in ((b"", b"200"), (line(1), b"400")):
            with socket.create_connection((host, int(port)), WAIT) as link:
                link.sendall(first + LAST)
                assert rest(link).split()[1] == status
        with socket.create_connection((host, int(port)), WAIT) as link:
            link.sendall(LAST.replace(b"/en", b"/environ"))
            assert b"dumpable: 1\n" in rest(link)  # the control of the test below


def test_the_app_sees_no_circuit_and_no_dump_can_be_had(served: Door) -> None:
    circuit = 0xFACEB00C
    shown = served.ask(line(circuit), LAST.replace(b"/en", b"/environ"))
    assert b"dumpable: 0\n" in shown
    assert b"'REMOTE_ADDR': ''" in shown
    assert not re.search(rb"(?i)fc00|4dad|face|b00c|proxy_protocol_info': {'", shown)


# How many connections


def test_each_circuit_is_counted_by_itself() -> None:
    circuits = Circuits()
    with contextlib.ExitStack() as stack:
        here = [stack.enter_context(circuits.connected(A)) for _ in range(OPEN + 2)]
        assert here == [True] * OPEN + [False] * 2
        assert stack.enter_context(circuits.connected(B))
        assert all(stack.enter_context(circuits.connected(b"")) for _ in range(2 * OPEN))
    assert not circuits.connections
    with circuits.connected(A) as within:
        assert within
    with contextlib.suppress(ZeroDivisionError), circuits.connected(A):
        raise ZeroDivisionError
    assert not circuits.connections


def test_one_connection_more_than_a_circuit_may_have(served: Door) -> None:
    """It is turned away with a page like any other; another circuit is served; places come back."""
    many, other = Numbers.next(), Numbers.next()
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(served.connect(line(many))) for _ in range(OPEN)]
        assert measured(served.ask(line(many), LAST)).status == 429
        assert measured(served.ask(line(many), b"")).status == 429  # before it said anything
        assert measured(served.ask(line(other), LAST)).status == 200
        held[0].sendall(LAST)
        assert measured(rest(held[0])).status == 200  # and those that it has go on
    assert measured(served.ask(line(many), LAST)).status == 200


# How often


def test_a_burst_and_then_a_pace(clock: list[float]) -> None:
    circuits = Circuits()
    assert [circuits.wait(A) for _ in range(BURST)] == [0.0] * BURST
    assert [circuits.wait(A) for _ in range(3)] == [PACE, 2 * PACE, 3 * PACE]
    assert [circuits.wait(B) for _ in range(BURST + 1)] == [0.0] * BURST + [PACE]
    clock[0] += 3 * PACE
    assert circuits.wait(A) == PACE  # those that waited have been paid for
    clock[0] += 2 * PACE
    assert circuits.wait(A) == 0.0
    clock[0] += 2 * BURST * PACE
    assert [circuits.wait(A) for _ in range(BURST + 1)] == [0.0] * BURST + [PACE]


def test_where_there_is_no_circuit_nobody_waits(clock: list[float]) -> None:
    circuits = Circuits()
    assert {circuits.wait(b"") for _ in range(3 * BURST)} == {0.0}
    assert not circuits.paid
    assert clock == [1000.0]


def test_what_is_past_is_forgotten(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """A number, and the moment beside it, would say that somebody came, and when."""
    circuits = Circuits()
    spawned: list[object] = []
    seen: list[list[bytes]] = []

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        seen.append(sorted(circuits.paid))
        assert len(seen) < 10

    monkeypatch.setattr(gevent, "spawn", spawned.append)
    monkeypatch.setattr(gevent, "sleep", sleep)
    for circuit in (A, A, A, B):
        circuits.wait(circuit)
    assert spawned == [circuits.forget]  # one is enough
    circuits.forget()
    assert seen == [[A, B], [A], [A]]
    assert not circuits.paid
    circuits.wait(C)
    assert spawned == [circuits.forget] * 2


def test_the_forgetting_really_goes_on() -> None:
    """Without a made-up clock, and with a shorter pace."""
    counted = Circuits()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuits, "PACE", 0.001)
        counted.wait(A)
        assert counted.paid
        with gevent.Timeout(WAIT):
            while counted.paid:
                gevent.sleep(0.001)


def spend(served: Door, circuit: int) -> None:
    """Ask as often as a circuit may without waiting."""
    with served.connect(line(circuit)) as link:
        for _ in range(shown_site.BURST):
            link.sendall(GET)
            assert len(link.recv(PAGE, socket.MSG_WAITALL)) == PAGE


def waits(link: socket.socket) -> bool:
    """Say that nothing has come on it."""
    return not select.select([link], [], [], 0)[0]


@pytest.mark.parametrize(
    "request_", [LAST, GARBAGE, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
def test_who_asks_too_often_waits_and_nobody_else_does(served: Door, request_: bytes) -> None:
    """Garbage is paced too. It is answered in the end."""
    greedy, other = Numbers.next(), Numbers.next()
    spend(served, greedy)
    with served.connect(line(greedy), request_) as link:
        assert measured(served.ask(line(other), LAST)).status == 200
        assert waits(link)
        assert measured(rest(link)).status == (200 if request_ is LAST else 400)


def test_a_stop_holds_nobody_back(site: Site, tmp_path: Path) -> None:
    """Who waits for a turn is answered, though it would come after the server's patience.

    Without that a stop would end the last of them, and lose what it sent.
    """
    greedy, seed = Numbers.next(), "5" * 64
    body = f"_seed={seed}&consent_store=yes&intent=certify&urgency=skip&force=army".encode()
    post = Source(site, "localhost", "en").head(
        "POST", "", "application/x-www-form-urlencoded", len(body)
    )
    more = int(graceful_timeout // shown_site.PACE)
    with door.behind(site, tmp_path / "s") as served, contextlib.ExitStack() as stack:
        spend(served, greedy)
        links = [stack.enter_context(served.connect(line(greedy), GET)) for _ in range(more)]
        links += [stack.enter_context(served.connect(line(greedy), post, body))]
        assert measured(served.ask(line(Numbers.next()), LAST)).status == 200  # all were read
        assert waits(links[-1])
        served.process.send_signal(signal.SIGTERM)
        *pages, letter = [measured(rest(link)) for link in links]
        assert {page.status for page in pages} == {200}
        assert receipt_in(letter.text)
        assert served.process.wait(WAIT) == 0


# Refusals


@pytest.mark.parametrize("status", [400, 408, 429, 500])
def test_a_refusal_that_is_kept_would_be_the_same_if_it_were_made_anew(
    tmp_path: Path, status: int
) -> None:
    """Each status that this layer answers with: nothing in it is drawn, or of a keyring."""
    site = make_site(tmp_path)
    app = site.client().application
    kept = refusal(app, status)
    measured(kept)
    shared = app.extensions["site"]
    shared.letterbox.today()
    assert not shared.letterbox.demo
    site.settings.keyring.unlink()
    pages = [app.extensions["refusal"](status).get_data() for _ in range(20)]
    with pytest.raises(BadKeyring):
        shared.letterbox.today()
    pages += [app.extensions["refusal"](status).get_data() for _ in range(20)]
    assert {kept[HEAD:]} == set(pages)
    assert refusal(app, status) is kept


def test_these_are_all_that_this_layer_answers_with() -> None:
    files = Path(worker.__file__).parent.glob("*.py")
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    assert set(re.findall(r"\b[45]\d\d\b", source)) == {"400", "408", "429", "500"}


# systemd's socket


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None,
    reason="systemd-socket-activate is missing (apt-get install systemd)",
)
def test_a_socket_that_systemd_hands_over(site: Site, tmp_path: Path) -> None:
    """It goes before any other, needs tor's line as well, and is still there after a stop."""
    path = tmp_path / "s"
    activate = ["systemd-socket-activate", f"--listen={path}"]
    activate += [f"--setenv={name}" for name in door.settings(site)]
    with door.behind(site, path, *activate, more=door.settings(site)) as served:
        assert measured(served.ask(line(1), LAST)).status == 200
        assert served.ask(LAST) == b""
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(WAIT) == 0
        assert path.exists()


def test_who_comes_while_the_site_restarts_waits(site: Site, tmp_path: Path) -> None:
    """As behind systemd's socket: held by another process, it outlives the server."""
    path = tmp_path / "s"
    given = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0'
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(path))
        held.listen(512)
        start = ("sh", "-c", given, "sh")
        with door.behind(site, path, *start, more=door.settings(site), stdin=held) as served:
            assert measured(served.ask(line(1), LAST)).status == 200
        with served.connect(line(2), LAST) as link:  # nobody serves now
            assert waits(link)
            with door.behind(site, path, *start, more=door.settings(site), stdin=held):
                assert measured(rest(link)).status == 200
