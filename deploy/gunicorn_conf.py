"""How Intake is served: one gunicorn configuration for demo, tests and deployment.

Start, from the checkout's root:

    python -m gunicorn --config deploy/gunicorn_conf.py

Rules:
- `INTAKE_BIND` says where to listen: `127.0.0.1:8000` (default), `127.0.0.1:0` (a free port, named
  on standard error), or `unix:/run/intake/web.sock` (made with mode 0660).
- Nothing of a request is logged or echoed: a worker that has loaded the app prints to nowhere, the
  app's own messages included. No answer carries Date or Server. A request that cannot be parsed,
  or comes in chunks, gets one constant answer.
- Nothing is written to a disk. The heartbeat is a nameless file in shared memory; there is no
  control socket, no pid file, no access log.
- What a client says about forwarding is ignored. The scheme is always http.
- gevent is used for the clients' sockets only, and nothing is monkey-patched. A request gives way
  to others only while it reads its body or sends its answer. Locks, SQLite and `os.fork` behave as
  in any program with one thread, and hold up this worker: never hold a lock or a transaction while
  reading a body or yielding an answer.

Why gunicorn and gevent: docs/adr/0001-wsgi-server.md.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import gevent  # type: ignore[import-untyped]
from gevent import socket
from gunicorn.glogging import Logger
from gunicorn.http.wsgi import Response, create
from gunicorn.util import close_graceful
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from types import FrameType

SILENCE = 60  # seconds a client may neither send nor take a byte
REQUEST = 1800  # seconds for one request, upload and answer included
DRAIN = 64 * 1024 * 1024  # bytes of an unread body we take, so that the client sees our answer
DRAIN_STEP = 64 * 1024

REFUSAL_PAGE = """<!doctype html>
<html lang="my"><meta charset="utf-8"><title>400</title>
<p>ပို့လိုက်သည်ကို နားမလည်နိုင်ပါ။ ဘာမျှ မသိမ်းရသေးပါ။ ပုံစံသို့ သွားပြီး ထပ်ကြိုးစားပါ။
<p lang="en">The request could not be understood. Nothing was stored. Go to the form and try again.
</html>
""".encode()
REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"Connection: close\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Cache-Control: no-store\r\n"
    b"Content-Security-Policy: default-src 'none'\r\n"
    b"\r\n%s"
) % (len(REFUSAL_PAGE), REFUSAL_PAGE)

if "GUNICORN_CMD_ARGS" in os.environ:
    sys.exit(
        "GUNICORN_CMD_ARGS could switch on logs or trust in headers. Unset it and start again."
    )


class Reply(Response):
    """A response without the two headers that say what and when we are."""

    def default_headers(self) -> list[str]:
        """Return the status line and the headers gunicorn adds, but for Server and Date."""
        lines: list[str] = super().default_headers()
        return [line for line in lines if not line.startswith(("Server:", "Date:"))]


class Letterbox(GeventWorker):
    """One light thread per connection, so that stalled clients cost memory and nothing else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Take gunicorn's arguments as they are."""
        super().__init__(*args, **kwargs)
        self.waiting: set[Any] = set()  # clients' sockets with no complete request on them

    def patch(self) -> None:
        """Make the listening sockets cooperative, and leave the standard library as it is."""
        listeners: list[Any] = list(self.sockets)
        self.sockets = [
            socket.socket(each.FAMILY, socket.SOCK_STREAM, fileno=each.sock.detach())
            for each in listeners
        ]

    def handle(self, listener: Any, client: Any, addr: Any) -> None:  # noqa: ANN401
        """Serve one connection; a client silent for `SILENCE` seconds is dropped."""
        client.settimeout(SILENCE)
        self.waiting.add(client)
        try:
            AsyncWorker.handle(self, listener, client, addr)  # GeventWorker's clears the timeout
        finally:
            self.waiting.discard(client)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:  # noqa: ANN401
        """Answer one request. Raises StopIteration when the connection is to be closed."""
        self.waiting.discard(sock)
        if any(name == "TRANSFER-ENCODING" for name, _ in req.headers):
            self.handle_error(req, sock, addr, None)  # no browser sends a form in chunks
            raise StopIteration
        with gevent.Timeout(REQUEST, exception=False):
            kept = self.answer(*create(req, sock, addr, listener_name, self.cfg, Reply))
            if kept and self.alive:
                self.waiting.add(sock)
                return True
            with contextlib.suppress(Exception):
                self.drain(req, sock)
        raise StopIteration

    def answer(self, reply: Response, environ: MutableMapping[str, Any]) -> bool:
        """Run the app once; return whether the connection can take another request."""
        environ["wsgi.multithread"] = True
        # gunicorn ends a body that was cut off as if it were whole. Without this claim Werkzeug
        # counts for itself, and refuses half a testimony.
        del environ["wsgi.input_terminated"]
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

    def drain(self, req: Any, sock: Any) -> None:  # noqa: ANN401
        """Take what the client still sends, so that closing does not destroy the answer."""
        left = DRAIN
        while left > 0 and (data := req.body.read(DRAIN_STEP)):
            left -= len(data)
        close_graceful(sock)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:  # noqa: ANN401, ARG002
        """Give one constant answer, whatever was wrong, and say nothing to anyone else."""
        with contextlib.suppress(Exception):
            client.sendall(REFUSAL)
            close_graceful(client)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish the requests that are running, and hang up on clients that only wait."""
        super().handle_exit(sig, frame)
        gevent.spawn(self.hang_up)

    def hang_up(self) -> None:
        """End the wait for a request on every connection that has none."""
        for client in tuple(self.waiting):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)


class Quiet(Logger):
    """A logger without clock times or requests: start, stop and dead workers only."""

    error_fmt = "%(levelname)s %(message)s"

    def access(self, *_: Any) -> None:  # noqa: ANN401
        """Log no request, whatever other settings say."""


def post_worker_init(_: GeventWorker) -> None:
    """Silence a worker for good once it has loaded the app: from here on it sees requests."""
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
proxy_protocol = "off"  # haproxy reads tor's PROXY line and passes the circuit on as a header

logger_class = Quiet
loglevel = "info"
accesslog = None
errorlog = "-"
control_socket_disable = True
# In memory, so a read-only TMPDIR does not matter. Elsewhere than Linux: the system's temp folder.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
