"""Visitors: many clients at once, in processes of their own, each as fast as it is answered.

Rules:
- Bodies are prepared, sockets are plain, and the processors' time that clients take is counted, so
  that it can be seen whether they or the server were the limit.
- Every answer is looked at. One that is not right ends the run.
- A connection, and with it a circuit, takes few requests: the pace of a circuit does not bind.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from deploy.chains import Target

REQUESTS = 4  # on a connection
SOON = 0.2  # seconds until all begin at once
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")
LAST = re.compile(rb"(?i)\r\nconnection: *close\r\n")


class Load(NamedTuple):
    """What visitors did: seconds of each request, on the wall, and of a processor for clients."""

    took: list[float]
    seconds: float
    processor: float

    @property
    def rate(self) -> float:
        """Requests in a second."""
        return len(self.took) / self.seconds

    @property
    def share(self) -> float:
        """What clients took of one core."""
        return self.processor / self.seconds


class Deadline(NamedTuple):
    """When visitors stop: at a moment, or when each has so many answers."""

    until: float
    most: int


def answer(link: socket.socket) -> bytes:
    """Read one answer, head and body. Raises :class:`ConnectionError` if it is cut off."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += _some(link)
    length = LENGTH.search(found)
    whole = found.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(found) < whole:
        found += _some(link)
    return found


def _some(link: socket.socket) -> bytes:
    if not (part := link.recv(1 << 16)):
        raise ConnectionError
    return part


def stay(target: Target, deadline: Deadline, took: list[float]) -> None:
    """Submit again and again. Raises :class:`ValueError` for an answer that is not right."""
    while time.monotonic() < deadline.until and len(took) < deadline.most:
        with target.connect() as link:
            link.sendall(target.opening())
            for _ in range(REQUESTS):
                if time.monotonic() >= deadline.until or len(took) >= deadline.most:
                    return
                data, right = target.visit()
                before = time.monotonic()
                link.sendall(data)
                found = answer(link)
                took.append(time.monotonic() - before)
                if not right(found):
                    raise ValueError(found[:60])
                if LAST.search(found):
                    break


Work = Callable[[Target, Deadline, list[float]], None]


def _process(target: Target, threads: int, begin: float, deadline: Deadline, work: Work) -> Load:
    tooks: list[list[float]] = [[] for _ in range(threads)]
    troubles: list[Exception] = []

    def one(took: list[float]) -> None:
        try:
            work(target, deadline, took)
        except Exception as trouble:  # noqa: BLE001 - it goes on below
            troubles.append(trouble)

    running = [threading.Thread(target=one, args=(took,)) for took in tooks]
    time.sleep(max(0.0, begin - time.monotonic()))
    before = time.process_time()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if troubles:
        raise troubles[0]
    ended, processor = time.monotonic(), time.process_time() - before
    return Load([second for took in tooks for second in took], ended - begin, processor)


def _child(pipe: Any, *arguments: Any) -> None:  # noqa: ANN401
    try:
        pipe.send(_process(*arguments))
    except Exception as trouble:  # noqa: BLE001 - it goes on at the other end
        pipe.send(trouble)


def load(
    target: Target,
    clients: int,
    seconds: float = 3600.0,
    most: int = 1 << 60,
    work: Work = stay,
) -> Load:
    """Have so many clients submit for so long, or so often in all. Ends the run if one fails."""
    fork = multiprocessing.get_context("fork")
    processes = min(clients, os.cpu_count() or 1)
    begin = time.monotonic() + SOON
    ends, children = [], []
    for number in range(processes):
        threads = len(range(number, clients, processes))
        deadline = Deadline(begin + seconds, -(-most // clients))
        ours, theirs = fork.Pipe(duplex=False)
        arguments = (theirs, target, threads, begin, deadline, work)
        child = fork.Process(target=_child, args=arguments, daemon=True)
        child.start()
        theirs.close()
        ends.append(ours)
        children.append(child)
    loads = [end.recv() for end in ends]
    for child in children:
        child.join()
    for each in loads:
        if isinstance(each, Exception):
            raise SystemExit(f"{target.name} did not answer as it must: {each!r}")
    return Load(
        [second for each in loads for second in each.took],
        max(each.seconds for each in loads),
        sum(each.processor for each in loads),
    )
