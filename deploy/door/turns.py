"""Who waits, and who is sent away: turns for a process, and room for those who have none.

Rules:
- There are so many processes of a kind at a time, and of one circuit a few. Who waits too long for
  a turn is told to come again.
- A worker has so many connections. When there are more, one that waits is sent away: of the circuit
  that has the most, one that has its answer, or the one that waits longest. So who comes alone
  stays, whoever else comes.
- Bodies that wait, for the rest of them or for a turn, hold so many bytes together. When they hold
  more, the greatest has to go. So who holds no more than its share of the room, by the number of
  connections, never has to: in the worst flood a letter as people write them is taken.
- Who is sent away has been given to no process, so nothing of it was stored.
"""

from __future__ import annotations

import contextlib
import mmap
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakValueDictionary

import gevent  # type: ignore[import-untyped]
from gevent.lock import BoundedSemaphore  # type: ignore[import-untyped]

EACH = 2  # processes of one circuit at a time, of each kind


class Crowded(Exception):  # noqa: N818 - no defect: everybody has the same right to come
    """There is no turn, or no room."""


class Turns:
    """So many children of a kind at a time, and ``EACH`` of one circuit."""

    def __init__(self, most: int, patience: int, crowded: mmap.mmap | None = None) -> None:
        """Prepare; one waits ``patience`` seconds for a turn. ``crowded`` tells children of it."""
        self._places = BoundedSemaphore(most)
        self._own: WeakValueDictionary[bytes, Any] = WeakValueDictionary()
        self._patience = patience
        self._crowded = crowded
        self._waiting = 0

    @contextlib.contextmanager
    def turn(self, circuit: bytes) -> Iterator[None]:
        """Hold a place while the block runs. Raises :class:`Crowded`."""
        own = self._own.setdefault(circuit, BoundedSemaphore(EACH)) if circuit else None
        with contextlib.ExitStack() as held:
            with gevent.Timeout(self._patience, Crowded):
                if own:
                    held.enter_context(own)
                self._wait(1)
                try:
                    held.enter_context(self._places)
                finally:
                    self._wait(-1)
            yield

    def _wait(self, change: int) -> None:
        self._waiting += change
        if self._crowded:
            self._crowded[0] = self._waiting > 0


class Crowd:
    """The connections of a worker, each a light thread; ``most`` of them, with ``room`` bytes."""

    def __init__(self, most: int, room: int) -> None:
        """Begin with none."""
        self._most, self._room = most, room
        self._circuits: dict[Any, bytes] = {}
        self._waiting: dict[Any, int] = {}  # how many bytes of its body came
        self._answered: set[Any] = set()
        self._chosen: set[Any] = set()

    @contextlib.contextmanager
    def joined(self, circuit: bytes) -> Iterator[None]:
        """Count a connection while the block runs."""
        mine = gevent.getcurrent()
        self._circuits[mine] = circuit
        if len(self._circuits) > self._most:
            of = Counter(self._circuits.values())
            others = (one for one in self._waiting if one not in self._chosen)
            rank = {one: (of[self._circuits[one]], one in self._answered) for one in others}
            if rank:
                self._send_away(max(rank, key=rank.__getitem__))
        try:
            yield
        finally:
            del self._circuits[mine]

    @contextlib.contextmanager
    def waits(self, *, answered: bool = False) -> Iterator[Callable[[int], None]]:
        """Let it be sent away while the block runs: it raises :class:`Crowded`, at any time.

        Yield what is to be told of each of the bytes that come.
        """
        mine = gevent.getcurrent()
        self._waiting[mine] = 0
        if answered:
            self._answered.add(mine)

        def came(size: int) -> None:
            self._waiting[mine] += size
            while sum(self._waiting.values()) > self._room:
                greatest = max(self._waiting, key=self._waiting.__getitem__)
                if greatest is mine:
                    raise Crowded
                self._waiting[greatest] = 0
                self._send_away(greatest)

        try:
            yield came
        finally:
            del self._waiting[mine]
            self._answered.discard(mine)

    def _send_away(self, one: Any) -> None:  # noqa: ANN401
        self._chosen.add(one)
        gevent.get_hub().loop.run_callback(self._leave, one)

    def _leave(self, one: Any) -> None:  # noqa: ANN401
        self._chosen.discard(one)
        # Dangerous line: who went to a process meanwhile must not be told that nothing was stored.
        if one in self._waiting:
            one.throw(Crowded)
