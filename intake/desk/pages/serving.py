"""The server: on 127.0.0.1, on a port that nobody can guess, for one browser of this machine.

Rules:
- It listens on loopback and nowhere else, keeps no log, and says neither its name nor its version.
- Each connection has a thread of its own: a browser opens some to spare, and sends nothing in them.
- When it ends, however it ends, keys and words are dropped.
"""

import webbrowser

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from intake.desk.pages.guard import ENTER
from intake.desk.pages.session import Session
from intake.desk.pages.site import guarded

LOOPBACK = "127.0.0.1"


class _Handler(WSGIRequestHandler):
    """One connection, without a word about it."""

    timeout = 30  # seconds without a byte
    error_message_format = ""  # else a broken request is repeated in the answer

    def version_string(self) -> str:
        return "Desk"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Keep no log."""


class Server(ThreadedWSGIServer):
    """The desk on loopback; ``address`` opens it once."""

    daemon_threads = True

    def __init__(self, session: Session) -> None:
        """Take a free port. Nothing is answered before :meth:`run`."""
        self._session, self._guard = session, guarded(session)
        super().__init__(LOOPBACK, 0, self._guard, _Handler)
        self._guard.host = f"{LOOPBACK}:{self.port}"
        self.address = f"http://{self._guard.host}{ENTER}{self._guard.secret}"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Keep no log: a traceback may hold a source's words."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a connection that broke."""

    def run(self, *, browser: bool = False) -> None:
        """Serve until Ctrl-C; then drop keys and words."""
        try:
            self._session.watch()
            if browser:
                webbrowser.open(self.address)
            self.serve_forever()
        finally:
            self._session.ended.set()
            self._session.lock()
            self.server_close()
