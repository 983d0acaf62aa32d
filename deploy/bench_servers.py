"""Measure WSGI servers against what Intake needs, and print one table.

    python deploy/bench_servers.py [--only NAME ...] [--stalled 200] [--seconds 3] [--requests 5000]

The candidates must be installed beside this Python; absent ones are named and left out. The row
"intake" is deploy/gunicorn_conf.py itself. docs/adr/0001-wsgi-server.md keeps the last table.

Rules:
- Loopback only. It ends only processes it started, each in a process group of its own.
- Everything is bounded: connections, requests, bytes, and seconds of each wait.
- The app is a stand-in (below), so that servers are measured and not Intake.
- Speeds are compared with the first candidate's; absolute numbers mean little on a shared machine.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from deploy.group import Group  # noqa: E402 - after the path is set

MIB = 1024 * 1024
CANARY = "mynameiscanary"
UPLOAD = 50 * MIB
TRACED_UPLOAD = 3 * MIB
LATE = 2.0  # seconds; a later answer than this counts as delayed
GIVE_UP = 5.0  # seconds; the longest wait for one answer
KINDS = ("idle", "headers", "body", "reading")

FIELDS = {f"field{n}": CANARY * 8 for n in range(26)}  # 3 KB, urlencoded
FORM = urlencode(FIELDS).encode()


# The stand-in app


@cache
def flask_app() -> Any:  # noqa: ANN401
    """Build the stand-in: a form, a streamed upload, and an answer too large for any buffer."""
    import flask  # noqa: PLC0415

    app = flask.Flask("stand-in")

    @app.get("/")
    def ready() -> str:
        return "ready"

    @app.post("/form")
    def form() -> str:
        return str(len(flask.request.form))

    @app.post("/stream")
    def stream() -> str:
        size = 0
        while part := flask.request.environ["wsgi.input"].read(64 * 1024):
            size += len(part)
        return str(size)

    @app.get("/large")
    def large() -> Iterator[bytes]:
        return (b"x" * 64 * 1024 for _ in range(512))

    return app


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    """Serve the stand-in app: what the servers are told to load."""
    answer: Iterable[bytes] = flask_app()(environ, start_response)
    return answer


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Wrap the stand-in for ASGI servers, only when one asks for `asgi_application`."""
    if name != "asgi_application":
        raise AttributeError(name)
    return importlib.import_module("a2wsgi").WSGIMiddleware(application, workers=256)


