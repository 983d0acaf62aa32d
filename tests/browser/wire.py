"""A wire between a browser and the server that notes what is sent, and can lose an answer."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator

PIECE = 65_536  # bytes
HEAD = re.compile(rb"(?:GET|POST) \S+ HTTP/1\.1\r\n(?:[^\r\n]+\r\n)+\r\n")


class Wire:
    """A loopback port that passes everything on to ``server`` (``host:port``), and back.

    While ``cut`` is set, answers to a POST are lost: the line breaks at their first byte. They wait
    ``slow`` seconds. ``up`` and ``down`` are the bytes that passed.
    """

    def __init__(self) -> None:
        """Listen."""
        self.server, self.cut, self.slow = "", False, 0.0
        self.up = self.down = 0
        self._sent: list[bytearray] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def heads(self) -> list[str]:
        """Return the head of every request so far: line and headers, without bodies."""
        return [head.decode() for sent in self._sent for head in HEAD.findall(bytes(sent))]

    def close(self) -> None:
        """End every connection."""
        for each in (self._listener, *self._open):
            _hang_up(each)
            each.close()

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                browser, _ = self._listener.accept()
                self._open.append(browser)
                self._start(self._forth, browser)

    def _forth(self, browser: socket.socket) -> None:
        host, _, port = self.server.partition(":")
        try:
            server = socket.create_connection((host, int(port)))
        except OSError:
            _hang_up(browser)
            return
        self._open.append(server)
        sent = bytearray()
        self._sent.append(sent)
        self._start(self._back, browser, server, sent)
        with contextlib.suppress(OSError):
            while piece := browser.recv(PIECE):
                sent += piece
                self.up += len(piece)
                server.sendall(piece)
        _hang_up(server)

    def _back(self, browser: socket.socket, server: socket.socket, sent: bytearray) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(PIECE):
                self.down += len(piece)
                heads = HEAD.findall(bytes(sent)) if self.cut or self.slow else []
                if heads and heads[-1].startswith(b"POST"):  # none yet: the proxy's own words
                    if self.cut:
                        break
                    time.sleep(self.slow)
                browser.sendall(piece)
        _hang_up(browser)
        _hang_up(server)


def _hang_up(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wire() -> Iterator[Wire]:
    """Yield a wire; it ends with the block."""
    made = Wire()
    try:
        yield made
    finally:
        made.close()
