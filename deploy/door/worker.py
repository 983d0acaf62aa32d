"""How a connection is served: gunicorn's gevent worker, with limits, in silence.

Rules:
- A worker reads heads, and nothing that follows one. A request with a body, and with it all words,
  is answered by a process of its own, which then ends (``disposable``). Without that, where the
  system cannot do it or `INTAKE_DISPOSABLE` is 0, workers answer all, and keep copies.
- Nothing of a request is logged or echoed. A request that cannot be parsed, or comes in chunks,
  gets one constant answer; one that stops half-way gets another. Nobody is asked for a body
  (Expect) by an answer of its own.
- gevent is used for the clients' sockets only, and nothing is monkey-patched. A request that a
  worker answers gives way to others only while it reads its body or sends its answer. Locks and
  SQLite behave as in any program with one thread, and hold up this worker: never hold a lock or a
  transaction while reading a body or yielding an answer.
- Each worker makes its part of the decoys (``intake/server/decoys.py``), in a light thread.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, MutableMapping
from types import FrameType
from typing import Any

import gevent  # type: ignore[import-untyped]
from gevent import socket
from gevent.event import Event  # type: ignore[import-untyped]
from gunicorn.http import get_parser
from gunicorn.http.wsgi import Response, create
from gunicorn.util import close_graceful, unquote_to_wsgi_str
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from deploy.door.answers import Answer, refusal
from deploy.door.circuits import Circuits, Line
from deploy.door.disposable import WHOLE, Request, Source, Stem
from deploy.door.pouring import pour
from deploy.door.processes import silence
from deploy.door.turns import Crowd, Crowded, Turns

SILENCE = 60  # seconds a client may neither send nor take a byte of what follows a head
REQUEST = 1800  # seconds for one request, upload and answer included
DRAIN = 64 * 1024 * 1024  # bytes of an unread body we take, so that the client sees our answer
DRAIN_STEP = 64 * 1024
MOMENT = 2  # seconds
LEAVING = 100  # connections of a worker that may be on their way out
ROOM = 64 * 1024 * 1024  # bytes of bodies that wait for a process, in each worker
# Where the system cannot move bytes without their being read, workers read them.
DISPOSABLE = os.environ.get("INTAKE_DISPOSABLE", "1") != "0" and hasattr(os, "splice")


def told(app: Any, name: str) -> Any:  # noqa: ANN401
    """Return what the app tells this layer; None if it tells nothing of that name."""
    with contextlib.suppress(AttributeError):  # another app, in a bench
        return app.extensions.get(name)


class Late(Exception):  # noqa: N818 - never leaves this module
    """A head took too long to arrive."""


class Worker(GeventWorker):
    """One light thread per connection, so that stalled clients cost memory and nothing else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Take gunicorn's arguments as they are."""
        super().__init__(*args, **kwargs)
        self.waiting: set[Any] = set()  # clients' sockets with no complete request on them
        self.circuits = Circuits()
        self.crowd = Crowd(self.cfg.worker_connections - LEAVING, ROOM)
        self.stopping = Event()
        self.stem: Stem | None = None

    def init_process(self) -> None:
        """Fork the stem first, while there is one thread; then begin."""
        if DISPOSABLE:
            self.stem = Stem(self.seclude, self.alone, self.crowd)
        super().init_process()

    def seclude(self) -> None:
        """Be a stem: load the app and have it warm, keep no socket, be silent."""
        self.load_wsgi()
        if warm := told(self.wsgi, "warm"):
            with contextlib.suppress(Exception):  # then children are slower, and no less right
                warm()
        for each in self.sockets:
            each.sock.close()
        silence([each.FAMILY for each in self.sockets])

    def run(self) -> None:
        """Serve in silence, with our part of the decoys; end with the stem, if it ends.

        Then another worker takes our place.
        """
        silence([each.family for each in self.sockets])  # from here on it sees requests
        if decoys := told(self.wsgi, "decoys"):
            gevent.spawn(decoys, self.cfg.workers, gevent.sleep)
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

    @contextlib.contextmanager
    def timeout_ctx(self) -> Iterator[None]:  # type: ignore[override]  # it has no types
        """Give a head `keepalive` seconds; then raise :class:`Late`. Raises :class:`Crowded`."""
        with gevent.Timeout(self.cfg.keepalive, Late), self.crowd.waits():
            yield

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
            with self.crowd.joined(line.circuit), self.circuits.connected(line.circuit) as within:
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
        with contextlib.suppress(Exception), self.crowd.waits(answered=True):
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
            kept = self.here(*create(req, sock, addr, name, self.cfg, Answer), stores=length > 0)
        if not kept:
            raise StopIteration
        sock.settimeout(None)
        sock.begun = False
        if sock.head:
            sock.head.clear()
        self.waiting.add(sock)
        return True

    def here(self, reply: Response, environ: MutableMapping[str, Any], *, stores: bool) -> bool:
        """Answer in this process; return whether the connection goes on."""
        req, sock = reply.req, reply.sock
        with gevent.Timeout(REQUEST, exception=False):
            # Dangerous line: who may have stored something must be told so.
            with contextlib.nullcontext() if stores else self.crowd.waits():
                kept = self.answer(reply, environ)
            with contextlib.suppress(Exception), self.crowd.waits(answered=True):
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
        in_time = gevent.Timeout(REQUEST, exception=False)
        with contextlib.suppress(Exception), in_time, self.crowd.waits(answered=True):
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
        reply, environ = create(req, line, line.getpeername(), line.getsockname(), self.cfg, Answer)
        try:
            return self.answer(reply, environ, threads=False)
        except Exception:  # noqa: BLE001 - it holds words: nobody may see it
            if not reply.headers_sent:
                line.sendall(refusal(self.wsgi, 500))
            return False

    def pace(self, line: Line) -> None:
        """Hold a request back if its circuit asks too often, but not while this worker stops."""
        with self.crowd.waits():
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
        """Give a constant answer, whatever was wrong, and say nothing to anyone else.

        Who had to leave before it asked gets none: nothing would be gained, but for who pushes.
        """
        if isinstance(exc, Crowded):
            return
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
