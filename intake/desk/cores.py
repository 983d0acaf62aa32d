"""All cores: the same work for many items, in worker processes, in the order of the items.

Rules:
- A few items are done in this process: others take longer to begin than that.
- A worker begins as a new interpreter (spawn) and gets what it needs through a pipe, secrets among
  it. Nothing of that is in a file, an environment or a command line. Nobody else writes to these
  pipes, so nothing that a stick or a source brought is ever unpickled.
- Ctrl-C is for this process alone. It ends the workers when each has done the piece that it is at.
- A worker ends when this process does, however it does.
"""

import contextlib
import functools
import gc
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from intake.errors import MachineTrouble

PIECE = 64  # items that a worker takes at once; fewer are done in this process, if all are short
AHEAD = 4  # pieces for each worker that are read before they are asked for

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[list[Item]], list[Result]]
Given = tuple[Any, ...]

_given: list[tuple[Callable[..., Any], Given]] = []  # in a worker: what makes its work, and of what


def each(
    make: Callable[..., Work[Item, Result]], given: Given, items: Iterable[Item], size: int = PIECE
) -> Generator[Result, None, None]:
    """Yield what ``make(*given)`` returns of lists of ``items``, one result for each.

    ``make`` is a class or function of a module, for a worker finds it by its name there. ``size``
    items are a piece: few, where each of them is long. Close the generator to end the workers.
    Raises what the work raises, and :class:`MachineTrouble`.
    """
    source, count = iter(items), os.cpu_count() or 1
    pieces = iter(lambda: list(islice(source, size)), [])
    first = next(pieces, [])
    if len(first) < size or count == 1:
        work = make(*given)
        for piece in chain([first], pieces):
            yield from work(piece)
        return
    spawn = get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin, initargs=(make, given))
    waiting: deque[Future[list[Result]]] = deque()
    try:
        for piece in chain([first], pieces):
            with _deaf():
                waiting.append(pool.submit(_do, piece))
            if len(waiting) > AHEAD * count:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool:
        raise MachineTrouble(
            "The system ended a part of this work, most likely because memory ran out.",
            "Close other programs, then run it again; what was recorded stays.",
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Run a block in which whatever begins never hears Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(make: Callable[..., Work[Item, Result]], given: Given) -> None:
    """Begin a worker."""
    # Dangerous line: without it, a worker outlives us, with the period's key in its memory.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _given.append((make, given))
    gc.freeze()  # what is there by now stays, and need not be looked at again


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


@functools.cache
def _work() -> Work[Any, Any]:
    ((make, given),) = _given
    work: Work[Any, Any] = make(*given)
    return work


def _do(piece: list[Item]) -> list[Result]:
    return _work()(piece)
