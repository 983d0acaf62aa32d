"""What takes long: in a thread of its own, and the slow step of a mailbox only so many at a time.

A request that has a process of its own needs no thread: ``wsgi.multithread`` (PEP 3333) says so.

Rules:
- The worker goes on with its other requests meanwhile: nobody who sends words waits for somebody
  who comes back.
- Places are counted over the whole host, by locks on files: so many at a time use the memory and
  the processor. A few wait for a place; the rest are asked to come again.
- Whoever waits holds no lock and no transaction.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import gevent  # type: ignore[import-untyped]
from flask import has_request_context, request

Result = TypeVar("Result")

PLACES = max(1, (os.cpu_count() or 1) - 1)  # slow steps of this host at a time
WAITING = 16  # of each worker
PATIENCE = 20.0  # seconds until who waits is asked to come again
_GLANCE = 0.05  # seconds between two looks


class Busy(Exception):  # noqa: N818 - no defect: everybody has the same right to come
    """There was no place."""


def in_thread(work: Callable[[], Result]) -> Result:
    """Do ``work`` in a thread, and give way to this worker's other requests until it is done."""
    if has_request_context() and not request.is_multithread:
        return work()

    def guarded() -> tuple[Result, ...] | Exception:
        try:
            return (work(),)
        except Exception as error:  # noqa: BLE001 - it goes on below
            return error

    # Dangerous line: what fails in a thread of gevent's is printed, with the receipt in it.
    done: tuple[Result, ...] | Exception = gevent.get_hub().threadpool.apply(guarded)
    if isinstance(done, Exception):
        raise done
    return done[0]


class Places:
    """The places of one host; ``folder`` is the store's."""

    def __init__(self, folder: Path) -> None:
        """Prepare, without touching the disk."""
        self._files = [folder / f"place-{number}" for number in range(PLACES)]
        self._waiting = 0

    def slowly(self, work: Callable[[], Result]) -> Result:
        """Do ``work`` in a thread when there is a place. Raises :class:`Busy`."""
        with self._place():
            return in_thread(work)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._waiting >= WAITING:
            raise Busy
        self._waiting += 1
        try:
            with gevent.Timeout(PATIENCE, Busy):
                while not (held := self._take()):
                    gevent.sleep(_GLANCE)
        finally:
            self._waiting -= 1
        with held:
            yield

    def _take(self) -> contextlib.ExitStack | None:
        for path in self._files:
            with contextlib.ExitStack() as stack, contextlib.suppress(BlockingIOError):
                file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                stack.callback(os.close, file)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return stack.pop_all()
        return None