# The candidates


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server and how it is started; `{port}` stands for the port."""

    name: str
    module: str
    arguments: tuple[str, ...]


GUNICORN = "--no-control-socket --bind 127.0.0.1:{port} --worker-tmp-dir /dev/shm --keep-alive 75"
WAITRESS = (
    "--listen=127.0.0.1:{port} --threads=8 --connection-limit=1000"
    " --inbuf-overflow=67108864 --max-request-body-size=67108864"
)
GRANIAN = (
    "--interface wsgi --host 127.0.0.1 --port {port} --http 1 --no-ws"
    " --blocking-threads 256 --no-log"
)
UVICORN = (
    "--host 127.0.0.1 --port {port} --no-access-log --no-date-header --no-server-header"
    " --timeout-keep-alive 75"
)
APP = "bench_servers:application"

CANDIDATES = tuple(
    Candidate(name, module, tuple(arguments.split()))
    for name, module, arguments in (
        ("gthread 1x8", "gunicorn", f"{GUNICORN} -k gthread --threads 8 {APP}"),
        ("gthread 1x256", "gunicorn", f"{GUNICORN} -k gthread --threads 256 {APP}"),
        ("gevent 1", "gunicorn", f"{GUNICORN} -k gevent --workers 1 {APP}"),
        ("gevent 2", "gunicorn", f"{GUNICORN} -k gevent --workers 2 {APP}"),
        ("intake (gevent 2)", "gunicorn", f"--config {HERE}/gunicorn_conf.py {APP}"),
        ("waitress", "waitress", f"{WAITRESS} {APP}"),
        (
            "hypercorn",
            "hypercorn",
            "--bind 127.0.0.1:{port} --worker-class asyncio --keep-alive 75 wsgi:" + APP,
        ),
        ("cheroot 256", "cheroot", "--bind 127.0.0.1:{port} --threads 256 " + APP),
        ("granian 256", "granian", f"{GRANIAN} {APP}"),
        ("uvicorn+a2wsgi 256", "uvicorn", f"{UVICORN} bench_servers:asgi_application"),
    )
)


class Server(Group):
    """One running candidate."""

    def __init__(self, candidate: Candidate, trace: Path | None = None) -> None:
        """Start it and wait until it answers; `trace` is where strace writes, if it is to run."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        command = [sys.executable, "-m", candidate.module]
        command += [part.format(port=self.port) for part in candidate.arguments]
        if trace:
            calls = "trace=write,writev,pwrite64,pwritev,pwritev2,sendfile,copy_file_range"
            tracer = ["strace", "-qq", "-f", "-y", "-s65536", "-e", calls, "-o", str(trace)]
            command = tracer + command
        settings = {"INTAKE_BIND": f"127.0.0.1:{self.port}", "PYTHONPATH": str(HERE)}
        super().__init__(command, os.environ | settings | {"PYTHONDONTWRITEBYTECODE": "1"})
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            if self.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
                return
            time.sleep(0.1)
        said = self.said()[-800:]
        self.stop()
        raise RuntimeError(said)

    def connect(self, buffer: int = 0) -> socket.socket:
        """Open a connection, with a receive buffer of `buffer` bytes if given."""
        link = socket.socket()
        if buffer:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        link.settimeout(GIVE_UP)
        link.connect(("127.0.0.1", self.port))
        return link

    def ask(self, request: bytes, *, finish: bool = False) -> bytes:
        """Send one request on a new connection; return all of the answer, or nothing."""
        answer = b""
        with contextlib.suppress(OSError), self.connect() as link:
            link.sendall(request)
            if finish:
                link.shutdown(socket.SHUT_WR)
            while part := link.recv(65536):
                answer += part
        return answer


def post(path: str, size: int, *, close: bool = True) -> bytes:
    """Return the head of a POST of `size` bytes."""
    end = "close" if close else "keep-alive"
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {size}\r\nConnection: {end}\r\n\r\n"
    ).encode()


# The measurements


