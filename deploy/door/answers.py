"""Answers of one length, whoever gives them.

Rules:
- A head of `HEAD` bytes, and a body that the app has filled. Both leave in one piece. To HEAD there
  is no body (RFC 9110, 9.3.2).
- No answer carries Date or Server, or the client's version of HTTP, or anything that was sent.
- What this layer itself refuses is answered with the app's own page for it: one for each status.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from gunicorn.http.wsgi import Response

HEAD = 1024  # bytes of every answer's head, status line and last empty line included


def head(lines: Iterable[str]) -> bytes:
    """Return a head of these lines, each with its line end, filled to a multiple of `HEAD`."""
    text = "".join([*lines, "X-Padding: "])
    return (text + "x" * (-(len(text) + 4) % HEAD) + "\r\n\r\n").encode("latin-1")


@cache
def refusal(app: Any, status: int) -> bytes:  # noqa: ANN401 - any WSGI app, here a Flask one
    """Return a whole answer for a layer below ``app``, which knows no path and no language."""
    page = app.extensions["refusal"](status)
    lines = [f"HTTP/1.1 {page.status}\r\n", "Connection: close\r\n"]
    body: bytes = page.get_data()
    return head([*lines, *(f"{name}: {value}\r\n" for name, value in page.headers)]) + body


class Answer(Response):
    """A response of the one length, without the two headers that say what and when we are."""

    def send_headers(self) -> None:
        """Send the head; where a body follows, keep it, so that both leave in one piece."""
        if self.headers_sent:
            return
        _, *lines = self.default_headers()  # the first line would have the client's version
        lines = [x for x in lines if not x.startswith(("Server:", "Date:"))]
        first = f"HTTP/1.1 {self.status}\r\n"
        self.kept = head([first, *lines, *(f"{name}: {value}\r\n" for name, value in self.headers)])
        self.headers_sent = True
        if self.req.method == "HEAD" or not self.response_length:
            self._emit_body(b"")

    def _emit_body(self, data: bytes) -> None:
        kept, self.kept = self.kept, b""
        if self.chunked:  # not ours: the app's answers say their length
            self.sock.sendall(kept)
            super()._emit_body(data)  # type: ignore[misc]
        else:
            self.sock.sendall(kept + data)
