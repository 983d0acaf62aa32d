"""Who waits for a process, and who is sent away: turns, and room for bodies.

Rules:
- There are so many processes of a kind at a time, and of one circuit a few. Who waits too long for
  a turn is told to come again.
- Bodies that wait, for the rest of them or for a turn, hold so many bytes together. When they hold
  more, the greatest has to go. So who holds no more than its share of the room, by the number of
  connections, never has to: in the worst flood a letter as people write them is taken.
- Who is sent away has been given to no process, so nothing of it was stored.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakValueDictionary

import gevent  # type: ignore[import-untyped]
from gevent.lock import BoundedSemaphore  # type: ignore[import-untyped]

EACH = 2  # processes of one circuit at a time, of each kind


class Crowded(Exception):  # noqa: N818 - no defect: everybody has the same right to come
    """The turn did not come."""


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


class Held:
    """The bodies that wait: ``most`` bytes in all."""

    def __init__(self, most: int) -> None:
        """Begin with none."""
        self._most = most
        self._sizes: dict[Any, int] = {}  # by the light thread

    @contextlib.contextmanager
    def body(self) -> Iterator[Callable[[int], None]]:
        """Hold a body while the block runs. Raises :class:`Crowded`, at any time.

        Yield what is to be told of each of its bytes that come.
        """
        mine = gevent.getcurrent()
        self._sizes[mine] = 0

        def came(size: int) -> None:
            self._sizes[mine] += size
            while sum(self._sizes.values()) > self._most:
                greatest = max(self._sizes, key=self._sizes.__getitem__)
                if greatest is mine:
                    raise Crowded
                self._sizes[greatest] = 0
                gevent.get_hub().loop.run_callback(self._leave, greatest)

        try:
            yield came
        finally:
            del self._sizes[mine]

    def _leave(self, one: Any) -> None:  # noqa: ANN401
        # Dangerous line: who went to a process meanwhile must not be told that nothing was stored.
        if one in self._sizes:
            one.throw(Crowded)
