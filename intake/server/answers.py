"""What goes out: one HTML page with its style inside, strict headers, and no trace of when.

Rules:
- Every answer says ``no-store`` and carries no cookie, Date, Server or ETag (the WSGI server's
  configuration leaves out those two).
- The policy allows the one style by its hash, posting to ourselves, and nothing else: a page that
  could be made to load or run something would betray a source at Tor Browser's lower levels too.
- ``Referrer-Policy: same-origin`` keeps the Origin of our own POST; ``no-referrer`` would make it
  ``null`` (measured), and the rule against forged posts needs it.
"""

import base64
import gzip
import hashlib

from flask import Request, Response

LEVEL = 9


def headers(style: str) -> dict[str, str]:
    """Return the headers of every answer, for a page with this one ``<style>``."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def finish(response: Response, request: Request, fixed: dict[str, str]) -> Response:
    """Add the ``fixed`` headers, and compress where the browser takes it."""
    if request.accept_encodings["gzip"]:
        # No time and no name in the gzip header (RFC 1952): mtime 0.
        response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    response.headers.extend(fixed)
    return response
