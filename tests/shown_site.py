"""The site, which shows at ``/environ`` what it was told, and whether it can be dumped.

For a real server in tests. A circuit's patience is tried sooner there, and for longer, so that it
does not come back while a busy machine takes its time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any

from deploy.door import circuits

PR_GET_DUMPABLE = 3
BURST, PACE = 5, 4.0


class Shown:
    """A WSGI app around the site's."""

    def __init__(self) -> None:
        """Load the site, and change the server's limits."""
        from app import app as site  # noqa: PLC0415 - a test has no settings of one

        self.site, self.extensions = site, site.extensions
        circuits.BURST, circuits.PACE = BURST, PACE

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer as the site does, but for one page more."""
        if environ["PATH_INFO"] != "/environ":
            answer: Iterable[bytes] = self.site(environ, start)
            return answer
        dumpable = ctypes.CDLL(None).prctl(PR_GET_DUMPABLE)
        shown = f"dumpable: {dumpable}\n{environ!r}".encode()
        start("200 OK", [("Content-Length", str(len(shown)))])
        return [shown]


def app() -> Shown:
    """Return it."""
    return Shown()
