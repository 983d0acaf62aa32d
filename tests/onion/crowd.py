"""Visitors who post at the same time, each as a browser's user would, whatever breaks meanwhile."""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.onion.circuits import BROKEN, Circuit
from tests.onion.host import Host
from tests.site_maker import LEAST
from tests.test_concurrency import WORDS, Post, Send

EACH = 20  # posts of one circuit, before another one is taken; one may send so many at once
PAUSE = 0.5  # seconds until somebody tries again
LIMIT = 240  # seconds that a visitor goes on trying


def over_circuits(host: Host, client: str) -> Send:
    """Return what posts as a browser does, on a fresh circuit now and then."""
    count, kept = itertools.count(), [host.circuit(client)]

    def send(fields: dict[str, object]) -> tuple[int, str]:
        if next(count) % EACH == EACH - 1:
            kept[0] = kept[0].fresh()
        return kept[0].post(fields)

    return send


def post_all(
    circuits: Sequence[Circuit],
    count: int,
    label: str,
    seen: Callable[[int], None] = lambda _: None,
) -> list[Post]:
    """Send ``count`` forms, each until its receipt was shown; return them, and tell ``seen``.

    A form that was not answered goes again as it was, on another circuit.
    """
    numbers, done, news = iter(range(count)), list[Post](), threading.Lock()

    def source(circuit: Circuit) -> None:
        for sent in itertools.count():
            with news:
                number = next(numbers, None)
            if number is None:
                return
            if sent % EACH == EACH - 1:
                circuit = circuit.fresh()
            post, circuit = insist(circuit, f"{label} {number}")
            with news:
                done.append(post)
                seen(len(done))

    with ThreadPoolExecutor(len(circuits)) as pool:
        for one in [pool.submit(source, circuit) for circuit in circuits]:
            one.result(LIMIT * 2)
    return done


def insist(circuit: Circuit, name: str) -> tuple[Post, Circuit]:
    """Send one form until its receipt is shown; return it, and the circuit by which it went."""
    seed = hashlib.sha256(name.encode()).digest()
    words = f"{name} {WORDS[seed[0] % len(WORDS)]}"[:2000]
    fields: dict[str, object] = {"_seed": seed.hex(), **LEAST, "account": words}
    start = time.monotonic()
    while True:
        try:
            status, page = circuit.post(fields)
        except BROKEN:
            status, page = 0, ""
        if status == 200:
            return Post(seed, words, start, time.monotonic(), status, page), circuit
        assert time.monotonic() - start < LIMIT, f"no receipt after {LIMIT} s: {status}"
        circuit = circuit.fresh()
        time.sleep(PAUSE)
