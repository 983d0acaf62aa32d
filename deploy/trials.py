"""What chains do under trouble: the trials of docs/adr/0020-the-chain.md.

Procedure, each step with every chain in turn, freshly started:
1. copies: 50 testimonies, and how often their words then stand in the memory of each process that
   stays. Only root can look.
2. flood: one circuit asks on dozens of connections as fast as it can; what another one waits.
3. stalled: 200 clients, each of a circuit of its own, that say nothing, stop in the head, or stop
   in the body; the worst wait of five visitors who come after them.
4. restart: somebody submits while the site is away; what they get, and after how long.
5. refusals: how many a second, of garbage, and of a circuit that has too many connections.

Rules:
- Bounded everywhere: seconds, connections, requests. Loopback and unix sockets only.
- Nothing is asserted but that each answer is of the kind that it must be.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deploy.chains import Chain, Target, account, line, request
from deploy.visitors import Deadline, answer, load

ROUNDS = 3  # of floods and of refusals
COPIES = 50  # testimonies
FLOOD = 40  # connections of one circuit
STALLED = 200
PROBES = 60  # answers of another circuit
SECONDS = 5.0  # of a flood
SETTLE = 0.5  # seconds in which a server takes what stands before its door
AWAY = 2.0  # seconds in which nobody serves
CROWD = 200  # connections of a circuit, so that every worker has as many as it may
GREEDY = 0xBADC0DE
GARBAGE = b"canary\r\n\r\n"

Facts = dict[str, Any]


def run(folder: Path, kinds: Sequence[type[Chain]]) -> list[Facts]:
    """Do every trial with every chain."""
    found: list[Facts] = []
    works = [copies, stalled, restart, *[flood, refusals] * ROUNDS]
    for number, trial in enumerate(works):
        for kind in kinds[:: -1 if number % 2 else 1]:
            print(f"{trial.__name__}: {kind.name}", file=sys.stderr, flush=True)
            mark = "".join(secrets.choice("ကခဂဃငစဆဇဈညတထဒဓန") for _ in range(12))
            server = kind(folder / f"{len(found)}", mark + account()[len(mark) :])
            try:
                server.begin()
                facts = {"trial": trial.__name__, "chain": kind.name, **trial(server, mark)}
            finally:
                server.stop()
            found.append(facts)
    return sorted(found, key=lambda facts: str(facts["trial"]))


def copies(server: Chain, mark: str) -> Facts:
    """(1) Count the spellings of a mark in memory."""
    if os.geteuid():
        return {"not looked at": "this needs root"}
    load(server, 4, most=COPIES)
    time.sleep(1)
    spellings = [mark.encode(), mark.encode("utf-16-le"), quote(mark).encode()]
    return {f"{process(pid)} {pid}": count(pid, spellings) for pid in server.members()}


def process(pid: int) -> str:
    """Return the name of a process."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def count(pid: int, spellings: Sequence[bytes]) -> int:
    """Count what stands in the memory of a process that it can write to."""
    found = 0
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for entry in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place = re.match(r"(\w+)-(\w+) rw", entry)
            if place is None:
                continue
            start, end = int(place[1], 16), int(place[2], 16)
            with contextlib.suppress(OSError, OverflowError):
                memory.seek(start)
                data = memory.read(end - start) or b""
                found += sum(data.count(spelling) for spelling in spellings)
    return found


def flood(server: Chain, _: str) -> Facts:
    """(2) Ask from one circuit, and see what another one waits."""
    before = probe(server)
    during: list[float] = []
    visitor = threading.Thread(target=lambda: during.extend(probe(server, after=1.0)))
    visitor.start()
    asked = load(server, FLOOD, SECONDS, work=pester)
    visitor.join()
    return {
        "median before": statistics.median(before),
        "median during": statistics.median(during),
        "worst before": max(before),
        "worst during": max(during),
        "answers to the flood, a second": asked.rate,
        "its share of a core": asked.share,
    }


