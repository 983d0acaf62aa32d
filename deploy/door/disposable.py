"""Words in processes that end with them: each request with a body has one of its own.

A worker keeps connections and reads heads. A *stem* is forked from it before gevent begins: it has
the app, one thread, and never meets a request. It keeps one spare *child*, forked and waiting;
when that one has begun to work, it forks the next.

Procedure of :meth:`Stem.answer`, for one request with a body:
1. The worker writes the head into a file that is in memory and has no name, and pours the body
   after it (``pouring``): all of it, or the beginning of one longer than ``WHOLE``. So who stalls
   in a body costs a file, and no process; and all files together have so much room (``turns``).
2. It waits for a turn. There are so many children at a time for short bodies, for long ones, and
   for what takes long; of one circuit a few (``turns``).
3. It hands the spare child the file, the client's socket, and the end of a pipe.
4. The child parses the head again, takes the body from the file, the rest of a long one from the
   socket, runs the app as a worker does, and answers.
5. It says through the pipe how much of the body it left, and whether the connection can go on.
   Then it ends. When the pipe does, the child's memory is the kernel's again.

Rules:
- No byte of a body is ever in the memory of a worker or of a stem.
- A child answers one request. It cannot be dumped, prints nowhere, and ends with its stem, as the
  stem does with its worker, however that ends; and by itself when the request's time is over.
- A child with a long body, silent for ``SHORT`` seconds, gives way when others wait for a turn.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import gevent  # type: ignore[import-untyped]
from gevent.socket import wait_read, wait_write  # type: ignore[import-untyped]

from deploy.door.pouring import STEP, pour
from deploy.door.processes import end_with
from deploy.door.turns import Crowd, Turns

WHOLE = 256 * 1024  # bytes of a body that are there before a child is; no page of words sends more
SHORT = 10  # seconds of silence in a long body, while others wait
ASKED = struct.Struct("!?dQ")  # may it go on; seconds left; bytes of the body not in the file
SAID = struct.Struct("!?Q")  # can the connection go on; bytes of body that were left
# What a worker is told, and its stem and children are not: who is served is answered.
HUSHED = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1),
    *(signal.SIGUSR2, signal.SIGWINCH, signal.SIGCHLD),
)


class Request(NamedTuple):
    """A request with a body, as a worker knows it."""

    line: Any  # the client's socket, gevent's
    head: bytes
    length: int  # bytes of the body
    until: float  # the moment, of time.monotonic(), when its time is over
    alive: bool  # may the connection go on?


class Source:
    """What a child reads its request from: the file, then the socket as far as the body goes."""

    def __init__(
        self, body: int, line: socket.socket, left: int, until: float, crowded: mmap.mmap
    ) -> None:
        """Prepare; ``left`` bytes of the body are still in the socket, or on their way."""
        self.line, self.left = line, left
        self._body, self._until, self._crowded = body, until, crowded

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return the next bytes. Raises TimeoutError if they do not come."""
        data = os.read(self._body, STEP)
        if not data and self.left:
            data = self._receive(min(STEP, self.left))
            self.left -= len(data)
        if not data:
            raise StopIteration
        return data

    def _receive(self, size: int) -> bytes:
        silence = 0
        while silence < (SHORT if self._crowded[0] else self.line.gettimeout() or 0):
            if select.select([self.line], [], [], 1)[0]:
                return self.line.recv(size)
            silence += 1
            if time.monotonic() > self._until:
                break
        raise TimeoutError


Serve = Callable[[Source, bool], bool]


class Stem:
    """The worker's end of its stem."""

    def __init__(self, prepare: Callable[[], None], serve: Serve, crowd: Crowd) -> None:
        """Fork the stem, while there is one thread and no gevent; it runs ``prepare`` first.

        ``serve`` is what a child does: it answers the request in a :class:`Source`, and returns
        whether the connection can take another one. ``crowd`` is who waits in the worker.
        """
        self._crowd = crowd
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._life, end = os.pipe()
        crowded = mmap.mmap(-1, 1)  # shared: does anybody wait for a turn of the long ones?
        worker = os.getpid()
        if not os.fork():
            try:
                end_with(worker)
                self._channel.close()
                os.close(self._life)
                prepare()
                _breed(theirs, crowded, serve)
            finally:
                os._exit(1)
        theirs.close()
        os.close(end)
        self._channel.setblocking(False)
        self.words, self.slow, self.files = Turns(4, 60), Turns(4, 20), Turns(16, 600, crowded)

    def wait(self) -> None:
        """Return when the stem has ended, which it never should."""
        wait_read(self._life)

    def answer(self, asked: Request, turns: Turns) -> tuple[bool, int]:
        """Have a child answer.

        Return whether the connection can go on, and how many bytes of the body were left. Raises
        TimeoutError and :class:`Crowded`; then nobody has answered.
        """
        line, body = asked.line, os.memfd_create("")
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, body)
            late = gevent.Timeout(asked.until - time.monotonic(), TimeoutError)
            with late, self._crowd.waits() as came:
                came(os.write(body, asked.head))  # (1)
                first = asked.length if asked.length <= WHOLE else STEP
                left = asked.length - pour(line, first, body, came)
                # Until the client has taken what it was sent before: then there is room for more.
                wait_write(line.fileno(), line.gettimeout(), TimeoutError)
                stack.enter_context(turns.turn(line.circuit))  # (2)
            os.lseek(body, 0, os.SEEK_SET)
            said, end = os.pipe()
            stack.callback(os.close, said)
            try:
                told = ASKED.pack(asked.alive, asked.until - time.monotonic(), left)
                self._hand(told, [body, line.fileno(), end])  # (3)
            finally:
                os.close(end)
            wait_read(said)
            found = os.read(said, SAID.size)
            wait_read(said)  # (5) its end
        return SAID.unpack(found) if found else (False, 0)

    def _hand(self, told: bytes, files: list[int]) -> None:
        while True:
            try:
                socket.send_fds(self._channel, [told], files)
            except BlockingIOError:
                wait_write(self._channel.fileno())
            else:
                return


def _breed(channel: socket.socket, crowded: mmap.mmap, serve: Serve) -> None:
    """Keep one spare child, for ever: whether one is taken or dies, its end of the pipe closes."""
    for number in HUSHED:
        signal.signal(number, signal.SIG_IGN)
    stem = os.getpid()
    gc.collect()
    gc.freeze()
    while True:
        spare, taken = os.pipe()
        try:
            child = os.fork()
        except OSError:  # no process to be had: requests wait
            child = -1
            time.sleep(0.1)
        if not child:
            try:
                end_with(stem)
                os.close(spare)
                _serve(channel, taken, crowded, serve)
            finally:
                os._exit(0)
        os.close(taken)
        os.read(spare, 1)
        os.close(spare)


def _serve(channel: socket.socket, taken: int, crowded: mmap.mmap, serve: Serve) -> None:
    """Be a child: wait for one request, and answer it."""
    told, files, _, _ = socket.recv_fds(channel, ASKED.size, 3)
    os.close(taken)
    alive, seconds, left = ASKED.unpack(told)
    signal.alarm(int(seconds) + SHORT)  # whatever happens, it ends
    body, client, said = files
    source = Source(body, socket.socket(fileno=client), left, time.monotonic() + seconds, crowded)
    kept = serve(source, alive)  # (4)
    os.write(said, SAID.pack(kept, source.left))  # (5)
