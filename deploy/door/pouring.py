"""What a client sends, moved by the kernel: this process asks for it, and never has it.

Rules:
- :func:`upto` reads a head, and cannot read what follows it: it never asks for more bytes than the
  shortest end that is still missing.
- :func:`pour` moves a body from a client's socket into a file, or nowhere, by splice(2): no byte of
  it is ever in the memory of this process.
- While a client is silent, the other light threads of a worker go on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from gevent import socket  # type: ignore[import-untyped]

STEP = 64 * 1024  # bytes, as many as a pipe holds


def upto(receive: Callable[[int], bytes], seen: bytearray, end: bytes, most: int) -> bytes:
    """Receive up to ``end``, and no byte beyond it, after what was ``seen``; add it to ``seen``.

    Return what came, ``most`` bytes at most. It is less than up to ``end`` if the client stopped,
    or sent a line end that HTTP does not have, which whoever parses it refuses.
    """
    start = len(seen)
    while not seen.endswith(end) and (room := start + most - len(seen)) > 0:
        held = next(n for n in reversed(range(len(end))) if seen.endswith(end[:n]))
        # Dangerous line: with one byte more, what follows the end could be read.
        more = receive(min(len(end) - held, room))
        seen += more
        # Dangerous line: a look at all that was seen, for each line, would take minutes of a flood.
        if not more or more.count(b"\n") != seen[-len(more) - 1 :].count(b"\r\n"):
            break
    return bytes(seen[start:])


def pour(
    line: Any,  # noqa: ANN401 - gevent's socket
    most: int,
    sink: int | None = None,
    came: Callable[[int], None] = lambda _: None,
) -> int:
    """Move up to ``most`` bytes from ``line`` into the file ``sink``, or nowhere; return how many.

    They are fewer if the client stops. ``came`` is told of each piece. Raises TimeoutError if it is
    silent for longer than ``line`` waits, and OSError if ``sink`` takes no more.
    """
    left = most
    while left > 0:
        moved = _move(line.fileno(), min(left, STEP), sink)
        if moved is None:
            socket.wait_read(line.fileno(), line.gettimeout(), TimeoutError)
        elif moved:
            left -= moved
            came(moved)
        else:
            break
    return most - left


def _move(source: int, most: int, sink: int | None) -> int | None:
    """Move what is there, ``most`` bytes at most; return how many, None if nothing is there yet."""
    # A pipe of its own each time: what were left in a shared one would go to somebody else.
    leave, enter = os.pipe()
    try:
        left = count = os.splice(source, enter, most, flags=os.SPLICE_F_NONBLOCK)
        while sink is not None and left:
            left -= os.splice(leave, sink, left)
    except BlockingIOError:
        return None
    finally:
        os.close(leave)
        os.close(enter)
    return count
