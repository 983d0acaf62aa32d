"""A window of a browser at the onion: the tests' plays, through tor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from intake.wording import OFFERED
from tests.browser.play import Play
from tests.browser.windows import window
from tests.browser.wire import Wire, _hang_up
from tests.onion.host import Host
from tests.onion.network import Client
from tests.site_maker import Site


@dataclass(frozen=True, slots=True, repr=False)
class Visit(Play):
    """A play whose wire stands between the browser and its tor."""

    host: Host | None = None

    def at(self, path: str = "") -> str:
        """Return the address of a page; without a ``path``, of the form."""
        assert self.host is not None
        start = "" if self.language == OFFERED[0] else f"/{self.language}"
        return f"http://{self.host.onion}{start}{path}"

    def other(self) -> Client:
        """Return a client by which nobody has visited in this window."""
        assert self.host is not None
        return self.host.net.clients["c1"]

    def through(self, client: Client) -> None:
        """Visit by another client, from the next line on; hang up those that are there."""
        self.wire.server = f"127.0.0.1:{client.listening()}"
        for line in self.wire._open:
            _hang_up(line)


@contextlib.contextmanager
def visit(host: Host, name: str, folder: Path) -> Iterator[Visit]:
    """Yield a window of the browser with this name."""
    site: Site = host.site
    folder.mkdir()
    line = Wire()
    try:
        line.server = f"127.0.0.1:{host.net.clients['c0'].listening()}"
        with window(name, folder, line.address) as shown:
            yield Visit(site, line, shown, {}, host=host)
    finally:
        line.close()
