"""How Intake is served: one gunicorn configuration for demo, tests and deployment.

Start, from the checkout's root:

    python -m gunicorn --config deploy/gunicorn_conf.py

Rules:
- `INTAKE_BIND` says where to listen: `127.0.0.1:8000` (default), `127.0.0.1:0` (a free port, named
  on standard error), or `unix:/run/intake/web.sock` (made with mode 0660). A socket that systemd
  hands over goes before it.
- On a unix socket only tor speaks. Its first line names the circuit; without that line nobody is
  served. A circuit has so many connections, and asks so often; then it waits, and nobody else does.
  Its number is kept in memory while it lives, and reaches neither the app nor a log.
- Nothing of a request is logged or echoed: a worker that has loaded the app prints to nowhere, the
  app's own messages included. No answer carries Date or Server, or the client's version of HTTP. A
  request that cannot be parsed, or comes in chunks, gets one constant answer; one that stops
  half-way gets another. Nobody is asked for a body (Expect) by an answer of its own.
- Every answer has one length, whoever gives it: a head of `HEAD` bytes, and a body that the app has
  filled. Both leave in one piece. To HEAD there is no body (RFC 9110, 9.3.2).
- Each worker makes its part of the decoys (``intake/server/decoys.py``), in a light thread.
- Nothing else is written to a disk. The heartbeat is a nameless file in shared memory; there is no
  control socket, no pid file, no access log.
- What a client says about forwarding is ignored. The scheme is always http.
- A worker reads heads, and nothing that follows one. A request with a body, and with it all words,
  is answered by a process of its own, which then ends (``deploy/disposable.py``). Without that,
  where the system cannot do it or `INTAKE_DISPOSABLE` is 0, workers answer all, and keep copies.
- gevent is used for the clients' sockets only, and nothing is monkey-patched. A request that a
  worker answers gives way to others only while it reads its body or sends its answer. Locks and
  SQLite behave as in any program with one thread, and hold up this worker: never hold a lock or a
  transaction while reading a body or yielding an answer.

Why gunicorn and gevent: docs/adr/0001-wsgi-server.md. Why a process each: 0024-words-in-memory.md.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import time
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import gevent  # type: ignore[import-untyped]
from gevent import socket
from gevent.event import Event  # type: ignore[import-untyped]
from gunicorn.glogging import Logger
from gunicorn.http import get_parser
from gunicorn.http.wsgi import Response, create
from gunicorn.util import close_graceful, unquote_to_wsgi_str
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from deploy.disposable import WHOLE, Crowded, Request, Source, Stem, Turns
from deploy.pouring import pour, upto

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping
    from types import FrameType

HEAD = 1024  # bytes of every answer's head, status line and last empty line included
SILENCE = 60  # seconds a client may neither send nor take a byte of what follows a head
REQUEST = 1800  # seconds for one request, upload and answer included
DRAIN = 64 * 1024 * 1024  # bytes of an unread body we take, so that the client sees our answer
DRAIN_STEP = 64 * 1024
OPEN = 16  # connections of one circuit, in each worker; a browser opens six
BURST = 20  # requests that one circuit may send in each worker without waiting
PACE = 2.0  # seconds between those that come after
# What tor's HiddenServiceExportCircuitID sends first (the PROXY protocol, version 1, section 2.1).
CIRCUIT = re.compile(
    rb"PROXY TCP6 (fc00:dead:beef:4dad::[0-9a-f]{1,4}:[0-9a-f]{1,4}) ::1 \d{1,5} \d{1,5}\r\n"
)
LONGEST = 107  # bytes of such a line
END = b"\r\n\r\n"  # of a head
PIECE = 2052  # bytes of a head that are parsed at once: no more than a line that is too long
MOMENT = 2  # seconds
PR_SET_DUMPABLE = 4  # prctl(2)
# Where the system cannot move bytes without their being read, workers read them.
DISPOSABLE = os.environ.get("INTAKE_DISPOSABLE", "1") != "0" and hasattr(os, "splice")

if "GUNICORN_CMD_ARGS" in os.environ:
    sys.exit(
        "GUNICORN_CMD_ARGS could switch on logs or trust in headers. Unset it and start again."
    )


def head(lines: Iterable[str]) -> bytes:
    """Return a head of these lines, each with its line end, filled to a multiple of `HEAD`."""
    text = "".join([*lines, "X-Padding: "])
    return (text + "x" * (-(len(text) + 4) % HEAD) + "\r\n\r\n").encode("latin-1")


def told(app: Any, name: str) -> Any:  # noqa: ANN401
    """Return what the app tells this layer; None if it tells nothing of that name."""
    with contextlib.suppress(AttributeError):  # another app, in a bench
        return app.extensions.get(name)


@cache
def refusal(app: Any, status: int) -> bytes:  # noqa: ANN401 - any WSGI app, here a Flask one
    """Return a whole answer for a layer below ``app``, which knows no path and no language."""
    page = app.extensions["refusal"](status)
    lines = [f"HTTP/1.1 {page.status}\r\n", "Connection: close\r\n"]
    body: bytes = page.get_data()
    return head([*lines, *(f"{name}: {value}\r\n" for name, value in page.headers)]) + body


class Late(Exception):  # noqa: N818 - never leaves this module
    """A head took too long to arrive."""


class Line(socket.socket):  # type: ignore[misc]
    """A client's socket; ``begun`` says whether a byte of the next request has come."""

    begun = False
    circuit = b""  # tor's number for the circuit; empty where the client is not behind tor
    head: bytearray | None = None  # so far, where this process reads heads and nothing else

    def recv(self, *size: int) -> bytes:
        """Receive as a socket does, or one head, in pieces, and nothing of what follows it."""
        if self.head is None:
            return self._receive(*size)
        return b"" if self.head.endswith(END) else upto(self._receive, self.head, END, PIECE)

    def _receive(self, *size: int) -> bytes:
        data: bytes = super().recv(*size)
        self.begun = True
        return data

    def greet(self) -> bool:
        """Take tor's line and keep its circuit; return False if there is none."""
        found = CIRCUIT.fullmatch(upto(super().recv, bytearray(), b"\r\n", LONGEST))
        if found:
            self.circuit = found[1]
        return found is not None


