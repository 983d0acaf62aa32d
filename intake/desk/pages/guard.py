"""The door: who may ask for a page, and what every answer says.

Rules:
- The address that the terminal shows opens the door once. It gives a cookie, and is dead. Of the
  cookie only a hash is kept here.
- Host must be ours to the letter, or a stranger's page could call this machine by another name (DNS
  rebinding). A POST must come from one of our own pages. What a browser says to come from another
  site is refused, whatever it asks for.
- A refusal is one of a few constant pages. No error, header or log says more.
- The body is read before the desk's lock is taken, so that a slow one holds up nothing.
- ``Referrer-Policy: same-origin``, as at the site: ``no-referrer`` would make our own POST's Origin
  ``null``, and the rule above needs it. No page here names another origin.
"""

import hashlib
import hmac
import io
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, MethodNotAllowed, NotFound
from werkzeug.wrappers import Request, Response

COOKIE = "desk"
ENTER = "/enter/"
LIMIT = 1 << 16  # bytes of a body
OPEN = frozenset({"/desk.css", "/keys.js"})  # they say nothing of a source
URLENCODED = "application/x-www-form-urlencoded"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """A WSGI app around the desk's. ``notices`` are the constant pages, by status."""

    def __init__(self, app: Flask, lock: threading.RLock, notices: Mapping[int, bytes]) -> None:
        """Draw the secret of the one entry. ``host`` is set when the port is known."""
        self.host = ""
        self.secret = secrets.token_urlsafe(32)
        self._app, self._lock, self._notices = app, lock, notices
        self._cookie = b""  # SHA-256 of the one cookie that was given

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        try:
            answer = self._answer(environ)
            code = answer.status_code
        except HTTPException as refused:
            code = refused.code or 500
        except Exception:  # noqa: BLE001 - a traceback may hold a source's words: it is dropped
            code = 500
        if code >= min(self._notices):
            code = code if code in self._notices else 500
            answer = Response(self._notices[code], code, content_type="text/html; charset=utf-8")
        for name, value in HEADERS.items():
            answer.headers[name] = value
        return answer(environ, start)

    def _answer(self, environ: dict[str, Any]) -> Response:
        request = Request(environ)
        if request.path.startswith(ENTER) and request.method == "GET":
            self._check_sender(request)
            return self._enter(request.path.removeprefix(ENTER))
        self._check(request)
        request.max_content_length = LIMIT
        body = request.get_data()
        with self._lock:
            inner = {**environ, "wsgi.input": io.BytesIO(body)}
            return Response.from_app(self._app, inner, buffered=True)

    def _enter(self, secret: str) -> Response:
        """Give the cookie for the secret, once."""
        with self._lock:
            if not self.secret or not hmac.compare_digest(secret.encode(), self.secret.encode()):
                raise NotFound
            # Dangerous line: without it, whoever finds the address in a history comes in.
            self.secret = ""
            cookie = secrets.token_hex(32)
            self._cookie = _hash(cookie)
        answer = Response(status=303, headers={"Location": "/"})
        answer.set_cookie(COOKIE, cookie, httponly=True, samesite="Strict")
        return answer

    def _check_sender(self, request: Request) -> None:
        if request.headers.get("Host") != self.host:
            raise BadRequest
        if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
            raise Forbidden

    def _check(self, request: Request) -> None:
        self._check_sender(request)
        if request.method not in {"GET", "HEAD", "POST"}:
            raise MethodNotAllowed
        if "Transfer-Encoding" in request.headers:  # no browser sends it; it has no limit
            raise BadRequest
        cookie = request.cookies.get(COOKIE, "")
        known = bool(self._cookie) and hmac.compare_digest(_hash(cookie), self._cookie)
        if not known and request.path not in OPEN:
            raise Forbidden
        if request.method == "POST":
            origin = request.headers.get("Origin")
            ours = origin == f"http://{self.host}"
            if not ours and (origin or request.headers.get("Sec-Fetch-Site") != "same-origin"):
                raise Forbidden
            length = request.headers.get("Content-Length", "")
            if request.mimetype != URLENCODED or not (length.isascii() and length.isdigit()):
                raise BadRequest


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).digest()