def ask_form(server: Server, link: socket.socket | None) -> socket.socket | None:
    """Post the form once; return the connection if the server keeps it. Raises OSError."""
    link = link or server.connect()
    link.sendall(post("/form", len(FORM), close=False) + FORM)
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = link.recv(65536)
        if not part:
            raise ConnectionResetError
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    head = head.lower()
    length = re.search(rb"content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += link.recv(65536)
    if length and body != str(len(FIELDS)).encode():
        raise ConnectionAbortedError
    if not head.startswith((b"http/1.1 200", b"http/1.0 200")):
        raise ConnectionAbortedError
    if length and b"connection: close" not in head:
        return link
    link.close()
    return None


def speed(server: Server, clients: int, seconds: float, most: int = 10**9) -> tuple[float, int]:
    """Post forms from `clients` threads until time or `most` is up: (requests/s, failures)."""
    counts = [0] * clients
    failures = [0] * clients
    end = time.monotonic() + seconds
    share = -(-most // clients)

    def client(number: int) -> None:
        link = None
        while counts[number] < share and time.monotonic() < end:
            try:
                link = ask_form(server, link)
                counts[number] += 1
            except OSError:
                failures[number] += 1
                link = None
                time.sleep(0.01)
        if link:
            link.close()

    start = time.monotonic()
    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - start), sum(failures)


def latency(server: Server) -> float:
    """Return the seconds until a new visitor's form is answered; infinity if it is not."""
    start = time.monotonic()
    answer = server.ask(post("/form", len(FORM)) + FORM)
    return time.monotonic() - start if b" 200 " in answer[:15] else float("inf")


def stalled(server: Server, kind: str, count: int) -> float:
    """Hold `count` stalled clients of one kind; return the worst wait of five new visitors."""
    opening = {
        "idle": b"",
        "headers": b"POST /form HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "body": post("/form", len(FORM)) + FORM[:100],
        "reading": b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
    }[kind]
    links = []
    worst = 0.0
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            with contextlib.suppress(OSError):
                link = stack.enter_context(server.connect(4096 if kind == "reading" else 0))
                link.sendall(opening)
                links.append(link)
        for pause in (1.0, 0.0, 5.5, 0.0, 0.0):
            time.sleep(pause)
            worst = max(worst, latency(server))
            if kind in {"headers", "body"}:
                for link in links:  # alive, but slow
                    with contextlib.suppress(OSError):
                        link.sendall(b"a")
            if worst > GIVE_UP:
                break
    return worst


def streaming(server: Server) -> float:
    """Upload 50 MiB that the app reads in parts; return the growth of peak memory in MiB."""
    part = (CANARY.encode() * 5000)[: 64 * 1024]
    answer = b""
    server.ask(post("/stream", len(part)) + part)
    server.forget_peak()
    before = server.memory()
    with contextlib.suppress(OSError), server.connect() as link:
        link.settimeout(30)
        link.sendall(post("/stream", UPLOAD))
        for _ in range(UPLOAD // len(part)):
            link.sendall(part)
        while data := link.recv(65536):
            answer += data
    if not answer.endswith(str(UPLOAD).encode()) and str(UPLOAD).encode() not in answer:
        return float("inf")
    return (server.memory("VmHWM") - before) / MIB


MALFORMED = tuple(
    text.replace("CANARY", CANARY).encode()
    for text in (
        "CANARY / HTTP/9.9\r\n\r\n",
        "GET CANARY\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nCANARY bad: x\r\n\r\n",
        f"GET /{'CANARY' * 12000} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nA: {'CANARY' * 12000}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n" + "A: CANARY\r\n" * 300 + "\r\n",
        "POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: CANARY\r\n\r\n",
        "POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "POST /form HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CANARY\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nExpect: CANARY\r\n\r\n",
        "PROXY TCP4 CANARY 1.1.1.1 1 2\r\nGET / HTTP/1.1\r\n\r\n",
    )
)


@dataclass(frozen=True, slots=True)
class Leaks:
    """What answers and logs give away."""

    headers: str  # which of Date and Server an ordinary answer carries
    refusals: int  # different answers to malformed requests
    echoed: int  # of them, those that repeat what was sent
    logged: bool  # the log repeats what was sent

    def __str__(self) -> str:
        """Shorten for the table."""
        log = "yes" if self.logged else "no"
        return f"{self.headers or '-'} | {self.refusals} | {self.echoed} | {log}"


def leaks(server: Server) -> Leaks:
    """Look at one good answer, at the answers to malformed requests, and at the log."""
    head = server.ask(post("/form", len(FORM)) + FORM).partition(b"\r\n\r\n")[0].lower()
    headers = [name for name in ("date", "server") if f"\r\n{name}:".encode() in head]
    answers = [server.ask(request, finish=True) for request in MALFORMED]
    refusals = {answer for answer in answers if answer and b" 200 " not in answer[:15]}
    echoed = sum(CANARY.encode() in answer for answer in answers)
    return Leaks("+".join(headers), len(refusals), echoed, CANARY in server.said())


def spilled(candidate: Candidate) -> str:
    """Trace an upload and a form; say whether plaintext was written to anything but a socket."""
    if not shutil.which("strace"):
        return "?"
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace")
        server = Server(candidate, trace)
        body = (CANARY.encode() * (TRACED_UPLOAD // len(CANARY) + 1))[:TRACED_UPLOAD]
        forms = server.ask(post("/form", len(FORM)) + FORM)
        uploads = server.ask(post("/stream", len(body)) + body)
        server.stop()
        if b" 200 " not in forms[:15] or str(len(body)).encode() not in uploads:
            return "failed"
        with trace.open(errors="replace") as lines:
            found = sum(CANARY in line and "<socket:" not in line for line in lines)
    return f"{found} writes" if found else "none"


CONTROL = Candidate(
    "waitress, default buffer", "waitress", ("--listen=127.0.0.1:{port}", APP)
)  # it spools a large body, so a tracer that finds nothing here finds nothing anywhere


def measure(candidate: Candidate, options: argparse.Namespace) -> dict[str, Any]:
    """Take every measurement of one candidate."""
    row: dict[str, Any] = {"server": candidate.name}
    server = Server(candidate)
    try:
        row["rested"] = server.memory() / MIB
        row["one"], _ = speed(server, 1, options.seconds)
        row["many"], row["failed"] = speed(server, 16, options.seconds)
        spent = server.processor()
        rate, _ = speed(server, 8, 60, options.requests)
        row["processor"] = 1000 * (server.processor() - spent) / options.requests if rate else 0.0
        row["used"] = server.memory() / MIB
        row["stream"] = streaming(server)
        row["leaks"] = str(leaks(server))
    finally:
        server.stop()
    for kind in KINDS:
        server = Server(candidate)
        try:
            row[kind] = stalled(server, kind, options.stalled)
        finally:
            row["stop"] = max(float(row.get("stop", 0)), server.stop())
    server = Server(candidate)
    try:
        row["twice"] = stalled(server, "body", 2 * options.stalled)
    finally:
        server.stop()
    row["spilled"] = spilled(candidate)
    return row


def wait(seconds: float) -> str:
    """Write a wait for the table."""
    if seconds > GIVE_UP:
        return "dead"
    return f"{seconds:.2f}" + " late" * (seconds > LATE)


HEADINGS = (
    "server",
    "1 client",
    "16 clients",
    "failed",
    "CPU ms",
    "RSS idle, used",
    "50 MB adds",
    "spilled",
    *KINDS,
    "body x2",
    "Date, Server",
    "refusals",
    "echoed",
    "logged",
    "stop s",
)


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table as Markdown."""
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    first = rows[0]
    for row in rows:
        cells = (
            row["server"],
            f"{row['one'] / first['one']:.2f}",
            f"{row['many'] / first['many']:.2f}",
            row["failed"],
            f"{row['processor']:.2f}",
            f"{row['rested']:.0f}, {row['used']:.0f}",
            "refused" if row["stream"] == float("inf") else f"{row['stream']:.1f}",
            row["spilled"],
            *(wait(row[kind]) for kind in (*KINDS, "twice")),
            row["leaks"],
            f"{row['stop']:.1f}",
        )
        print(f"| {' | '.join(str(cell) for cell in cells)} |")
    print(
        f"\nSpeeds are relative to {first['server']}: {first['one']:.0f}/s from 1 client,"
        f" {first['many']:.0f}/s from 16. CPU is the server's, for each request."
        " Memory in MiB over all processes. Waits in seconds."
    )


def main() -> int:
    """Measure the candidates asked for, one after the other."""
    parser = argparse.ArgumentParser(
        description="Measure WSGI servers against what Intake needs. Takes about 1 minute each.",
        epilog="example: python deploy/bench_servers.py --only 'gevent 2' 'waitress'",
    )
    names = [candidate.name for candidate in CANDIDATES]
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        default=names,
        metavar="NAME",
        help="candidates to measure: " + ", ".join(names),
    )
    parser.add_argument("--stalled", type=int, default=200, help="stalled clients (default 200)")
    parser.add_argument("--seconds", type=float, default=3, help="for each speed (default 3)")
    parser.add_argument("--requests", type=int, default=5000, help="before RSS is read again")
    options = parser.parse_args()
    rows = []
    for candidate in CANDIDATES:
        if candidate.name not in options.only:
            continue
        if not importlib.util.find_spec(candidate.module):
            print(f"{candidate.name}: not installed, left out.", file=sys.stderr)
            continue
        try:
            rows.append(measure(candidate, options))
        except RuntimeError as problem:
            print(f"{candidate.name}: did not start. {problem}", file=sys.stderr)
            continue
        print(f"{candidate.name}: measured.", file=sys.stderr, flush=True)
    if rows:
        show(rows)
    if rows and importlib.util.find_spec(CONTROL.module):
        print(f"Control of the tracing, {CONTROL.name}: {spilled(CONTROL)}.")
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