class Circuits:
    """How many connections each circuit has, and how often it asks: in memory, by tor's number.

    The rate is counted as in the generic cell rate algorithm (ITU-T I.371): one moment for each
    circuit, up to which its requests are paid for. Soon after that moment it is forgotten.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.connections: Counter[bytes] = Counter()
        self.paid: dict[bytes, float] = {}

    @contextlib.contextmanager
    def connected(self, circuit: bytes) -> Iterator[bool]:
        """Count one more connection; say whether it is within the limit."""
        self.connections[circuit] += 1
        try:
            yield not circuit or self.connections[circuit] <= OPEN
        finally:
            self.connections[circuit] -= 1
            if not self.connections[circuit]:
                del self.connections[circuit]

    def wait(self, circuit: bytes) -> float:
        """Count one more request; return the seconds that it has to wait."""
        if not circuit:
            return 0.0
        if not self.paid:
            gevent.spawn(self.forget)
        now = time.monotonic()
        self.paid[circuit] = max(self.paid.get(circuit, now), now) + PACE
        return max(0.0, self.paid[circuit] - now - BURST * PACE)

    def forget(self) -> None:
        """Drop what is past, again and again, until nothing is left."""
        while self.paid:
            gevent.sleep(PACE)
            now = time.monotonic()
            self.paid = {each: until for each, until in self.paid.items() if until > now}


class Reply(Response):
    """A response of the one length, without the two headers that say what and when we are."""

    def send_headers(self) -> None:
        """Send the head; where a body follows, keep it, so that both leave in one piece."""
        if self.headers_sent:
            return
        _, *lines = self.default_headers()  # the first line would have the client's version
        lines = [x for x in lines if not x.startswith(("Server:", "Date:"))]
        first = f"HTTP/1.1 {self.status}\r\n"
        self.kept = head([first, *lines, *(f"{name}: {value}\r\n" for name, value in self.headers)])
        self.headers_sent = True
        if self.req.method == "HEAD" or not self.response_length:
            self._emit_body(b"")

    def _emit_body(self, data: bytes) -> None:
        kept, self.kept = self.kept, b""
        if self.chunked:  # not ours: the app's answers say their length
            self.sock.sendall(kept)
            super()._emit_body(data)  # type: ignore[misc]
        else:
            self.sock.sendall(kept + data)


class Letterbox(GeventWorker):
    """One light thread per connection, so that stalled clients cost memory and nothing else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Take gunicorn's arguments as they are."""
        super().__init__(*args, **kwargs)
        self.waiting: set[Any] = set()  # clients' sockets with no complete request on them
        self.circuits = Circuits()
        self.stopping = Event()
        self.stem: Stem | None = None

    def init_process(self) -> None:
        """Fork the stem first, while there is one thread; then begin."""
        if DISPOSABLE:
            self.stem = Stem(self.seclude, self.alone)
        super().init_process()

    def seclude(self) -> None:
        """Be a stem: load the app, keep no socket, be silent."""
        self.load_wsgi()
        for each in self.sockets:
            each.sock.close()
        silence([each.FAMILY for each in self.sockets])

    def run(self) -> None:
        """Serve, and end with the stem if it ends: then another worker takes our place."""
        if self.stem:
            gevent.spawn(self.stem.wait).link(lambda _: setattr(self, "alive", False))
        super().run()

    def patch(self) -> None:
        """Make the listening sockets cooperative, and leave the standard library as it is."""
        listeners: list[Any] = list(self.sockets)
        self.sockets = [
            socket.socket(each.FAMILY, socket.SOCK_STREAM, fileno=each.sock.detach())
            for each in listeners
        ]

    def timeout_ctx(self) -> Any:  # noqa: ANN401
        """Give a head `keepalive` seconds; then raise :class:`Late`."""
        return gevent.Timeout(self.cfg.keepalive, Late)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:  # noqa: ANN401
        """Serve one connection."""
        line = Line(fileno=client.detach())
        if self.stem:
            line.head = bytearray()
        self.waiting.add(line)
        try:
            if line.family == socket.AF_UNIX and not self.greeted(line):
                line.close()
                return
            with self.circuits.connected(line.circuit) as within:
                if within:
                    AsyncWorker.handle(self, listener, line, addr)
                else:
                    self.turn_away(line, 429)
        finally:
            self.waiting.discard(line)

    def greeted(self, line: Line) -> bool:
        """Return whether tor's line came, in the time that a head has."""
        with gevent.Timeout(self.cfg.keepalive, exception=False), contextlib.suppress(OSError):
            return line.greet()
        return False

    def turn_away(self, line: Any, status: int) -> None:  # noqa: ANN401
        """Send one constant answer, and hang up."""
        with contextlib.suppress(Exception):
            line.settimeout(SILENCE)
            line.sendall(refusal(self.wsgi, status))
            self.part(line)

    def part(self, line: Any) -> None:  # noqa: ANN401
        """Hang up; for a moment take what the client still sends, so that it sees our answer."""
        if not self.stem:
            close_graceful(line)
            return
        with contextlib.closing(line), contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_WR)
            with gevent.Timeout(MOMENT, exception=False):
                pour(line, DRAIN_STEP)

    def handle_request(self, name: Any, req: Any, sock: Any, addr: Any) -> bool:  # noqa: ANN401
        """Answer one request. Raises StopIteration when the connection is to be closed."""
        self.waiting.discard(sock)
        self.pace(sock)
        sock.settimeout(SILENCE)
        if any(name == "TRANSFER-ENCODING" for name, _ in req.headers):
            self.turn_away(sock, 400)  # no browser sends a form in chunks
            raise StopIteration
        # "100 Continue" would be an answer of another length. Who waits for it goes on without.
        req._expected_100_continue = False  # noqa: SLF001
        lengths = (int(value) for name, value in req.headers if name == "CONTENT-LENGTH")
        length = min(sum(lengths), 1 << 62)  # what is more is no less refused, and fits a number
        if not length and req.method not in {"GET", "HEAD"}:
            req.force_close()  # a body that nobody announced is no next request
        if self.stem and length:
            kept = self.apart(self.stem, req, sock, length)
        else:
            kept = self.here(*create(req, sock, addr, name, self.cfg, Reply))
        if not kept:
            raise StopIteration
        sock.settimeout(None)
        sock.begun = False
        if sock.head:
            sock.head.clear()
        self.waiting.add(sock)
        return True

    def here(self, reply: Response, environ: MutableMapping[str, Any]) -> bool:
        """Answer in this process; return whether the connection goes on."""
        req, sock = reply.req, reply.sock
        with gevent.Timeout(REQUEST, exception=False):
            kept = self.answer(reply, environ)
            with contextlib.suppress(Exception):
                if self.drain(req) and kept and self.alive:
                    return True
                self.part(sock)
        if not reply.headers_sent:
            self.turn_away(sock, 408)
        return False

    def apart(self, stem: Stem, req: Any, sock: Line, length: int) -> bool:  # noqa: ANN401
        """Have a process of its own answer; return whether the connection goes on."""
        req.body.reader.length = 0  # it is not for this process
        until = time.monotonic() + REQUEST
        try:
            asked = Request(sock, bytes(sock.head or b""), length, until, self.alive)
            kept, left = stem.answer(asked, self.turns(stem, req, length))
        except (TimeoutError, Crowded) as late:
            self.turn_away(sock, 429 if isinstance(late, Crowded) else 408)
            return False
        with contextlib.suppress(Exception), gevent.Timeout(REQUEST, exception=False):
            if pour(sock, min(left, DRAIN)) == left and kept and self.alive:
                return True
            self.part(sock)
        return False

    def turns(self, stem: Stem, req: Any, length: int) -> Turns:  # noqa: ANN401
        """Return which turns a request with a body takes."""
        if length > WHOLE:
            return stem.files
        # Dangerous line: the path as the app has it, or what is slow could be called otherwise.
        slow = unquote_to_wsgi_str(req.path) in (told(self.wsgi, "slow") or ())
        return stem.slow if slow else stem.words

    def alone(self, source: Source, alive: bool) -> bool:
        """Be a child: answer a request; return whether the connection can take another one."""
        self.alive, line = alive, source.line
        line.settimeout(SILENCE)
        req: Any = next(get_parser(self.cfg, source, line.getpeername()))
        req._expected_100_continue = False  # noqa: SLF001 - as in the worker
        reply, environ = create(req, line, line.getpeername(), line.getsockname(), self.cfg, Reply)
        try:
            return self.answer(reply, environ, threads=False)
        except Exception:  # noqa: BLE001 - it holds words: nobody may see it
            if not reply.headers_sent:
                line.sendall(refusal(self.wsgi, 500))
            return False

    def pace(self, line: Line) -> None:
        """Hold a request back if its circuit asks too often, but not while this worker stops."""
        self.stopping.wait(self.circuits.wait(line.circuit))

    def answer(
        self, reply: Response, environ: MutableMapping[str, Any], *, threads: bool = True
    ) -> bool:
        """Run the app once; return whether the connection can take another request."""
        environ["wsgi.multithread"] = threads
        # gunicorn ends a body that was cut off as if it were whole. Without this claim Werkzeug
        # counts for itself, and refuses half a testimony.
        del environ["wsgi.input_terminated"]
        # RFC 9110, 4.2.3; Flask would send whoever asks for no path elsewhere, and echo the rest.
        environ["PATH_INFO"] = environ["PATH_INFO"] or "/"
        if not self.alive:
            reply.force_close()
        app: Any = self.wsgi
        try:
            parts = app(environ, reply.start_response)
            try:
                for part in parts:
                    reply.write(part)
                reply.close()
            finally:
                if hasattr(parts, "close"):
                    parts.close()
        except Exception as problem:
            if reply.headers_sent:  # a second answer would corrupt the first
                raise StopIteration from problem
            raise
        return not reply.should_close()

    def drain(self, req: Any) -> bool:  # noqa: ANN401
        """Take what the client still sends, so that closing does not destroy the answer.

        Return whether that was all of the body: then what comes next is another request.
        """
        left = DRAIN
        while left > 0 and (data := req.body.read(DRAIN_STEP)):
            left -= len(data)
        return left > 0

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:  # noqa: ANN401, ARG002
        """Give a constant answer, whatever was wrong, and say nothing to anyone else."""
        status = 408 if isinstance(exc, Late) else 500 if req and exc else 400
        if client.begun:  # else a browser would show the answer to nothing
            self.pace(client)
            self.turn_away(client, status)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish the requests that are running, and hang up on clients that only wait."""
        super().handle_exit(sig, frame)
        gevent.spawn(self.hang_up)

    def hang_up(self) -> None:
        """End the wait for a request on every connection that has none; hold no other back."""
        self.stopping.set()
        for client in tuple(self.waiting):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)


class Quiet(Logger):
    """A logger without clock times or requests: start, stop and dead workers only."""

    error_fmt = "%(levelname)s %(message)s"

    def access(self, *_: Any) -> None:  # noqa: ANN401
        """Log no request, whatever other settings say."""


def post_worker_init(worker: GeventWorker) -> None:
    """Silence a worker for good once it has loaded the app: from here on it sees requests."""
    silence([each.family for each in worker.sockets])
    if decoys := told(worker.wsgi, "decoys"):
        gevent.spawn(decoys, worker.cfg.workers, gevent.sleep)


def silence(families: Iterable[int]) -> None:
    """Have this process, which serves on sockets of these families, print nowhere.

    Behind tor its memory is out of reach too, for a core dump and for others of the same user.
    """
    if socket.AF_UNIX in families:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        if prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


wsgi_app = "app:app"
bind = [os.environ.get("INTAKE_BIND") or "127.0.0.1:8000"]
umask = 0o117  # used for the unix socket and the heartbeat file: 0660
backlog = 512

worker_class = Letterbox
workers = 2
worker_connections = 1000  # for each worker
preload_app = True  # an app that refuses to start says so once, and ends the server
timeout = 120  # seconds after which a stuck worker is replaced
graceful_timeout = 10
keepalive = 75  # seconds for the first or next request's headers to arrive; 2 is too short over Tor

limit_request_line = 2048
limit_request_fields = 64
limit_request_field_size = 4096
http_parser = "python"  # the same parser everywhere, compiled one installed or not
http_protocols = "h1"
header_map = "drop"

forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
proxy_protocol = "off"  # ours is stricter: it must come, from tor, and stays with the connection

logger_class = Quiet
loglevel = "info"
accesslog = None
errorlog = "-"
control_socket_disable = True
# In memory, so a read-only TMPDIR does not matter. Elsewhere than Linux: the system's temp folder.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