def probe(server: Chain, after: float = 0.0) -> list[float]:
    """Ask for the form, each time from another circuit; return the seconds of each."""
    time.sleep(after)
    took = []
    for _ in range(PROBES):
        before = time.monotonic()
        good(server.ask(server.opening() + request("GET", close=True)), b"200")
        took.append(time.monotonic() - before)
    return took


def pester(target: Target, deadline: Deadline, took: list[float]) -> None:
    """Ask again and again from one circuit, on new connections, whatever the answer is."""
    while time.monotonic() < deadline.until:
        with contextlib.suppress(OSError), target.connect() as link:
            link.settimeout(max(0.1, deadline.until - time.monotonic()))
            before = time.monotonic()
            link.sendall(line(GREEDY) + request("GET"))
            answer(link)
            took.append(time.monotonic() - before)


def good(found: bytes, status: bytes) -> None:
    """End the run if this is no answer of this status."""
    if not found.startswith(b"HTTP/1.1 " + status):
        raise SystemExit(f"An answer was {found[:60]!r} instead of {status.decode()}.")


def stalled(server: Chain, _: str) -> Facts:
    """(3) Hold clients that stall, and return the worst wait of each kind."""
    body = server.visit()[0]
    kinds = {"silent": b"", "in the head": body[:40], "in the body": body[:-100]}
    found: Facts = {}
    for kind, data in kinds.items():
        with contextlib.ExitStack() as stack:
            for _each in range(STALLED):
                stack.enter_context(server.connect()).sendall(server.opening() + data)
            time.sleep(SETTLE)
            found[kind] = max(wait(server) for _ in range(5))
    return found


def wait(server: Chain) -> float:
    """Submit once; return the seconds until the receipt is there."""
    data, right = server.visit()
    before = time.monotonic()
    with server.connect() as link:
        link.sendall(server.opening() + data)
        if not right(answer(link)):
            raise SystemExit(f"{server.name} gave no receipt.")
    return time.monotonic() - before


def restart(server: Chain, _: str) -> Facts:
    """(4) Submit while nobody serves."""
    server.pause()
    seen: Facts = {}

    def come() -> None:
        before = time.monotonic()
        with contextlib.suppress(OSError), server.connect() as link:
            link.sendall(server.opening() + server.visit()[0])
            seen["answer"] = answer(link)[:12].decode()
        seen["seconds"] = time.monotonic() - before

    visitor = threading.Thread(target=come)
    visitor.start()
    time.sleep(AWAY)
    server.start()
    visitor.join()
    seen["rows"] = server.stored()
    return seen


def refusals(server: Chain, _: str) -> Facts:
    """(5) Count refusals a second."""
    found: Facts = {}
    with contextlib.ExitStack() as stack:
        for kind, work, held in (("400", nonsense, 0), ("429", crowd, CROWD)):
            for _each in range(held):
                stack.enter_context(server.connect()).sendall(line(GREEDY))
            time.sleep(SETTLE)
            spent = server.processor()
            asked = load(server, 16, SECONDS, work=work)
            spent = server.processor() - spent
            found[kind] = {
                "a second": asked.rate,
                "ms of the server's processor each": 1e3 * spent / len(asked.took),
                "clients' share of a core": asked.share,
            }
    return found


def refused(first: Callable[[Target], bytes], status: bytes) -> Callable[..., None]:
    """Return the work of being refused with a status, each time on a new connection."""

    def work(target: Target, deadline: Deadline, took: list[float]) -> None:
        while time.monotonic() < deadline.until:
            with target.connect() as link:
                before = time.monotonic()
                link.sendall(first(target))
                good(answer(link), status)
                took.append(time.monotonic() - before)

    return work


nonsense = refused(lambda target: target.opening() + GARBAGE, b"400")
crowd = refused(lambda _: line(GREEDY) + request("GET"), b"429")
