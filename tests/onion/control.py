"""Tor's control protocol over a unix socket, as far as a test network needs it (control-spec)."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

WAIT = 30  # seconds


class Control:
    """A connection that is let in by the folder's rights: the socket's folder is private."""

    def __init__(self, path: Path) -> None:
        """Connect. Raises ``OSError`` while tor does not listen yet."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(WAIT)
        self._came = b""
        try:
            self._socket.connect(str(path))
            self.ask("AUTHENTICATE")
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, command: str) -> str:
        """Return the answer to a command; what happened before it came is dropped."""
        self._socket.settimeout(WAIT)
        self._socket.sendall(command.encode() + b"\r\n")
        while True:
            line = self._line()
            if line.startswith("650"):
                continue
            answer = [line]
            while answer[-1][3:4] != " ":
                answer.append(self._line())
            assert line.startswith("250"), f"{command}: {line}"
            return "\n".join(answer)

    def event(self, seconds: float) -> str:
        """Return the next event, "" if none comes for so long."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if (line := self._line()).startswith("650"):
                    return line
        return ""

    def _line(self) -> str:
        while b"\r\n" not in self._came:
            if not (more := self._socket.recv(65536)):
                raise ConnectionError("tor hung up")
            self._came += more
        line, _, self._came = self._came.partition(b"\r\n")
        return line.decode()


@contextlib.contextmanager
def control(path: Path) -> Iterator[Control]:
    """Yield a connection; it ends with the block."""
    made = Control(path)
    try:
        yield made
    finally:
        made.close()
